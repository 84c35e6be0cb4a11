"""Normalize gradients to steps: equally long for all layers, even and coloured as the picture is.

All functions take a batch of gradients, float32 (batch, height, width, 3), and treat each alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stream_dream.settings.dream import DreamSettings

# From gradients, step lengths, (batch, 1, 1, 1), and palettes, shaped as the gradients, to steps
# whose values have about the size of the length.
Normalizer = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]

# Far below the gradients of the largest pictures, which shrink with the number of pixels.
_EPSILON = 1e-12
_BANDS = 5
_SMALLEST_SIDE = 8
# Burt and Adelson (1983): the binomial filter of the Laplacian pyramid.
_BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
# Square root of the covariance of red, green and blue in natural pictures:
# ``color_correlation_svd_sqrt`` of Olah, Mordvintsev and Schubert: Feature Visualization (2017).
_COLOUR_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR_COVARIANCE = _COLOUR_ROOT @ _COLOUR_ROOT.T
_NATURAL = _COLOUR_COVARIANCE * (3 / np.trace(_COLOUR_COVARIANCE))
# Cells along the longer side over which a band's strength is evened, and the least strength of a
# cell as a share of the picture's: noise in an empty sky is not lifted.
_CELLS = 14
_LEAST_STRENGTH = 0.3
# Exponent of the gains at the largest evenness: with 1, weeds cover empty areas.
_EVENED_SHARE = 0.3
# Cells along the longer side of a palette, and an offset against extreme colours in the dark.
_PALETTE_CELLS = 24
_PALETTE_BASE = 0.1


def normalizer(
    settings: DreamSettings,
    *,
    colours: tf.Variable | None = None,
    evenness: tf.Variable | None = None,
) -> Normalizer:
    """Return the function that turns gradients into steps as the settings say.

    ``colours`` and ``evenness``, if given, take the place of the settings' numbers, and may change.
    """
    norm, grey = settings.gradient_norm, settings.keep_colours
    colouring = settings.colours if colours is None else colours
    evening = settings.evenness if evenness is None else evenness

    def normalize(gradients: tf.Tensor, lengths: tf.Tensor, palettes: tf.Tensor) -> tf.Tensor:
        if norm == "laplacian":
            gradients = by_laplacian(gradients, whitening=settings.whitening, evenness=evening)
        if grey:
            gradients = tf.tile(tf.reduce_mean(gradients, axis=-1, keepdims=True), (1, 1, 1, 3))
        elif colours is not None or settings.colours:
            gradients = in_colours(gradients, palettes, colouring)
        if norm == "mean_abs":
            return gradients * (lengths / (_means(tf.abs(gradients)) + _EPSILON))
        if norm == "std":
            variances = _mean_squares(gradients - _means(gradients))
            return gradients * (lengths / (tf.sqrt(variances) + _EPSILON))
        # Saturated, or the few strongest spots would take the whole step.
        return _unit(tf.tanh(_unit(gradients)), lengths)

    return normalize


def by_laplacian(
    gradients: tf.Tensor, *, whitening: float = 1.0, evenness: float | tf.Variable = 0.0
) -> tf.Tensor:
    """Balance the frequency bands of gradients with a Laplacian pyramid.

    Each band is divided by its root mean square to the power of ``whitening``: 0 leaves the fine
    grain that a plain gradient mostly is, 1 makes the lowest band, large stains of colour, as
    strong as all others. It is also divided by the ratio of its local to its overall root mean
    square, to the power of 0.3 ``evenness``, so that hot spots do not take the whole step.

    Both ``whitening`` and ``evenness`` are in 0..1.

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
    # Without its mean: the overall colour is not a shape.
    total = _whitened(band - tf.reduce_mean(band, axis=(1, 2), keepdims=True), whitening)
    for place, band in reversed(list(enumerate(bands))):
        if place and (isinstance(evenness, tf.Variable) or evenness):
            # Not the finest band: in empty areas it is noise.
            band = _evened(band, evenness)
        total = tf.image.resize(total, band.shape[1:3]) + _whitened(band, whitening)
    return total


def _whitened(band: tf.Tensor, whitening: float) -> tf.Tensor:
    return band * tf.pow(_mean_squares(band) + _EPSILON**2, -whitening / 2)


def _evened(band: tf.Tensor, evenness: float | tf.Variable) -> tf.Tensor:
    """Even out the local strength of each band of the batch."""
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


def in_colours(steps: tf.Tensor, palettes: tf.Tensor, share: float | tf.Variable) -> tf.Tensor:
    """Colour steps like natural pictures, tinted by the local colours of this one.

    ``(1 - share) s + share U M U s``, where ``M`` is the covariance of red, green and blue in
    natural pictures, of trace 3, and ``U`` has the local palette on its diagonal: on gold grows
    light and dark gold. Both are symmetric and positive, so the objective still rises.

    Args:
        steps: float32 (batch, height, width, 3).
        palettes: Same shape; see ``palettes_of``.
        share: 0 for the free colours of the gradient, 1 for those of natural pictures.
    """
    natural = tf.constant(_NATURAL[None, None], tf.float32)
    tinted = tf.nn.conv2d(steps * palettes, natural, 1, "SAME") * palettes
    return (1 - share) * steps + share * tinted


def palettes_of(sources: tf.Tensor) -> tf.Tensor:
    """Return the local ratio of red, green and blue of pictures in [0, 1].

    The palettes, float32 (batch, rows, columns, 3), have a coarse grid and about 1 each for grey.
    """
    height, width = sources.shape[1:3]
    cells = [max(1, round(side / max(height, width) * _PALETTE_CELLS)) for side in (height, width)]
    colours = tf.image.resize(sources, cells, method="area") + _PALETTE_BASE
    return colours * tf.math.rsqrt(tf.reduce_mean(tf.square(colours), axis=-1, keepdims=True))


def _unit(band: tf.Tensor, lengths: tf.Tensor | float = 1.0) -> tf.Tensor:
    """Scale each to a root mean square of its length."""
    return band * (lengths * tf.math.rsqrt(_mean_squares(band) + _EPSILON**2))


def _mean_squares(values: tf.Tensor) -> tf.Tensor:
    """Return the mean square of each gradient, (batch, 1, 1, 1)."""
    batch, height, width, channels = values.shape
    # The norm stores no squares: six times as fast (measured).
    rows = tf.math.reduce_euclidean_norm(_in_rows(values), axis=2)
    totals = tf.reduce_sum(tf.square(rows), axis=1)
    return tf.reshape(totals / (height * width * channels), (batch, 1, 1, 1))


def _means(values: tf.Tensor) -> tf.Tensor:
    """Return the mean of each gradient, (batch, 1, 1, 1)."""
    batch, height, width, channels = values.shape
    totals = tf.reduce_sum(tf.reduce_sum(_in_rows(values), axis=2), axis=1)
    return tf.reshape(totals / (height * width * channels), (batch, 1, 1, 1))


def _in_rows(values: tf.Tensor) -> tf.Tensor:
    """Reshape to (batch, height, width * 3), for sums over rows first.

    TensorFlow sums a whole picture in an order that depends on the number of threads, and the
    columns of a batch in another order than those of a single picture.
    """
    batch, height, width, channels = values.shape
    return tf.reshape(values, (batch, height, width * channels))
