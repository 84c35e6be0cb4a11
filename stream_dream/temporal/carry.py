"""Carry: move the residual along with the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import ImageF
from stream_dream.image import resize_float
from stream_dream.temporal.flow import Motion
from stream_dream.temporal.warp import Warp

# Weights of points that the previous frame does not show. They keep most of the dream that the flow
# points to: without it a bare trail would follow all that moves. If the points look different, the
# dream belongs to another object, and most of it is dropped.
_HIDDEN_WEIGHT = np.float32(0.7)
_UNLIKE_WEIGHT = np.float32(0.2)


class Carry:
    """Moves a residual along with its frame: ``persistence * weight * warp(residual)``."""

    def __init__(self, motion: Motion, persistence: float) -> None:
        """Prepare the warp and the weights along a motion."""
        hidden = _UNLIKE_WEIGHT + (_HIDDEN_WEIGHT - _UNLIKE_WEIGHT) * motion.alike
        weight = hidden + (1 - hidden) * motion.visible
        # OpenCV multiplies three channels by three equal ones faster than NumPy does by one.
        self._weight = cv2.merge([weight] * 3)
        self._persistence = persistence
        self._visible = motion.visible
        self._warp = Warp(motion.flow)

    def __call__(self, residual: ImageF, *, once: bool = False) -> ImageF:
        """Return the carried residual of the previous frame.

        Args:
            residual: float32 (height, width, 3); resized if the dream size has changed since.
            once: True for a change, which is not carried often: interpolated in a third of the time
                and without ``persistence``.
        """
        residual = resize_float(residual, self._weight.shape[:2], antialias=True)
        # Cubic: bilinear blurs a little each frame, and after fifty frames fur is fog.
        interpolation = cv2.INTER_LINEAR if once else cv2.INTER_CUBIC
        moved = self._warp(residual, interpolation=interpolation)
        return np.asarray(
            cv2.multiply(moved, self._weight, scale=1.0 if once else self._persistence), np.float32
        )

    def warp_visible(self, map_: NDArray[np.float32]) -> NDArray[np.float32]:
        """Warp a map, (height, width), to this frame; 0 where something comes into view."""
        map_ = resize_float(map_, self._weight.shape[:2], antialias=True)
        return np.asarray(cv2.multiply(self._warp(map_), self._visible), np.float32)
