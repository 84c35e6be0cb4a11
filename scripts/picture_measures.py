"""Measure what makes a dream worth looking at; all but ``clarity`` by NumPy and OpenCV alone.

A source ``S`` and its dream ``D`` are RGB images of one shape, (height, width, 3), each uint8 or
float32 in [0, 1]; the residual is ``R = D - S``, float32 in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Image8, ImageF
from stream_dream.image import resize, to_float

# In 8-bit levels: a dream this near to the end of the range is burnt, unless its source is nearly
# as near.
_BURNT_LEVELS = 2
_BRIGHT_LEVELS = 4
# Cells along the longer side.
_CELLS = 12
# Windows that fill the longer side, for clarity.
_WINDOW_PARTS = (6, 4)
_WINDOW_SIDE = 192
_CLEAR_SCORE = 0.5
_JUDGE = "efficientnet_lite2"
# Windows per batch: more take much memory and are no faster on a few cores.
_BATCH = 16


def burnt(source: Image8 | ImageF, dream: Image8 | ImageF) -> float:
    """Return the share of the pixels that the dream has burnt out, 0..1.

    A pixel is burnt where a channel of the dream lies within 2 levels of 0 or 255 and no channel of
    the source lies within 4.
    """
    burnt_out = _near_ends(dream, _BURNT_LEVELS) & ~_near_ends(source, _BRIGHT_LEVELS)
    return float(burnt_out.mean())


def evenness(source: Image8 | ImageF, dream: Image8 | ImageF) -> float:
    """Return how evenly the dream covers the picture, 0..1: 1 is uniform.

    ``median / 90th percentile`` of the root mean square of ``R`` in the cells of a grid, 12 along
    the longer side and nearly square. 0 without a residual.
    """
    energy = np.square(_residual(source, dream)).mean(axis=-1)
    height, width = energy.shape
    cell = max(height, width) / _CELLS
    size = (max(1, round(width / cell)), max(1, round(height / cell)))
    local = np.sqrt(cv2.resize(energy, size, interpolation=cv2.INTER_AREA))
    strongest = float(np.percentile(local, 90))
    return float(np.median(local)) / strongest if strongest > 0 else 0.0


def luma_share(source: Image8 | ImageF, dream: Image8 | ImageF) -> float:
    """Return the share of the residual's variance along one line of colours, 1/3..1.

    The largest eigenvalue of the 3x3 covariance of ``R`` over its trace: 1 for a grey residual,
    about 0.9 for natural pictures, 1/3 for random colours. 0 without a residual.
    """
    colours = _residual(source, dream).reshape(-1, 3)
    covariance = np.cov(colours.astype(np.float64), rowvar=False)
    total = float(np.trace(covariance))
    return float(np.linalg.eigvalsh(covariance)[-1]) / total if total > 0 else 0.0


def strength(
    source: Image8 | ImageF, dream: Image8 | ImageF, objective: Callable[[ImageF], float]
) -> float:
    """Return the objective of a dream relative to that of its source.

    ``objective(D) / objective(S)``, each at its own size. The objective, such as ``Ascent.loss``,
    is positive.
    """
    return objective(_as_float(dream)) / objective(_as_float(source))


def clarity(images: Sequence[Image8]) -> float:
    """Return the share of windows that another network classifies with confidence, 0..1.

    The windows are squares of 1/6 and of 1/4 of the longer side, half overlapping, scaled to
    192x192. EfficientNet-Lite2 is confident if one of its 1,000 classes gets more than 0.5. The
    share is taken over all images' windows of one size, then averaged over both sizes.

    Args:
        images: uint8 RGB, (height, width, 3) each, of any sizes; at least one.

    Raises:
        NetworkError: The weights of EfficientNet-Lite2 (the extra ``lite``) are not installed.
    """
    shares = []
    for part in _WINDOW_PARTS:
        found = [window for image in images for window in windows(image, part)]
        best = []
        for first in range(0, len(found), _BATCH):
            batch = np.stack([to_float(window) for window in found[first : first + _BATCH]])
            best.append(_class_probabilities()(batch).max(axis=-1))
        shares.append(float((np.concatenate(best) > _CLEAR_SCORE).mean()))
    return float(np.mean(shares))


def windows(image: Image8, part: int) -> Iterator[Image8]:
    """Yield the half overlapping squares of 1/``part`` of the longer side, scaled to 192x192.

    The remainder at the right and at the bottom is less than half a window.

    Args:
        image: uint8 RGB, (height, width, 3); its shorter side is not below a window's.
        part: Number of windows side by side that fill the longer side.
    """
    height, width = image.shape[:2]
    side = min(height, width, max(height, width) // part)
    step = max(1, side // 2)
    for top in range(0, height - side + 1, step):
        for left in range(0, width - side + 1, step):
            window = image[top : top + side, left : left + side]
            yield resize(np.ascontiguousarray(window), (_WINDOW_SIDE, _WINDOW_SIDE))


@cache
def _class_probabilities() -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the function from a batch of windows to class probabilities, (batch, 1000)."""
    import tensorflow as tf

    from stream_dream.networks.registry import find
    from stream_dream.networks.spec import CLASSES

    model = find(_JUDGE).build([CLASSES])

    def judge(batch: tf.Tensor) -> tf.Tensor:
        (scores,) = tf.nest.flatten(model(batch))
        return tf.nn.softmax(tf.reduce_mean(scores, axis=(1, 2)))

    signature = [tf.TensorSpec((None, _WINDOW_SIDE, _WINDOW_SIDE, 3), tf.float32)]
    function = tf.function(judge, input_signature=signature, autograph=False)
    return lambda batch: np.asarray(function(tf.constant(batch)))


def _near_ends(image: Image8 | ImageF, levels: int) -> NDArray[np.bool_]:
    """Return where a channel lies within ``levels`` of 0 or 255, bool (height, width)."""
    values = image if image.dtype == np.uint8 else np.rint(image * 255)
    return ((values <= levels) | (values >= 255 - levels)).any(axis=-1)


def _residual(source: Image8 | ImageF, dream: Image8 | ImageF) -> NDArray[np.float32]:
    """Return ``dream - source``, float32 in [-1, 1]."""
    return _as_float(dream) - _as_float(source)


def _as_float(image: Image8 | ImageF) -> ImageF:
    return to_float(image) if image.dtype == np.uint8 else np.asarray(image, np.float32)
