"""How a dream sits in the tones of its source (NumPy and OpenCV only).

A residual never leaves the room that the source has above and below it, and large areas keep the
brightness and the colour that they had: a grey road stays grey, a bright sky stays bright.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import ImageF

# Share of the limit that is left where the source is black or white.
_LEAST_ROOM = 0.5
# A pixel's room is that of its neighbourhood, this share of the longer side: a thin bright line may
# become an eyelash.
_NEIGHBOURHOOD = 1 / 200
# How much a channel's own level counts beside the pixel's brightness: a golden lion stays golden.
_CHANNEL_SHARE = np.float32(0.4)
# Cells along the longer side whose mean colour a dream must not change.
_AREAS = 12


def room_for(source: ImageF, limit: float) -> ImageF:
    """Return the largest change that each value of a picture takes.

    ``limit * (least + (1 - least) * sqrt(4 y (1 - y)))``, where ``y`` is the level around the
    pixel, part brightness and part the channel's own.

    Args:
        source: float32 (height, width, 3) in [0, 1].
        limit: The largest change in the middle of the range, above 0.

    Returns:
        float32 (height, width, 3), above 0.
    """
    grey = cv2.cvtColor(cv2.transform(source, np.full((1, 3), 1 / 3, np.float32)), cv2.COLOR_GRAY2BGR)
    level = cv2.addWeighted(source, float(_CHANNEL_SHARE), grey, 1 - float(_CHANNEL_SHARE), 0)
    sigma = max(source.shape[:2]) * _NEIGHBOURHOOD
    level = cv2.GaussianBlur(level, (0, 0), max(sigma, 0.3))
    middle = np.sqrt(np.clip(4 * level * (1 - level), 0, 1))
    return np.asarray(limit * (_LEAST_ROOM + (1 - _LEAST_ROOM) * middle), np.float32)


def add_within(residual: ImageF, change: ImageF, room: ImageF) -> ImageF:
    """Return the residual after a change, which slows down on its way to the limit.

    ``(residual + change) / (1 + residual * change / room^2)``, the sum of two velocities below that
    of light (Einstein, 1905): small changes simply add up, what is near the limit hardly grows, and
    the way back is as short as ever. Nothing is lost when there is no change.

    Args:
        residual: Dream minus source, float32 (height, width, 3).
        change: What an ascent adds to it, same shape.
        room: The limit of each value; see ``room_for``.

    Returns:
        float32 (height, width, 3), never beyond the room.
    """
    change = np.clip(change, -room, room)
    residual = np.clip(residual, -room, room)
    slowed = 1 + residual * change / (room * room)
    # Zero only where one limit meets the other, whose sum is zero as well.
    return np.asarray((residual + change) / np.maximum(slowed, 1e-6), np.float32)


def without_large_areas(change: ImageF) -> ImageF:
    """Return a change that leaves the mean colour of all large areas as it was.

    Args:
        change: float32 (height, width, 3).
    """
    height, width = change.shape[:2]
    scale = _AREAS / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    means = cv2.resize(change, size, interpolation=cv2.INTER_AREA)
    areas = cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR)
    left: ImageF = cv2.subtract(change, areas).astype(np.float32, copy=False)
    # In between cells a little is left, and over hundreds of frames it would add up.
    left -= mean_colour(left)
    return left


def mean_colour(image: ImageF) -> NDArray[np.float32]:
    """Return the mean of each channel, float32 (3,)."""
    return np.array(cv2.mean(image)[:3], np.float32)
