"""Tiles and halves of a picture, and the positions of a layer's map that count in each."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.objective import BORDER

# A number of pixels or positions: an int if known while tracing, else a tensor.
Length: TypeAlias = "int | tf.Tensor"
# Begin and end of the positions that count, in pixels; None for the picture's border.
Bounds = tuple[int | None, int | None]

EVERYTHING: tuple[Bounds, Bounds] = ((None, None), (None, None))


class Maps(NamedTuple):
    """A layer's map.

    Attributes:
        shape: Its (height, width).
        image: (height, width) of the image that it is a map of, in pixels.
        stride: Pixels per position.
        lost: Positions that a side loses because the network does not pad.
    """

    shape: tuple[Length, Length]
    image: tuple[Length, Length]
    stride: int
    lost: int


class Stretch(NamedTuple):
    """The extent of a tile along one axis, in pixels from ``origin``.

    Attributes:
        begin: First pixel of the tile.
        own_begin: First pixel that counts in this tile and no other.
        own_end: End of the pixels that count.
        length: End of the picture.
        origin: Start of the network's lattice, in pixels of the picture; 0 or less.
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
        """Indices of the picture's pixels under the tile, edges repeated beyond the picture."""
        return np.clip(np.arange(self.side) + self.begin + self.origin, 0, self._last)

    @property
    def pixels(self) -> slice:
        """The range of the picture under the tile; empty if the tile lies before the picture."""
        begin = self.begin + self.origin
        first = max(0, begin)
        return slice(first, max(first, min(self._last + 1, begin + self.side)))

    @property
    def inside(self) -> slice:
        """``pixels``, counted from the tile's first pixel."""
        begin = self.begin + self.origin
        return slice(self.pixels.start - begin, self.pixels.stop - begin)

    @property
    def numbers(self) -> NDArray[np.float32]:
        """The numbers that ``counted_in_tile`` needs, float32 (4,)."""
        return np.array([self.begin, self.own_begin, self.own_end, self.length], np.float32)

    @property
    def _last(self) -> int:
        return self.length + self.origin - 1


def part_axis(length: int, side: int, first: int, *, origin: int, overlap: int) -> list[Stretch]:
    """Divide an axis into tiles such that each position of a map counts in one of them.

    Args:
        length: End of the picture, in pixels from ``origin``.
        side: Length of a tile; a multiple of the stride, as ``first`` and ``overlap`` are.
        first: End of the pixels that count in the first tile.
        origin: Start of the network's lattice, in pixels of the picture; 0 or less.
        overlap: How far tiles extend into their neighbours.
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
    """Return (height, width) of a batch, as ints if known while tracing."""
    known, present = images.shape, tf.shape(images)
    return known[1] or present[1], known[2] or present[2]


def _centres(maps: Maps, axis: int) -> tf.Tensor:
    """Return the centres of a map's positions in pixels: the map is centred on the image."""
    count, length = maps.shape[axis], maps.image[axis]
    first = tf.cast(length - (count - 1) * maps.stride - 1, tf.float32) / 2
    return first + float(maps.stride) * tf.range(count, dtype=tf.float32)


def counted(
    maps: Maps, spans: tuple[Bounds, Bounds], whole: tuple[int, int] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the positions that count in an image or in a half of one.

    Args:
        maps: The map.
        spans: Rows and columns that count; an end of None means all but the border crop.
        whole: (height, width) of the whole image in pixels, for a half.

    Returns:
        The mask, float32 (height, width, 1), and the whole image's number of positions.
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
    """Return the mask of a tile, as ``counted`` does, and the positions of the whole picture.

    ``rows`` and ``columns`` are the tile's ``Stretch.numbers``.
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
