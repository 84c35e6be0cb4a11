"""Parts of a picture: which positions of a layer's map count in which part."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.objective import BORDER

# A number of pixels or positions: known when it is traced, or not before it is run.
Length: TypeAlias = "int | tf.Tensor"
# Where the positions that count begin and end, in pixels; None: at the picture's border.
Bounds = tuple[int | None, int | None]

EVERYTHING: tuple[Bounds, Bounds] = ((None, None), (None, None))


class Maps(NamedTuple):
    """A layer's map.

    Attributes:
        shape: Its (height, width).
        image: (height, width) of the image that it is a map of, in pixels.
        stride: Pixels per position.
        lost: By how many positions a side is shorter than its pixels by the stride: networks that
            do not pad lose some at the borders.
    """

    shape: tuple[Length, Length]
    image: tuple[Length, Length]
    stride: int
    lost: int


class Stretch(NamedTuple):
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
        """What of the picture is under the tile; nothing where the tile lies before it."""
        begin = self.begin + self.origin
        first = max(0, begin)
        return slice(first, max(first, min(self._last + 1, begin + self.side)))

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


def part_axis(length: int, side: int, first: int, *, origin: int, overlap: int) -> list[Stretch]:
    """Part an axis into tiles: each position of a map counts in one of them.

    Args:
        length: Where the picture ends, in pixels from ``origin``.
        side: Length of a tile; a multiple of the stride like all that follows.
        first: Where the first tile's own part ends.
        origin: Where the network's lattice begins, in pixels of the picture; 0 or less.
        overlap: How far tiles reach into their neighbours.
    """
    if side >= length:
        return [Stretch(0, 0, side, length, origin, side)]
    core = max(side - 2 * overlap, first)
    stretches, own, end = [], 0, first
    while own < length:
        begin = max(0, own - overlap)
        stretches.append(Stretch(begin, own, end, length, origin, side))
        own, end = end, end + core
    return stretches


def size_of(images: tf.Tensor) -> tuple[Length, Length]:
    """Return (height, width) of a batch: numbers where they are known when it is traced."""
    known, present = images.shape, tf.shape(images)
    return known[1] or present[1], known[2] or present[2]


def _centres(maps: Maps, axis: int) -> tf.Tensor:
    """Return where the positions of a map lie, in pixels of the image: its middle is theirs."""
    count, length = maps.shape[axis], maps.image[axis]
    first = tf.cast(length - (count - 1) * maps.stride - 1, tf.float32) / 2
    return first + float(maps.stride) * tf.range(count, dtype=tf.float32)


def counted(
    maps: Maps, spans: tuple[Bounds, Bounds], whole: tuple[int, int] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which positions of an image, or of a half of one, count.

    Args:
        maps: The map.
        spans: Rows and columns that count: all but the border crop where an end is None.
        whole: (height, width) of the image that it is a half of, in pixels.

    Returns:
        The mask (height, width, 1) and the number of positions of the whole image.
    """
    border = tf.where(tf.minimum(*maps.shape) > 2 * BORDER, BORDER, 0)
    masks = []
    for axis, (begin, end) in enumerate(spans):
        count, centres = maps.shape[axis], _centres(maps, axis)
        number = tf.range(count)
        after = number >= border if begin is None else centres >= float(begin)
        before = number < count - border if end is None else centres < float(end)
        masks.append(tf.cast(after & before, tf.float32))
    rows, columns = (
        maps.shape if whole is None else (-(-side // maps.stride) - maps.lost for side in whole)
    )
    positions = tf.cast(rows * columns, tf.float32)
    return masks[0][:, None, None] * masks[1][:, None], positions


def counted_in_tile(maps: Maps, rows: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return which positions of a tile count, and the number of positions of the whole picture.

    Args:
        maps: The tile's map.
        rows: ``Stretch.numbers`` of the tile's rows.
        columns: The same of its columns.
    """
    lost = float(maps.lost)
    totals = [tf.math.ceil(numbers[3] / maps.stride) - lost for numbers in (rows, columns)]
    border = tf.where(tf.minimum(*totals) > 2 * BORDER, float(BORDER), 0.0)
    masks = []
    for axis, (numbers, total) in enumerate(zip((rows, columns), totals, strict=True)):
        begin = tf.maximum(numbers[1], (lost / 2 + border) * maps.stride)
        end = tf.minimum(numbers[2], (lost / 2 + total - border) * maps.stride)
        centres = numbers[0] + _centres(maps, axis)
        masks.append(tf.cast((centres >= begin) & (centres < end), tf.float32))
    return masks[0][:, None, None] * masks[1][:, None], totals[0] * totals[1]
