"""Which points of a frame the previous one shows, too: the occlusion check."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow, Image8
from stream_dream.image import pixel_grid
from stream_dream.temporal.warp import warp

# Sundaram, Brox and Keutzer (2010), as used by Ruder et al. (2016); see ``visibility``.
_CONSISTENCY_SLOPE = 0.01
_CONSISTENCY_OFFSET = 0.5

# Differences of grey levels, 0..255: below the first is noise, above the second another surface.
_ALIKE, _UNLIKE = 8.0, 26.0


def visibility(forward: Flow, backward: Flow, *, pixel: float = 1.0) -> NDArray[np.float32]:
    """Compute which points of the current frame are visible in the previous one.

    A point is visible if it lies within the previous frame and the flow there and back satisfies
    ``|f(p) + b(p + f(p))|^2 < 0.01 (|f(p)|^2 + |b(p + f(p))|^2) + 0.5``.

    Args:
        forward: ``f``, from the current frame to the previous one, (height, width, 2), pixels.
        backward: ``b``, from the previous frame to the current one, same shape.
        pixel: Unit of the tolerance 0.5, in pixels: 0.5 for flows at half the picture's size.

    Returns:
        float32 (height, width) of ones and zeros.

    Source:
        Ruder, Dosovitskiy and Brox: Artistic style transfer for videos (2016), equation 6.
    """
    returned = warp(backward, forward)
    error = _squared_length(forward + returned)
    length = _squared_length(forward) + _squared_length(returned)
    consistent = error < _CONSISTENCY_SLOPE * length + _CONSISTENCY_OFFSET * pixel**2
    return np.asarray(consistent & in_frame(forward), np.float32)


def likeness(now: Image8, before: Image8, flow: Flow) -> NDArray[np.float32]:
    """Compute how similar each point is to the point that the flow leads to.

    Takes the current and the previous frame in uint8 grey, (height, width), and the flow between
    them; returns float32 (height, width): 1 for the same grey level up to noise, 0 for another
    surface.
    """
    difference = np.abs(warp(before.astype(np.float32), flow) - now)
    difference = np.asarray(cv2.GaussianBlur(difference, (0, 0), 1.5), np.float32)
    alike = (_UNLIKE - difference) / np.float32(_UNLIKE - _ALIKE)
    return np.asarray(np.clip(alike, 0, 1), np.float32)


def in_frame(flow: Flow) -> NDArray[np.bool_]:
    """Return a mask of the points ``p + flow(p)`` within the picture, bool (height, width)."""
    height, width = flow.shape[:2]
    x, y = cv2.split(pixel_grid((height, width)) + flow)
    # Half a pixel of tolerance: the edge pixels of a static shot must not flicker.
    inside = (x > -0.5) & (y > -0.5) & (x < width - 0.5) & (y < height - 0.5)
    return np.asarray(inside, np.bool_)


def _squared_length(vectors: Flow) -> NDArray[np.float32]:
    # Split first: NumPy takes six times as long to sum over a last axis of two (measured).
    x, y = cv2.split(vectors)
    return np.asarray(x * x + y * y, np.float32)
