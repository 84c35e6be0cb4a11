"""Where the dream of a show shows: a mask from a file, from movement, from brightness."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import SourceError
from stream_dream.frame import Image8, ImageF, Mask8
from stream_dream.live.capture.camera import Camera
from stream_dream.live.capture.sources import FileFeed
from stream_dream.media.read.mask import mask_levels
from stream_dream.media.read.picture import is_picture, over, read_picture
from stream_dream.settings.live import Only
from stream_dream.temporal.flow import Motion
from stream_dream.temporal.warp import warp

# Speeds, in widths of the picture per second, between which a point begins to count as moving:
# noise and compression make walls move at up to 0.015.
_SLOW, _FAST = 0.03, 0.1
# Brightness, 0..1, between which a point begins to count as bright, and stops to count as dark.
_BRIGHT, _DARK = (0.45, 0.65), (0.3, 0.5)
# Softness in space, as a share of the width, and in time: seconds to come and to go.
_BLUR = 0.03
_RISE, _FALL = 0.3, 1.5
_SHORTEST, _LONGEST = 1 / 240, 0.5
# exp(-_MOSTLY) = 0.1: what is left of a change after those seconds.
_MOSTLY = math.log(10)
_ALL = 0.995


class LiveMask:
    """Makes the mask of each frame, in order; both masks are multiplied."""

    def __init__(self, path: Path | None, softness: float, only: Callable[[], Only]) -> None:
        """Open the mask's file, if there is one.

        Args:
            path: A picture, or a clip that is repeated; its brightness is the mask.
            softness: Width of its soft edges, in pixels of the frame; see ``mask_levels``.
            only: Returns what is to be dreamed, for each frame; ``all`` for everything.

        Raises:
            SourceError: The file cannot be read; the message names ``--mask``.
        """
        self._softness, self._only = softness, only
        self._picture: Image8 | None = None
        self._clip: Camera | None = None
        self._number = 0
        self._levels: Mask8 | None = None
        self._share: ImageF | None = None
        self._time: float | None = None
        if path is None:
            return
        try:
            if is_picture(path):
                picture = read_picture(path)
                alpha = picture.alpha
                image = picture.image
                self._picture = image if alpha is None else over(image, alpha, (0, 0, 0))
                return
            FileFeed(path, loop=True).close()
        except SourceError as error:
            raise SourceError(f"--mask: {error}") from error
        # A thread reads the clip at its own rate; the frames of the show take its newest picture.
        self._clip = Camera(lambda: FileFeed(path, loop=True), name="mask")

    def close(self) -> None:
        """Close the file."""
        if self._clip is not None:
            self._clip.close()

    def __call__(
        self, size: tuple[int, int], small: Image8, motion: Motion | None, time: float
    ) -> Mask8 | None:
        """Return the mask of the next frame; None if all of it is dreamed.

        Args:
            size: (width, height) of the frame.
            small: The frame, uint8 RGB, as small as its motion.
            motion: Motion since the last frame; None after a cut.
            time: When it was captured, in seconds.

        Returns:
            uint8 (height, width) of ``size``: 255 shows the dream, 0 the source.
        """
        levels, share = self._of_file(size), self._of_source(small, motion, time)
        if share is None:
            return levels
        shown = cv2.resize(cv2.convertScaleAbs(share, alpha=255), size)
        if levels is not None:
            shown = cv2.multiply(shown, levels, scale=1 / 255)
        return np.asarray(shown, np.uint8)

    def _of_file(self, size: tuple[int, int]) -> Mask8 | None:
        newest = None
        if self._clip is not None and (frame := self._clip.wait(self._number, 0)) is not None:
            self._number, newest = frame.index, frame.image
        if newest is not None:
            self._picture, self._levels = newest, None
        if self._picture is None:
            return None
        if self._levels is None or self._levels.shape != size[::-1]:
            self._levels = mask_levels(self._picture, size, self._softness)
        return self._levels

    def _of_source(self, small: Image8, motion: Motion | None, time: float) -> ImageF | None:
        """Return the share of the dream at each point, of the size of ``small``."""
        seconds = _LONGEST if self._time is None else time - self._time
        seconds, self._time = min(max(seconds, _SHORTEST), _LONGEST), time
        share, only = self._share, self._only()
        if only == "all" and share is None:
            return None
        if share is None or share.shape != small.shape[:2]:
            share = np.ones(small.shape[:2], np.float32)
        elif motion is not None:
            share = warp(share, motion.flow)
        wanted = np.ones_like(share) if only == "all" else _wanted(only, small, motion, seconds)
        change = wanted - share
        rise, fall = (1 - math.exp(-_MOSTLY * seconds / span) for span in (_RISE, _FALL))
        share = share + change * np.where(change > 0, np.float32(rise), np.float32(fall))
        done = only == "all" and float(share.min()) > _ALL
        self._share = None if done else share
        return self._share


def _wanted(only: Only, small: Image8, motion: Motion | None, seconds: float) -> ImageF:
    """Return how much of each point is moving, still, bright or dark, 0..1, softly."""
    width = small.shape[1]
    if only in ("moving", "still"):
        speed = np.zeros(small.shape[:2], np.float32)
        if motion is not None:
            moved = cv2.magnitude(*cv2.split(motion.flow))
            speed = np.asarray(moved, np.float32) / np.float32(width * seconds)
        share = _smoothstep(_blurred(speed, width), _SLOW, _FAST)
    else:
        luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / np.float32(255)
        share = _smoothstep(luma, *(_BRIGHT if only == "bright" else _DARK))
    return _blurred(share if only in ("moving", "bright") else 1 - share, width)


def _blurred(values: NDArray[np.float32], width: int) -> ImageF:
    blurred = cv2.GaussianBlur(values, (0, 0), _BLUR * width / 2)
    return np.asarray(blurred, np.float32)


def _smoothstep(values: NDArray[np.float32], low: float, high: float) -> ImageF:
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)
