"""Gradient ascent on images, and the objectives it maximises (TensorFlow)."""

from stream_dream.networks.quiet_keras import import_keras

import_keras()  # before any module of this package imports Keras or TensorFlow directly
