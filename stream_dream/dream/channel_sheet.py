"""Contact sheets of the channels of a layer, for choosing them by eye."""

from __future__ import annotations

import cv2
import numpy as np
import tensorflow as tf

from stream_dream.dream.gradient import Gradient
from stream_dream.dream.graph_ascent import climb
from stream_dream.dream.normalize import normalizer, palettes_of
from stream_dream.dream.objective import LayerEnergy
from stream_dream.dream.tf_threads import use_cores
from stream_dream.frame import Image8, ImageF
from stream_dream.image import resize_float
from stream_dream.networks.registry import find
from stream_dream.settings.dream import DreamSettings

_COLUMNS, _ROWS = 8, 4
_SIDE = 160
_LABEL = 18
_GAP = 4
_SCALES = (0.6, 1.0)
_STEPS = 24
_STEP_SIZE = 0.012
_JITTER = 8


def channel_sheet(settings: DreamSettings) -> Image8:
    """Draw the dreams of a layer's strongest channels, each from the same noise.

    Args:
        settings: ``network``, ``weights`` and the first ``layer`` are used.

    Returns:
        uint8 RGB: numbered channels, those that respond to noise most strongly first.

    Raises:
        NetworkError: There is no such network or layer.
    """
    use_cores(share=1)
    spec = find(settings.network)
    layer = spec.layer(settings.layer[0].name)
    model = spec.build([layer.name], weights=settings.weights or "pretrained")
    number = tf.Variable(0, trainable=False)
    objective = LayerEnergy(layer.name, channels=(number,))
    gradient = Gradient(model, objective, {layer.name: layer.stride}, spec.granularity)
    side = max(_SIDE, 5 * layer.stride, gradient.smallest)
    noise = _noise(side)
    strongest = _strongest(np.asarray(model(noise[None], training=False)))
    normalize, limit = normalizer(DreamSettings()), tf.constant(np.inf, tf.float32)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def ascend(images: tf.Tensor, shifts: tf.Tensor) -> tf.Tensor:
        given = gradient.of_batch, images, palettes_of(images), shifts, tf.constant(_STEP_SIZE)
        return climb(*given, limit, normalize=normalize)[0]

    pictures = []
    for channel in strongest:
        number.assign(int(channel))
        pictures.append((int(channel), _dream(ascend, noise)))
    return _drawn(pictures)


def _noise(side: int) -> ImageF:
    """Return grey noise in [0, 1], fine and coarse: a start for shapes of all sizes."""
    rng = np.random.default_rng(0)
    image = np.full((side, side, 3), 0.5, np.float32)
    for size in (4, 16, side):
        image += resize_float(rng.normal(0, 0.06, (size, size, 3)).astype(np.float32), (side, side))
    return np.clip(image, 0, 1)


def _strongest(act: ImageF) -> list[int]:
    energies = np.square(act).mean(axis=(0, 1, 2))
    return [int(channel) for channel in np.argsort(-energies)[: _COLUMNS * _ROWS]]


def _dream(ascend: tf.types.experimental.GenericFunction, noise: ImageF) -> Image8:
    rng = np.random.default_rng(0)
    image = noise
    for scale in _SCALES:
        side = max(1, round(len(noise) * scale))
        shifts = rng.integers(-_JITTER, _JITTER + 1, (_STEPS, 2)).astype(np.int32)
        start = tf.constant(resize_float(image, (side, side), antialias=True))
        image = ascend(start[None], tf.constant(shifts[None])).numpy()[0]
    shown = resize_float(image, (_SIDE, _SIDE), antialias=True)
    return np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8)


def _drawn(pictures: list[tuple[int, Image8]]) -> Image8:
    rows = -(-len(pictures) // _COLUMNS)
    columns = min(_COLUMNS, len(pictures))
    pitch = (_SIDE + _LABEL + _GAP, _SIDE + _GAP)
    sheet = np.full((rows * pitch[0] + _GAP, columns * pitch[1] + _GAP, 3), 24, np.uint8)
    for index, (channel, picture) in enumerate(pictures):
        top = _GAP + index // _COLUMNS * pitch[0]
        left = _GAP + index % _COLUMNS * pitch[1]
        sheet[top : top + _SIDE, left : left + _SIDE] = picture
        baseline = (left + 2, top + _SIDE + _LABEL - 5)
        cv2.putText(
            sheet,
            str(channel),
            baseline,
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (235, 235, 235),
            1,
            cv2.LINE_AA,
        )
    return sheet
