"""Gradient ascent on images, and what it maximises (TensorFlow)."""

from stream_dream.networks.quiet_keras import import_keras

import_keras()  # before any module here imports it, and TensorFlow, in its own way
