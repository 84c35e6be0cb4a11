"""Fits a dream into the tones of its source (NumPy and OpenCV only).

A residual stays within the headroom of its source, and large areas keep their brightness and
colour: a grey road stays grey, a bright sky stays bright.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from stream_dream.frame import ImageF
from stream_dream.image import fit_size

# A dream ends three levels before black and white, after at most this share of the way there.
_SHARE = np.float32(0.9)
_MARGIN = np.float32(3 / 255)
# How far black may brighten and white darken, and how fast this grows towards the other end: blacks
# stay black and skies bright.
_LEAST, _SLOPE = np.float32(0.2), np.float32(2.0)
# One level: without any headroom a residual could not be carried on to where there is some.
_SMALLEST = np.float32(1 / 255)
# Rows that are processed at a time.
_BAND = 64
_TINY = np.float32(1e-6)
# Cells along the longer side whose mean colour a dream must not change.
_AREAS = 12


class Headroom(NamedTuple):
    """How far each value of a picture may be changed.

    Attributes:
        down: The largest change towards black, float32 (height, width, 3), above 0.
        up: The largest change towards white, same shape, above 0.
    """

    down: ImageF
    up: ImageF


def room_of(source: ImageF, limit: float | None, *, grey: bool = False) -> Headroom | None:
    """Return the headroom of a picture; None without a limit.

    Args:
        source: float32 (height, width, 3) in [0, 1].
        limit: The largest change in the middle of the range, above 0; None for no limit.
        grey: True for equal headroom in the channels of a pixel: equal changes keep its colour.
    """
    if limit is None:
        return None
    rest = 1 - source
    up = np.minimum(_SHARE * (rest - _MARGIN), _LEAST + _SLOPE * source)
    down = np.minimum(_SHARE * (source - _MARGIN), _LEAST + _SLOPE * rest)
    if grey:
        down, up = (
            np.broadcast_to(room.min(axis=-1, keepdims=True), room.shape) for room in (down, up)
        )
    return Headroom(*(np.clip(room, _SMALLEST, np.float32(limit)) for room in (down, up)))


def room_between(
    before: Headroom | None, after: Headroom | None, share: float, source: ImageF
) -> Headroom | None:
    """Interpolate between two headrooms.

    Args:
        before: Headroom at share 0; None for no limit.
        after: Headroom at share 1; None for no limit.
        share: Share of the way, 0..1.
        source: The picture, float32 (height, width, 3) in [0, 1].
    """
    if before is None and after is None:
        return None
    whole = Headroom(source, 1 - source)
    pairs = zip(before or whole, after or whole, strict=True)
    mixed = (now * np.float32(1 - share) + then * np.float32(share) for now, then in pairs)
    return Headroom(*(np.maximum(room, _SMALLEST) for room in mixed))


def add_within(residual: ImageF, change: ImageF, room: Headroom) -> ImageF:
    """Add a change to a residual, slowing down towards the limit.

    ``(residual + change) / (1 + residual * change / room^2)``, the relativistic sum of velocities
    (Einstein, 1905): small changes simply add up, a residual near the limit hardly grows, and its
    way back is as short as ever. A change of 0 loses nothing.

    Args:
        residual: Dream minus source, float32 (height, width, 3), modified in place.
        change: Change by an ascent, same shape.
        room: The limits.

    Returns:
        The residual, within the room.
    """
    # Band by band and in place: a sixth of the time (measured).
    spare = [np.empty_like(residual[:_BAND]) for _ in range(3)]
    for top in range(0, len(residual), _BAND):
        rows = slice(top, top + _BAND)
        band, down, up = residual[rows], room.down[rows], room.up[rows]
        limit, lowest, step = (array[: len(band)] for array in spare)
        # The limit is that of the side on which the sum lies: a residual of 0 is on neither.
        upward = np.add(band, change[rows], out=step) > 0
        np.multiply(up, upward, out=limit)
        limit += np.multiply(down, ~upward, out=lowest)
        np.negative(limit, out=lowest)
        np.minimum(np.maximum(band, lowest, out=band), limit, out=band)
        np.minimum(np.maximum(change[rows], lowest, out=step), limit, out=step)
        slowed = np.multiply(limit, limit, out=limit)
        np.divide(np.multiply(band, step, out=lowest), slowed, out=slowed)
        slowed += 1
        band += step
        # Zero only where one limit meets the opposite one, and the sum is zero as well.
        band /= np.maximum(slowed, _TINY, out=slowed)
        np.maximum(band, np.negative(down, out=lowest), out=band)
        np.minimum(band, up, out=band)
    return residual


def without_large_areas(change: ImageF) -> ImageF:
    """Return a change without its effect on the mean colours of large areas.

    The change, float32 (height, width, 3), is modified in place.
    """
    height, width = change.shape[:2]
    cells = fit_size((width, height), _AREAS)
    means = cv2.resize(change, cells, interpolation=cv2.INTER_AREA).reshape(*cells[::-1], 3)
    areas = cv2.resize(means, (width, height))
    # Interpolation between cells leaves a remainder that would add up over hundreds of frames.
    means += np.subtract(cv2.mean(change), cv2.mean(areas))[:3].astype(np.float32)
    cv2.resize(means, (width, height), dst=areas)
    cv2.subtract(change, areas, dst=change)
    return change
