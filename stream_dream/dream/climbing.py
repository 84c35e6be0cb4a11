"""Gradient ascent on one octave, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from stream_dream.dream.normalize import Normalizer

# From images, (batch, height, width, 3), to their gradients and their losses, (batch,).
GradientFunction = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


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


def _rolled(images: tf.Tensor, shifts: tf.Tensor) -> tf.Tensor:
    """Roll each image by its own shift, int32 (batch, 2)."""
    shifted = zip(tf.unstack(images), tf.unstack(shifts, num=images.shape[0]), strict=True)
    return tf.stack([tf.roll(image, shift, axis=(0, 1)) for image, shift in shifted])
