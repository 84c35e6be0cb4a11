"""The gradient of an objective with respect to a picture: whole, in halves, or in tiles."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.objective import BORDER, Objective, Seen
from stream_dream.errors import NetworkError, SettingsError
from stream_dream.frame import ImageF

Shape = tuple[int, int]
# A number of pixels or positions: known when it is traced, or not before it is run.
Length: TypeAlias = "int | tf.Tensor"
# Where the positions that count begin and end, in pixels; None: at the picture's border.
Span = tuple[int | None, int | None]

_EVERYTHING: tuple[Span, Span] = ((None, None), (None, None))
_ANY_IMAGE = tf.TensorSpec((None, None, 3), tf.float32)
# Shorter pictures are not halved: the overlap would cost more than a quarter. In strides.
_HALVED_FROM = 20
# No network in use needs larger pictures than this.
_LARGEST_MINIMUM = 512


class Gradient:
    """Computes ``d objective / d image``.

    Attributes:
        stride: Image pixels per step of the coarsest map in use.
        smallest: Length of the shortest side that the network takes, in pixels.
        granularity: The sides that the network takes are multiples of this, in pixels.
        of_any_size: ``whole``, traced once for pictures of all sizes.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: Objective,
        strides: Mapping[str, int],
        granularity: int = 1,
    ) -> None:
        """Take a network from images to the layers of the objective, in their order."""
        self.stride = max(strides.values())
        self.granularity = granularity
        self._model = model
        self._objective = objective
        self._strides = strides
        self.smallest = self._find_smallest()
        # Traced once for pictures of all sizes.
        self.of_any_size: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]] = tf.function(
            self.whole, autograph=False, input_signature=[_ANY_IMAGE]
        )
        numbers = tf.TensorSpec((4,), tf.float32)
        self._traced_tile = tf.function(
            self._of_tile, autograph=False, input_signature=[_ANY_IMAGE, numbers, numbers]
        )

    def loss(self, image: tf.Tensor) -> tf.Tensor:
        """Return the objective of an image, float32 (height, width, 3) in [0, 1]."""
        return self._loss(image, lambda maps: _counted(maps, _EVERYTHING))

    def whole(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return gradient and objective of an image, float32 (height, width, 3) in [0, 1]."""
        return self._of_part(image, _EVERYTHING)

    def in_halves(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return gradient and objective, computed in two halves that run side by side.

        The network's operations are too small for their threads to pay; halves of the picture are
        not. They overlap by twice the objective's border crop, and each position counts in one of
        them: the halves' gradients add up to the whole; what a position near the middle misses of
        the other half is beyond the core of its receptive field. Pictures too small for it are
        computed whole.
        """
        axis = int(np.argmax(image.shape[:2]))
        length, across = image.shape[axis], min(image.shape[:2])
        overlap = BORDER * self.stride
        if length < _HALVED_FROM * self.stride or across <= 2 * overlap or self.granularity > 1:
            return self.whole(image)
        middle = length // 2 // self.stride * self.stride
        begin, end = middle - overlap, middle + overlap
        ends: list[Span] = [(None, None), (None, None)]
        parts = []
        for first, last, own in ((0, end, (None, middle)), (begin, length, (middle - begin, None))):
            ends[axis] = own
            gradient, loss = self._of_part(_slice(image, axis, first, last), (ends[0], ends[1]))
            # A half's own number of positions; the whole's is what counts.
            share = (last - first) / length
            parts.append((share * gradient, share * loss))
        (first_part, loss_1), (second_part, loss_2) = parts
        joined = [
            _slice(first_part, axis, 0, begin),
            _slice(first_part, axis, begin, end) + _slice(second_part, axis, 0, end - begin),
            _slice(second_part, axis, end - begin, length - begin),
        ]
        return tf.concat(joined, axis), loss_1 + loss_2

    def in_tiles(
        self, image: ImageF, tile: int, rng: np.random.Generator, jitter: int = 0
    ) -> tuple[ImageF, float]:
        """Return gradient and objective, computed tile by tile: memory grows with the tile only.

        Tiles overlap as halves do, and their grid lies elsewhere each time: no seam can grow.

        Args:
            image: float32 (height, width, 3) in [0, 1].
            tile: Side of a tile in pixels.
            rng: Places the grid.
            jitter: By how many pixels at most the network's own lattice is shifted.

        Returns:
            The gradient, shaped as the image, and the objective.

        Raises:
            SettingsError: Tiles are too small for the layers in use.
        """
        axes = [self._stretches(length, tile, jitter, rng) for length in image.shape[:2]]
        gradient = np.zeros_like(image)
        loss = 0.0
        for rows, columns in itertools.product(*axes):
            view = image[np.ix_(rows.indices, columns.indices)]
            part, share = self._traced_tile(
                tf.constant(view), tf.constant(rows.numbers), tf.constant(columns.numbers)
            )
            gradient[rows.pixels, columns.pixels] += part.numpy()[rows.inside, columns.inside]
            loss += float(share)
        return gradient, loss

    def _stretches(
        self, length: int, tile: int, jitter: int, rng: np.random.Generator
    ) -> list[_Stretch]:
        """Part an axis: each position of a map counts in one tile only."""
        unit = math.lcm(self.stride, self.granularity)
        overlap = BORDER * self.stride
        least = max(2 * overlap + self.stride, -(-self.smallest // unit) * unit)
        if tile < least:
            raise SettingsError(
                f"tiles of {tile} pixels are too small for the layers in use: give at least {least}"
            )
        origin = -int(rng.integers(0, 2 * jitter + 1))
        length -= origin
        side = min(tile // unit, -(-length // unit)) * unit
        core = max(side - 2 * overlap, self.stride)
        end = int(rng.integers(1, core // self.stride + 1)) * self.stride
        stretches, own = [], 0
        while own < length:
            begin = max(0, end - core - overlap)
            stretches.append(_Stretch(begin, own, min(end, length), length, origin, side))
            own, end = end, end + core
        return stretches

    def _of_tile(
        self, image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = self._loss(image, lambda maps: _counted_in_tile(maps, rows, columns))
        return tape.gradient(loss, image), loss

    def _of_part(self, image: tf.Tensor, spans: tuple[Span, Span]) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = self._loss(image, lambda maps: _counted(maps, spans))
        return tape.gradient(loss, image), loss

    def _loss(self, image: tf.Tensor, counted: Callable[[_Maps], tuple[Any, Any]]) -> tf.Tensor:
        """Return the objective of an image or of a part of one.

        Args:
            image: float32 (height, width, 3).
            counted: Tells which positions of a map count, and how many the whole picture has.
        """
        padded = self._padded(image)
        activations = self._model(padded[None], training=False)
        if not isinstance(activations, list | tuple):
            activations = [activations]
        seen = {}
        for name, act in zip(self._objective.layers, activations, strict=True):
            if 0 in act.shape:
                raise NetworkError(f"a picture of {image.shape[:2]} is too small for {name}")
            maps = _Maps(_size(act[0]), _size(padded), self._strides[name])
            seen[name] = Seen(act, *counted(maps))
        return self._objective(seen)

    def _padded(self, image: tf.Tensor) -> tf.Tensor:
        """Mirror what is beyond the far edges, up to sides that the network takes."""
        if self.granularity == 1:
            return image
        beyond = -tf.shape(image)[:2] % self.granularity
        return tf.pad(image, [[0, beyond[0]], [0, beyond[1]], [0, 0]], "SYMMETRIC")

    def _find_smallest(self) -> int:
        """Find the shortest side for which no map is empty: networks that do not pad have one."""

        def works(side: int) -> bool:
            try:
                shapes = self._model.compute_output_shape((1, side, side, 3))
            except ValueError:
                return False
            shapes = shapes if isinstance(shapes, list) else [shapes]
            return all(min(shape[1:3]) > 0 for shape in shapes)

        sides = range(1, _LARGEST_MINIMUM // self.granularity + 1)
        if works(self.granularity):
            return self.granularity
        return self.granularity * sides[bisect.bisect_left(sides, True, key=works)]


class _Maps(NamedTuple):
    """A layer's map: its size, the size of the image that it is a map of, and its stride."""

    shape: tuple[Length, Length]
    image: tuple[Length, Length]
    stride: int


class _Stretch(NamedTuple):
    """One tile's part of an axis; all numbers in pixels from ``origin``.

    Attributes:
        begin: Where the tile begins.
        own_begin: Where what counts in this tile begins.
        own_end: Where it ends.
        length: Where the picture ends.
        origin: Where the network's lattice begins, in pixels of the picture; 0 or less.
        side: Length of the tile.
    """

    begin: int
    own_begin: int
    own_end: int
    length: int
    origin: int
    side: int

    @property
    def indices(self) -> NDArray[np.int64]:
        """The picture's pixels under the tile; its edges are repeated beyond it."""
        return np.clip(np.arange(self.side) + self.begin + self.origin, 0, self._last)

    @property
    def pixels(self) -> slice:
        """What of the picture is under the tile."""
        begin = self.begin + self.origin
        return slice(max(0, begin), min(self._last + 1, begin + self.side))

    @property
    def inside(self) -> slice:
        """The same in pixels of the tile."""
        begin = self.begin + self.origin
        return slice(self.pixels.start - begin, self.pixels.stop - begin)

    @property
    def numbers(self) -> NDArray[np.float32]:
        """What decides on the positions that count, for TensorFlow."""
        return np.array([self.begin, self.own_begin, self.own_end, self.length], np.float32)

    @property
    def _last(self) -> int:
        return self.length + self.origin - 1


def _size(image: tf.Tensor) -> tuple[Length, Length]:
    """Return (height, width): numbers where they are known when it is traced."""
    known, present = image.shape, tf.shape(image)
    return known[0] or present[0], known[1] or present[1]


def _centres(maps: _Maps, axis: int) -> tf.Tensor:
    """Return where the positions of a map lie, in pixels of the image: its middle is theirs."""
    count, length = maps.shape[axis], maps.image[axis]
    first = tf.cast(length - (count - 1) * maps.stride - 1, tf.float32) / 2
    return first + float(maps.stride) * tf.range(count, dtype=tf.float32)


def _counted(maps: _Maps, spans: tuple[Span, Span]) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which positions of an image, or of a half of one, count.

    Args:
        maps: The map.
        spans: Rows and columns that count: all but the border crop where an end is None.

    Returns:
        The mask (height, width, 1) and the number of positions of the half, or image.
    """
    border = tf.where(tf.minimum(*maps.shape) > 2 * BORDER, BORDER, 0)
    masks = []
    for axis, (begin, end) in enumerate(spans):
        count, centres = maps.shape[axis], _centres(maps, axis)
        number = tf.range(count)
        after = number >= border if begin is None else centres >= float(begin)
        before = number < count - border if end is None else centres < float(end)
        masks.append(tf.cast(after & before, tf.float32))
    positions = tf.cast(maps.shape[0] * maps.shape[1], tf.float32)
    return masks[0][:, None, None] * masks[1][:, None], positions


def _counted_in_tile(
    maps: _Maps, rows: tf.Tensor, columns: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which positions of a tile count, and the number of positions of the whole picture.

    Args:
        maps: The tile's map.
        rows: ``_Stretch.numbers`` of the tile's rows.
        columns: The same of its columns.
    """
    totals = [tf.math.ceil(numbers[3] / maps.stride) for numbers in (rows, columns)]
    border = tf.where(tf.minimum(*totals) > 2 * BORDER, float(BORDER), 0.0)
    masks = []
    for axis, (numbers, total) in enumerate(zip((rows, columns), totals, strict=True)):
        begin = tf.maximum(numbers[1], border * maps.stride)
        end = tf.minimum(numbers[2], (total - border) * maps.stride)
        centres = numbers[0] + _centres(maps, axis)
        masks.append(tf.cast((centres >= begin) & (centres < end), tf.float32))
    return masks[0][:, None, None] * masks[1][:, None], totals[0] * totals[1]


def _slice(tensor: tf.Tensor, axis: int, begin: int, end: int) -> tf.Tensor:
    return tensor[(slice(None),) * axis + (slice(begin, end),)]
