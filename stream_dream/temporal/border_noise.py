"""Noise for what comes in at the edges of a journey's picture, for the dream to grow on."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.camera_move import CameraMove, Matrix
from stream_dream.frame import ImageF
from stream_dream.image import pixel_grid, to_float
from stream_dream.temporal.start_noise import start_noise

# Blur that parts detail from the rest, standard deviation in pixels of a picture of 480.
_DETAIL = 12 / 480
# Where the noise is seen more aslant than this, it begins afresh.
_SLANT = 0.5
# Share of the noise's own clouds, the rest is mirrored: a picture that recedes grows streaks and a
# dark rim without them, and a visible frame where they are 0.3 (looked at).
_CLOUDS = np.float32(0.15)
# OpenCV takes no more than 32,766 rows: points come in rows of so many.
_ROW = 1024


class BorderNoise:
    """Noise that lies still in the world that a camera moves through.

    A mirrored edge alone shows the same few pixels again and again where a picture recedes or
    passes by: it grows streaks. So what comes in is mirrored only roughly: its detail is noise, and
    its colours drift towards those of the noise. The noise moves with the picture, so that what
    comes in joins what came in before.

    Attributes:
        way: The homography from pixels of the picture to those of the noise.
    """

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        """Make the noise for pictures of a (width, height); ``seed`` starts the random numbers."""
        noise = to_float(start_noise(size, seed))
        self._blur = max(1.0, _DETAIL * max(size))
        clouds = self._blurred(noise)
        self._detail = noise - clouds
        self._clouds = clouds - clouds.mean((0, 1))
        self.way: Matrix = np.eye(3)

    def move(self, move: CameraMove) -> None:
        """Move the camera to the next frame."""
        size = self._detail.shape[1], self._detail.shape[0]
        way = self.way @ move.matrix(size)
        way /= way[2, 2]
        if abs(way[2, :2]).max() * max(size) > _SLANT:
            way = np.eye(3)
        # From far or near the noise looks the same.
        way[:2] *= np.float64(2) ** -math.floor(math.log2(_scale(way)))
        # Mirrored, it repeats itself, also at half its size: near its origin numbers stay exact.
        period = 4 * np.maximum(1, np.array(size) - 1)
        way[:2] -= (period * (way[:2, 2] // period))[:, None] * way[2]
        self.way = way

    def fill(self, picture: ImageF, new: NDArray[np.bool_]) -> None:
        """Fill what has come in.

        Args:
            picture: float32 (height, width, 3), mirrored at its edges, modified in place.
            new: What has come in, bool (height, width).
        """
        if not new.any():
            return
        clouds, detail = self._at(pixel_grid(picture.shape[:2])[new])
        clouds += picture.mean((0, 1))
        mirrored = self._blurred(picture)[new]
        picture[new] = np.clip(mirrored + _CLOUDS * (clouds - mirrored) + detail, 0, 1)

    def _at(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return clouds and detail at points of the picture, float32 (2, points, 3).

        The noise is seen at half its size to all of it, and twice as large beside that. How much
        each of the two counts depends on the scale: detail gets no finer or coarser, and never
        jumps.
        """
        share = math.log2(_scale(self.way))
        found = np.zeros((2, len(points), 3), np.float32)
        last = np.maximum(1, np.array(self._detail.shape[1::-1], np.float32) - 1)
        for size, weight in ((1.0, 1 - share), (0.5, share)):
            way = np.diag([size, size, 1.0]) @ self.way
            places = cv2.perspectiveTransform(points[:, None], way)[:, 0]
            # Mirrored again and again: the noise has no end.
            places = last - np.abs(places % (2 * last) - last)
            for layer, noise in zip(found, (self._clouds, self._detail), strict=True):
                layer += np.float32(weight / math.hypot(share, 1 - share)) * _sampled(noise, places)
        return found

    def _blurred(self, image: ImageF) -> ImageF:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), self._blur), np.float32)


def _scale(way: Matrix) -> float:
    """Return how many of the noise's pixels a pixel of the picture is wide."""
    return math.sqrt(abs(np.linalg.det(way[:2, :2])))


def _sampled(image: ImageF, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image's values at places, float32 (points, 2) in pixels."""
    rows = -(-len(places) // _ROW)
    padded = np.resize(places, (rows, _ROW, 2))
    x, y = cv2.split(padded)
    found = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(-1, 3)[: len(places)], np.float32)
