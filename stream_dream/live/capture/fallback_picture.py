"""Substitute for a camera that sends nothing: its last frame, drifting."""

from __future__ import annotations

import math

import cv2
import numpy as np

from stream_dream.frame import Image8

_FIRST_SIZE = (640, 360)
# A slow figure of eight that grows from zero: nothing jumps when it starts.
_SECONDS = 47.0
_GROWS_IN = 12.0
_ZOOM, _REACH, _TILT = 0.06, 0.02, 1.5
# Back in as long as the camera was away, so that a hiccup leaves no ghost, and in this at the most.
_LONGEST_FADE = 1.5


class FallbackPicture:
    """Replaces the frames of a lost camera, and fades back to it when it returns."""

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        """Start with soft noise, used until the first frame.

        Args:
            size: Its (width, height); 640x360 by default.
        """
        noise = np.random.default_rng(0).random((6, 10, 3), dtype=np.float32)
        cloud = cv2.resize(noise, size or _FIRST_SIZE, interpolation=cv2.INTER_CUBIC)
        self._still = np.clip(60 + 110 * cloud, 0, 255).astype(np.uint8)
        self._shown = self._still
        self._lost_at: float | None = None
        self._found_at: float | None = None

    def fresh(self, image: Image8, now: float) -> Image8:
        """Return the image to dream for a camera frame, uint8 RGB of its size.

        After a loss it fades over from the drifting image.
        """
        self._shown = image
        if self._lost_at is None:
            return image
        if self._found_at is None:
            self._found_at = now
        fade = min(self._found_at - self._lost_at, _LONGEST_FADE)
        if now - self._found_at >= fade:
            self._lost_at = self._found_at = None
            return image
        share, size = (now - self._found_at) / fade, (image.shape[1], image.shape[0])
        before = cv2.resize(self._drifted(now), size, interpolation=cv2.INTER_AREA)
        self._shown = np.asarray(cv2.addWeighted(image, share, before, 1 - share, 0), np.uint8)
        return self._shown

    def missing(self, now: float) -> Image8:
        """Return the image to dream while there is no camera frame, uint8 RGB."""
        if self._lost_at is None or self._found_at is not None:
            # From what is shown now, in the middle of a fade as well: nothing jumps.
            self._still = self._shown
            self._lost_at, self._found_at = now, None
        return self._drifted(now)

    def _drifted(self, now: float) -> Image8:
        assert self._lost_at is not None
        passed = now - self._lost_at
        grown = 1 - math.exp(-passed / _GROWS_IN)
        angle = 2 * math.pi * passed / _SECONDS
        height, width = self._still.shape[:2]
        zoom = 1 + grown * _ZOOM * (1.5 - 0.5 * math.cos(angle))
        matrix = cv2.getRotationMatrix2D(
            (width / 2, height / 2), grown * _TILT * math.sin(angle), zoom
        )
        matrix[0, 2] += grown * _REACH * width * math.sin(angle)
        matrix[1, 2] += grown * _REACH * height * math.sin(2 * angle)
        drifted = cv2.warpAffine(
            self._still, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
        )
        return np.asarray(drifted, np.uint8)
