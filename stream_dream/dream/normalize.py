"""Making steps of gradients: comparable whatever the layer, even over the picture, in its colours.

All functions take the gradients of a batch, float32 (batch, height, width, 3), each for itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stream_dream.settings.dream import DreamSettings

# From gradients, the lengths of their steps, (batch, 1, 1, 1), and palettes, shaped as the
# gradients, to the steps: their values are about as large as their length.
Normalizer = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]

# Far below the gradients of the largest pictures, which shrink with the number of pixels.
_EPSILON = 1e-12
_BANDS = 5
_SMALLEST_SIDE = 8
# Burt and Adelson (1983): the binomial filter of the Laplacian pyramid.
_BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
# Olah, Mordvintsev and Schubert: Feature Visualization (2017), ``color_correlation_svd_sqrt``:
# a square root of the covariance of red, green and blue in natural pictures.
_COLOUR_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR_COVARIANCE = _COLOUR_ROOT @ _COLOUR_ROOT.T
_NATURAL = _COLOUR_COVARIANCE * (3 / np.trace(_COLOUR_COVARIANCE))
# Cells along the longer side in which a band is brought to the same strength, and the least share
# of the whole picture's strength that a cell counts with: noise in an empty sky is not lifted.
_CELLS = 14
_LEAST_STRENGTH = 0.3
# How far the largest evenness brings a gradient to the same strength: all the way, weeds
# cover what is empty.
_EVENED_SHARE = 0.3
# Cells along the longer side of a palette, and what keeps dark places from extreme colours.
_PALETTE_CELLS = 24
_PALETTE_BASE = 0.1


def normalizer(settings: DreamSettings) -> Normalizer:
    """Return what turns gradients into steps, as the settings want them."""
    norm, colours, grey = settings.gradient_norm, settings.colours, settings.keep_colours

    def normalize(gradients: tf.Tensor, lengths: tf.Tensor, palettes: tf.Tensor) -> tf.Tensor:
        if norm == "laplacian":
            gradients = by_laplacian(
                gradients, whitening=settings.whitening, evenness=settings.evenness
            )
        if grey:
            gradients = tf.tile(tf.reduce_mean(gradients, axis=-1, keepdims=True), (1, 1, 1, 3))
        elif colours:
            gradients = in_colours(gradients, palettes, colours)
        if norm == "mean_abs":
            return gradients * (lengths / (_means(tf.abs(gradients)) + _EPSILON))
        if norm == "std":
            variances = _mean_squares(gradients - _means(gradients))
            return gradients * (lengths / (tf.sqrt(variances) + _EPSILON))
        # Saturated, or the few spots that respond most would take the whole step.
        return _unit(tf.tanh(_unit(gradients)), lengths)

    return normalize


def by_laplacian(
    gradients: tf.Tensor, *, whitening: float = 1.0, evenness: float = 0.0
) -> tf.Tensor:
    """Split into frequency bands, bring them nearer to each other, and add them up again.

    Each band is divided by its root mean square to the power of ``whitening``: 0 leaves the fine
    grain that a plain gradient mostly is, 1 lifts the lowest band, large stains of colour, as high
    as all others. And by its local root mean square, as far as it differs from that of the whole
    band, to the power of 0.3 ``evenness``: hot spots stop taking the whole step.

    Args:
        gradients: float32 (batch, height, width, 3).
        whitening: 0..1.
        evenness: 0..1.

    Source:
        Mordvintsev: DeepDreaming with TensorFlow (2015), "Laplacian pyramid gradient", for
        ``whitening`` 1.
    """
    kernel = tf.constant(np.repeat(_BINOMIAL[..., None, None], 3, axis=2), tf.float32)
    band = gradients
    bands: list[tf.Tensor] = []
    while len(bands) < _BANDS - 1 and min(band.shape[1:3]) >= 2 * _SMALLEST_SIDE:
        lower = tf.nn.depthwise_conv2d(band, kernel, [1, 2, 2, 1], "SAME")
        bands.append(band - tf.image.resize(lower, band.shape[1:3]))
        band = lower
    # Without its mean: the overall colour is no shape.
    total = _whitened(band - tf.reduce_mean(band, axis=(1, 2), keepdims=True), whitening)
    for place, band in reversed(list(enumerate(bands))):
        if evenness and place:
            # The finest band stays as it is: in empty places it is noise.
            band = _evened(band, evenness)
        total = tf.image.resize(total, band.shape[1:3]) + _whitened(band, whitening)
    return total


def _whitened(band: tf.Tensor, whitening: float) -> tf.Tensor:
    """Divide each by its root mean square to the power of ``whitening``."""
    return band * tf.pow(_mean_squares(band) + _EPSILON**2, -whitening / 2)


def _evened(band: tf.Tensor, evenness: float) -> tf.Tensor:
    """Bring each nearer to the same strength everywhere."""
    energies = tf.reduce_sum(tf.square(band), axis=-1, keepdims=True)
    height, width = band.shape[1:3]
    cells = [max(2, round(side / max(height, width) * _CELLS)) for side in (height, width)]
    local = tf.image.resize(energies, cells, method="area")
    mean = tf.reduce_mean(local, axis=(1, 2), keepdims=True)
    gains = tf.pow(
        mean / tf.maximum(local, _LEAST_STRENGTH**2 * mean + _EPSILON**2),
        evenness * _EVENED_SHARE / 2,
    )
    return band * tf.image.resize(gains, (height, width))


def in_colours(steps: tf.Tensor, palettes: tf.Tensor, share: float) -> tf.Tensor:
    """Give steps the colours that pictures have, tinted as this one is.

    ``(1 - share) s + share U M U s``, where ``M`` is the covariance of red, green and blue in
    natural pictures, of trace 3, and ``U`` holds the place's palette on its diagonal: what grows on
    gold is light and dark gold. Both are symmetric and positive: the objective still rises.

    Args:
        steps: float32 (batch, height, width, 3).
        palettes: Same shape; see ``palettes_of``.
        share: 0 for the free colours of the gradient, 1 for those of natural pictures.
    """
    natural = tf.constant(_NATURAL[None, None], tf.float32)
    tinted = tf.nn.conv2d(steps * palettes, natural, 1, "SAME") * palettes
    return (1 - share) * steps + share * tinted


def palettes_of(sources: tf.Tensor) -> tf.Tensor:
    """Return how much red, green and blue there is around each place, beside each other.

    Args:
        sources: float32 (batch, height, width, 3) in [0, 1].

    Returns:
        float32 (batch, rows, columns, 3), small: to be resized; about 1 each where it is grey.
    """
    height, width = sources.shape[1:3]
    cells = [max(1, round(side / max(height, width) * _PALETTE_CELLS)) for side in (height, width)]
    colours = tf.image.resize(sources, cells, method="area") + _PALETTE_BASE
    return colours * tf.math.rsqrt(tf.reduce_mean(tf.square(colours), axis=-1, keepdims=True))


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
