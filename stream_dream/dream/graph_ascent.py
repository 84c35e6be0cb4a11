"""Gradient ascent through the octaves of images, as a graph of TensorFlow operations.

All images are batches, float32 (batch, height, width, 3).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from stream_dream.dream.normalize import Normalizer
from stream_dream.frame import Shape
from stream_dream.image import corner_samples

# From images, (batch, height, width, 3), to their gradients and their losses, (batch,).
GradientFunction = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

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


def climb(
    gradient_of: GradientFunction,
    images: tf.Tensor,
    palettes: tf.Tensor,
    shifts: tf.Tensor,
    step_size: tf.Tensor,
    max_loss: tf.Tensor,
    *,
    normalize: Normalizer,
    clipped: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run the ascent steps of one octave.

    Args:
        gradient_of: Computes gradients and losses of images.
        images: float32 (batch, height, width, 3) in [0, 1].
        palettes: Local colours of the images; see ``normalize.palettes_of``.
        shifts: Jitter of each image and step, int32 (batch, steps, 2), pixels down and right.
        step_size: Length of a step.
        max_loss: Loss above which an image takes no further step.
        normalize: Turns gradients into steps.
        clipped: True to keep the images in [0, 1].

    Returns:
        The images, and the loss of each before its last step, (batch,).
    """
    batch, steps = images.shape[0], tf.shape(shifts)[1]
    palettes = tf.image.resize(palettes, images.shape[1:3])

    def step(count: tf.Tensor, images: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, ...]:
        shift = shifts[:, count]
        gradients, losses = gradient_of(_rolled(images, shift))
        # Stopped images stay in the batch, unchanged, until all have stopped.
        losses = tf.where(before > max_loss, before, losses)
        lengths = tf.reshape(tf.where(losses > max_loss, 0.0, step_size), (batch, 1, 1, 1))
        steps_taken = normalize(gradients, lengths, _rolled(palettes, shift))
        images += _rolled(steps_taken, -shift)
        return count + 1, tf.clip_by_value(images, 0, 1) if clipped else images, losses

    _, images, losses = tf.while_loop(
        lambda count, images, losses: (count < steps) & tf.reduce_any(losses <= max_loss),
        step,
        (tf.constant(0), images, tf.fill((batch,), -float("inf"))),
        parallel_iterations=1,
    )
    return images, losses


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


def _rolled(images: tf.Tensor, shifts: tf.Tensor) -> tf.Tensor:
    """Roll each image by its own shift, int32 (batch, 2)."""
    shifted = zip(tf.unstack(images), tf.unstack(shifts, num=images.shape[0]), strict=True)
    return tf.stack([tf.roll(image, shift, axis=(0, 1)) for image, shift in shifted])
