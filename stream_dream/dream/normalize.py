"""Making gradients comparable, whatever the layer and the picture.

Each function takes the gradients of a batch, float32 (batch, height, width, 3), and the lengths of
their steps, (batch, 1, 1, 1). It returns the steps, shaped as the gradients: their values are about
as large as their length, so that ``step_size`` means the same everywhere. Each gradient is taken
for itself.
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


def by_std(gradients: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return ``length * g / std(g)``."""
    variances = _mean_squares(gradients - _means(gradients))
    return gradients * (lengths / (tf.sqrt(variances) + _EPSILON))


def by_mean_abs(gradients: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return ``length * g / mean(|g|)``, as Google's notebook and the Keras example do."""
    return gradients * (lengths / (_means(tf.abs(gradients)) + _EPSILON))


def by_laplacian(gradients: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Split into frequency bands, bring each to standard deviation 1, and add them up again.

    Lifts the low frequencies that a plain gradient hardly has: large shapes and colours instead of
    a fine grain.

    Source:
        Mordvintsev: DeepDreaming with TensorFlow (2015), "Laplacian pyramid gradient".
    """
    kernel = tf.constant(np.repeat(_BINOMIAL[..., None, None], 3, axis=2), tf.float32)
    band = gradients
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
    return _unit(tf.tanh(_unit(total)), lengths)


def _unit(band: tf.Tensor, lengths: tf.Tensor | float = 1.0) -> tf.Tensor:
    """Bring each to a root mean square of its length."""
    return band * (lengths * tf.math.rsqrt(_mean_squares(band) + _EPSILON**2))


def _mean_squares(values: tf.Tensor) -> tf.Tensor:
    """Return the mean square of each gradient, (batch, 1, 1, 1)."""
    batch, height, width, channels = values.shape
    # The norm reads them once, six times as fast as squares that are stored (measured).
    rows = tf.math.reduce_euclidean_norm(_in_rows(values), axis=2)
    totals = tf.reduce_sum(tf.square(rows), axis=1)
    return tf.reshape(totals / (height * width * channels), (batch, 1, 1, 1))


def _means(values: tf.Tensor) -> tf.Tensor:
    """Return the mean of each gradient, (batch, 1, 1, 1)."""
    batch, height, width, channels = values.shape
    totals = tf.reduce_sum(tf.reduce_sum(_in_rows(values), axis=2), axis=1)
    return tf.reshape(totals / (height * width * channels), (batch, 1, 1, 1))


def _in_rows(values: tf.Tensor) -> tf.Tensor:
    """Return them as (batch, height, width * 3), to be added up row by row first.

    TensorFlow adds up a whole picture in an order that depends on the number of threads, and the
    columns of a batch in another one than those of a single picture.
    """
    batch, height, width, channels = values.shape
    return tf.reshape(values, (batch, height, width * channels))


NORMS: dict[GradientNorm, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "laplacian": by_laplacian,
    "std": by_std,
    "mean_abs": by_mean_abs,
}
