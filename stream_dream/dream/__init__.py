"""Gradient ascent on images, and what it maximises (TensorFlow)."""
