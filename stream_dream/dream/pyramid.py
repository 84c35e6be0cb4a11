"""Ascent through the octaves of images, as TensorFlow operations.

All images are batches, float32 (batch, height, width, 3).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from stream_dream.frame import Shape
from stream_dream.image import corner_samples

# From the number of an octave and its images to the images and their losses, (batch,).
Climb = Callable[[int, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

# At smaller ratios bilinear interpolation reads nearly all pixels anyway: antialiasing changes
# little and takes ten times as long (measured).
_ANTIALIASED_FROM = 1.5


def adding_up(
    climb_octave: Climb, seeds: tf.Tensor, shapes: tuple[Shape, ...], *, together: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Ascend on each octave and add its change to the full-size images.

    Upsampling the change instead of the picture keeps the source crisp. With ``together`` all
    octaves start from the same images and can run in parallel.

    Args:
        climb_octave: Runs the steps of one octave.
        seeds: The seed images, in [0, 1].
        shapes: (height, width) of the octaves, small to large.
        together: True for schedule ``together``.

    Returns:
        The images, in the size of the seeds, and their losses at the finest octave.
    """
    size = tuple(seeds.shape[1:3])
    images, losses = seeds, tf.zeros(seeds.shape[0])
    for octave, shape in enumerate(shapes):
        starts = _resize(seeds if together else tf.clip_by_value(images, 0, 1), shape)
        ends, losses = climb_octave(octave, starts)
        if shape == size:
            # In this order only the last sum waits for this ascent, the longest of all.
            images = (images - starts) + ends
        else:
            images += _resize(ends - starts, size)
    return images, losses


def restoring(
    climb_octave: Climb, seeds: tf.Tensor, shapes: tuple[Shape, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Enlarge the pictures from octave to octave and restore the detail that they lack.

    The lost detail is the original at the octave's size less the smaller original scaled up to it;
    it is added after the octave's ascent. This is the algorithm of Keras' DeepDream notebook, with
    its resizing: corners on corners, without antialiasing. For the arguments see ``adding_up``.
    """
    originals = images = resize_by_corners(seeds, shapes[0])
    losses = tf.zeros(seeds.shape[0])
    for octave, shape in enumerate(shapes):
        images, losses = climb_octave(octave, resize_by_corners(images, shape))
        smaller, originals = originals, resize_by_corners(seeds, shape)
        images += originals - resize_by_corners(smaller, shape)
    return resize_by_corners(images, seeds.shape[1:3]), losses


def resize_by_corners(images: tf.Tensor, shape: Shape) -> tf.Tensor:
    """Resize bilinearly to (height, width), the corners on the old corners.

    Like ``stream_dream.image.resize_by_corners``. TensorFlow's function is deprecated, and off by
    3e-4 in large images (measured).
    """
    for axis, wanted in enumerate(shape, start=1):
        if images.shape[axis] != wanted:
            low, high, share = corner_samples(images.shape[axis], wanted)
            near, far = tf.gather(images, low, axis=axis), tf.gather(images, high, axis=axis)
            shares = share.reshape(-1, 1, 1) if axis == 1 else share.reshape(-1, 1)
            images = near + (far - near) * shares
    return images


def _resize(images: tf.Tensor, shape: Shape) -> tf.Tensor:
    """Resize bilinearly, with antialiasing from ``_ANTIALIASED_FROM`` on."""
    if tuple(images.shape[1:3]) == shape:
        return images
    return tf.image.resize(images, shape, antialias=_ANTIALIASED_FROM * shape[0] < images.shape[1])
