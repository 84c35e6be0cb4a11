"""Lead a journey back to its first picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.functions import smoothstep
from stream_dream.camera_move import CameraMove, Matrix
from stream_dream.frame import ImageF
from stream_dream.image import pixel_grid
from stream_dream.temporal.journey_picture import JourneyPicture

# Seconds before the end at which the first picture comes into sight, at most half of the journey;
# and how many seconds before that depths begin to level out: flat pictures move alike.
_SECONDS, _LEVELLING = 5.0, 2.0
# Width of the edge in which the first picture fades into the journey, as a share of its sides. It
# lies within the picture where that comes into sight, and around it, mirrored, in the end.
_EDGE = np.float32(0.2)
# Share of the first picture that joins the journey in a frame, where it is in sight: most of it is
# there within half a second, and what is dreamed on it meanwhile lives as long.
_HOLD = 0.12
# The first picture is seen at most this much smaller than the copy that is looked at.
_SMALLER = 0.6
# Seen smaller than this it is a point; seen larger, a colour or two.
_LEAST, _MOST = 1e-3, 8.0


class JourneyClosing:
    """Leads a journey of ``frames`` frames back to its first picture, which follows the last one.

    The camera's motion is known, and with it where the first picture lies in each of the last
    frames: far off in the middle, if the camera comes nearer. There it is mixed into the journey,
    by a share that grows to all of it in the last frame, and dreamed on. Both move alike: nothing
    slides.

    Attributes:
        start: The first picture, float32 (height, width, 3) in [0, 1].
    """

    def __init__(
        self, start: ImageF, cameras: Callable[[int], CameraMove], frames: int, fps: float
    ) -> None:
        """Create the closing of a journey.

        Args:
            start: The first picture, dreamed, float32 (height, width, 3) in [0, 1].
            cameras: Returns how the camera moves from the frame before to a frame, by its index;
                what it returns for the first one leads from the last one to it.
            frames: Number of frames.
            fps: Frames per second.
        """
        self.start = start
        self._cameras, self._frames = cameras, frames
        self._length = min(frames // 2, round(_SECONDS * fps))
        self._levelling = max(1.0, min(_LEVELLING * fps, (frames - self._length) / 2))
        self._to_start: dict[int, Matrix] = {}
        self._copies = [start]

    def move(self, index: int) -> CameraMove:
        """Return how the camera moves to a frame: flat, where the journey is led back."""
        move = self._cameras(index % self._frames)
        # After the first picture depths begin as slowly as they have ended before it.
        apart = min(index, self._frames - self._length - index) / self._levelling
        return move._replace(depth=move.depth * float(smoothstep(np.clip(apart, 0, 1))))

    def lead_back(self, picture: JourneyPicture, index: int) -> None:
        """Mix the first picture into that of a frame, where it has come into sight."""
        left = self._frames - index
        if left > self._length:
            return
        size = self.start.shape[1::-1]
        way = self._way_to_start(index, size)
        near = _magnification(way, size)
        if not _LEAST < near < _MOST:
            return
        seen = self._seen(way, near, size)
        if near > 1:
            # It is too near to be sharp: only what is as coarse is mixed.
            seen += picture.picture - _as_coarse(picture.picture, near)
        opacity = _opacity(np.asarray(np.linalg.inv(way)), size, 1 - left / self._length)
        share = np.float32(max(_HOLD, 1 / left))
        picture.mix(seen, opacity[..., None] * share)

    def _seen(self, way: Matrix, near: float, size: tuple[int, int]) -> ImageF:
        """Return the first picture as a frame sees it, far off from a smaller copy."""
        level = 0
        while near < _SMALLER:
            near, level = 2 * near, level + 1
        while len(self._copies) <= level:
            self._copies.append(np.asarray(cv2.pyrDown(self._copies[-1]), np.float32))
        copy = self._copies[level]
        larger = np.diag([size[0] / copy.shape[1], size[1] / copy.shape[0], 1.0])
        larger[:2, 2] = (np.diag(larger)[:2] - 1) / 2
        border, flags = cv2.BORDER_REFLECT, cv2.INTER_CUBIC
        seen = cv2.warpPerspective(copy, way @ larger, size, flags=flags, borderMode=border)
        return np.asarray(np.clip(seen, 0, 1), np.float32)

    def _way_to_start(self, index: int, size: tuple[int, int]) -> Matrix:
        """Return the homography from pixels of the first picture to those of a frame."""
        if not self._to_start:
            # From the end: each frame's matrix leads from it to the frame before.
            way = np.eye(3)
            for number in range(self._frames, self._frames - self._length - 1, -1):
                self._to_start[number] = way
                # Where it comes to nothing, or is beyond all numbers, it is not looked for.
                with np.errstate(over="ignore", invalid="ignore"):
                    way = self.move(number).matrix(size) @ way
        return self._to_start[index]


def _magnification(way: Matrix, size: tuple[int, int]) -> float:
    """Return how large the middle of a picture is seen; 0 if it is behind the camera."""
    distance = float(way[2] @ ((size[0] - 1) / 2, (size[1] - 1) / 2, 1))
    found = math.sqrt(abs(np.linalg.det(way))) / distance**1.5 if distance > 0 else 0.0
    return found if math.isfinite(found) else 0.0


def _as_coarse(picture: ImageF, near: float) -> ImageF:
    """Return a picture without what is finer than one seen ``near`` times as large."""
    height, width = picture.shape[:2]
    small = max(1, round(width / near)), max(1, round(height / near))
    coarse = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def _opacity(way: Matrix, size: tuple[int, int], outside: float) -> NDArray[np.float32]:
    """Return the opacity of a picture in a frame, float32 (height, width).

    Args:
        way: The homography from pixels of the frame to those of the picture.
        size: (width, height) of both.
        outside: Share of the picture's edge that lies around it, 0..1: where 0, it fades to
            nothing at its sides, where 1, all of it is opaque.
    """
    grid = pixel_grid(size[::-1])
    places = cv2.perspectiveTransform(grid, way)
    # What is behind the camera is not seen.
    before = grid @ way[2, :2].astype(np.float32) + np.float32(way[2, 2]) > 0
    sides = np.array(size, np.float32)
    within = np.minimum(places + 0.5, sides - 0.5 - places) / sides
    inner = before * (within.min(axis=-1) / _EDGE + np.float32(outside))
    return np.asarray(smoothstep(np.clip(inner, 0, 1)), np.float32)
