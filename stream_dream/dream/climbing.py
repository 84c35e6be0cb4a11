"""Steps of gradient ascent on one octave, as TensorFlow operations."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from stream_dream.dream.normalize import NORMS
from stream_dream.setting_values import GradientNorm

GradientFunction = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def climb(
    gradient_of: GradientFunction,
    image: tf.Tensor,
    shifts: tf.Tensor,
    step_size: tf.Tensor,
    max_loss: tf.Tensor,
    *,
    norm: GradientNorm,
    clipped: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Take the steps of one octave; stop before the step at which the loss exceeds ``max_loss``.

    Args:
        gradient_of: Gives gradient and loss of an image.
        image: float32 (height, width, 3) in [0, 1].
        shifts: One roll a step, int32 (steps, 2), in pixels down and right; undone after it.
        step_size: Length of a step.
        max_loss: Where to stop.
        norm: What makes gradients comparable.
        clipped: True to keep the image in [0, 1].

    Returns:
        The image and the loss before the last step.
    """

    def step(count: tf.Tensor, image: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
        shift = shifts[count]
        gradient, loss = gradient_of(tf.roll(image, shift, axis=(0, 1)))
        gradient = tf.roll(NORMS[norm](gradient), -shift, axis=(0, 1))
        image += tf.where(loss > max_loss, 0.0, step_size) * gradient
        return count + 1, tf.clip_by_value(image, 0, 1) if clipped else image, loss

    _, image, loss = tf.while_loop(
        lambda count, image, loss: (count < tf.shape(shifts)[0]) & (loss <= max_loss),
        step,
        (tf.constant(0), image, tf.constant(-float("inf"))),
        parallel_iterations=1,
    )
    return image, loss
