"""Making gradients comparable, whatever the layer and the picture.

Each function takes a gradient, float32 (height, width, 3), and returns one of the same shape whose
values are around 1, so that ``step_size`` means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stream_dream.setting_values import GradientNorm

# Far below the gradients of the largest pictures, which shrink with the number of pixels.
_EPSILON = 1e-12
_BANDS = 5
_SMALLEST_SIDE = 8
# Burt and Adelson (1983): the binomial filter of the Laplacian pyramid.
_BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def by_std(gradient: tf.Tensor) -> tf.Tensor:
    """Return ``g / std(g)``."""
    mean = _sum(gradient) / np.prod(gradient.shape)
    variance = _sum(tf.square(gradient - mean)) / np.prod(gradient.shape)
    return gradient / (tf.sqrt(variance) + _EPSILON)


def by_mean_abs(gradient: tf.Tensor) -> tf.Tensor:
    """Return ``g / mean(|g|)``, as Google's notebook and the Keras example do."""
    mean = _sum(tf.abs(gradient)) / np.prod(gradient.shape)
    return gradient / (mean + _EPSILON)


def by_laplacian(gradient: tf.Tensor) -> tf.Tensor:
    """Split into frequency bands, bring each to standard deviation 1, and add them up again.

    Lifts the low frequencies that a plain gradient hardly has: large shapes and colours instead of
    a fine grain.

    Source:
        Mordvintsev: DeepDreaming with TensorFlow (2015), "Laplacian pyramid gradient".
    """
    kernel = tf.constant(np.repeat(_BINOMIAL[..., None, None], 3, axis=2), tf.float32)
    band = gradient[None]
    bands: list[tf.Tensor] = []
    while len(bands) < _BANDS - 1 and min(band.shape[1:3]) >= 2 * _SMALLEST_SIDE:
        lower = tf.nn.depthwise_conv2d(band, kernel, [1, 2, 2, 1], "SAME")
        bands.append(band - tf.image.resize(lower, band.shape[1:3]))
        band = lower
    # Without its mean: the overall colour is no shape.
    total = _unit(band - tf.reduce_mean(band, axis=(1, 2), keepdims=True))
    for band in reversed(bands):
        total = tf.image.resize(total, band.shape[1:3]) + _unit(band)
    # Saturated, or the few spots that respond most would take the whole step.
    return _unit(tf.tanh(_unit(total[0])))


def _unit(band: tf.Tensor) -> tf.Tensor:
    energy = _sum(tf.square(band)) / np.prod(band.shape)
    return band * tf.math.rsqrt(energy + _EPSILON**2)


def _sum(values: tf.Tensor) -> tf.Tensor:
    """Add up all values, (height, width, 3) or (1, height, width, 3).

    Row by row first: TensorFlow adds up a whole picture in an order that depends on the number of
    threads.
    """
    rows = tf.reshape(values, (values.shape[-3], -1))
    return tf.reduce_sum(tf.reduce_sum(rows, axis=1))


NORMS: dict[GradientNorm, Callable[[tf.Tensor], tf.Tensor]] = {
    "laplacian": by_laplacian,
    "std": by_std,
    "mean_abs": by_mean_abs,
}
