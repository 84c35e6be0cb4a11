"""Balance: hold the contrast and the colours of a picture that is dreamed on for ever."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import ImageF
from stream_dream.image import fit_size

# Luma and two differences of colours.
_TO_LUMA = np.array([[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]], np.float32)
_FROM_LUMA = np.linalg.inv(_TO_LUMA).astype(np.float32)
# Root mean squares of an octave of a dream that is crisp, but not harsh: of luma, of colour. Those
# of the first picture count as far as they are near: within these factors.
_USUAL = np.array([0.05, 0.03], np.float32)
_NEAR = (0.7, 1.3)
# The smallest side of the coarsest octave, in pixels.
_COARSEST = 6
# Cells along the longer side within which contrasts are held, and how much the cell counts beside
# the whole picture: parts may be calm or busy.
_CELLS = 10
_LOCAL = np.float32(0.7)
# Share of the way to the wanted contrast in a frame, in the finest octaves, and to the wanted mean
# colour; within a second, nearly all of it. Cubic interpolation sharpens the finest octaves a
# little in each frame: more slowly, that adds up to an embossed picture (looked at).
_RATE, _FINE_RATE, _MEAN_RATE = 0.1, 0.3, 0.05
# The least and greatest factor of a contrast before it is raised to the rate; in the finest
# octaves only what grows is strengthened, which the greatest factor of growth limits: what is
# carried would become noise there.
_LEAST, _MOST = 0.5, 1.5
_FINEST, _MOST_GROWTH = 2, 3.0
# Within this distance of black and white, values slow down.
_SOFT = np.float32(0.08)
_TINY = np.float32(1e-8)


class Balance:
    """Holds each octave's contrast, and the mean colour, near those of a first picture.

    For every octave ``b`` of the picture, a band of its Laplacian pyramid in luma and colour,

        ``b = b * clip(wanted / contrast(b), 0.5, 1.5) ** rate``

    where the rate is 0.1 and ``contrast`` is the root mean square around a point. What comes nearer
    is dreamed on while its octaves become coarser: without a balance it grows until it burns, or
    fades where nothing grows. In the two finest octaves the contrast is only lowered, at a rate of
    0.3; what is added to them is strengthened instead.

    Attributes:
        wanted: Root mean squares, float32 (octaves, 2): luma and colour, fine to coarse.
        mean: Mean luma and differences of colours, float32 (3,).
    """

    def __init__(self, wanted: NDArray[np.float32], mean: NDArray[np.float32]) -> None:
        """Create a balance that holds these values."""
        self.wanted, self.mean = wanted, mean

    @classmethod
    def of(cls, picture: ImageF) -> Balance:
        """Return the balance of a picture, float32 (height, width, 3) in [0, 1]."""
        octaves = max(1, int(math.log2(max(2, min(picture.shape[:2]) / _COARSEST))))
        *bands, rest = _pyramid(cv2.transform(picture, _TO_LUMA), octaves)
        mean = rest.mean((0, 1))
        found = [np.sqrt(_energies(band, (1, 1))[0, 0]) for band in (*bands, rest - mean)]
        wanted = np.clip(np.stack(found), _NEAR[0] * _USUAL, _NEAR[1] * _USUAL)
        return cls(wanted.astype(np.float32), mean.astype(np.float32))

    def __call__(self, picture: ImageF, change: ImageF | None) -> ImageF:
        """Return a picture and what has grown on it, balanced.

        Args:
            picture: float32 (height, width, 3) in [0, 1].
            change: What is added, same shape; None for nothing.
        """
        *bands, rest = _pyramid(cv2.transform(picture, _TO_LUMA), len(self.wanted) - 1)
        finest = min(_FINEST, len(bands))
        grown: list[NDArray[np.float32]] = []
        if change is not None:
            grown = _pyramid(cv2.transform(change, _TO_LUMA), finest)
        for octave, band in enumerate(bands):
            size = band.shape[1::-1]
            missing = self._missing(octave, band)
            most, rate = (1.0, _FINE_RATE) if octave < finest else (_MOST, _RATE)
            kept = np.clip(missing, _LEAST, most) ** np.float32(rate)
            cv2.multiply(band, cv2.resize(kept, size), dst=band)
            if grown and octave < finest:
                gain = np.clip(missing, _LEAST, _MOST_GROWTH)
                cv2.multiply(grown[octave], cv2.resize(gain, size), dst=grown[octave])
        mean = rest.mean((0, 1))
        rest -= mean
        missing = self._missing(len(bands), rest).mean((0, 1))
        rest *= np.clip(missing, _LEAST, _MOST) ** np.float32(_RATE)
        rest += mean + (self.mean - mean) * np.float32(_MEAN_RATE)
        balanced = _picture_of([*bands, rest])
        if grown:
            cv2.add(balanced, _picture_of(grown), dst=balanced)
        return _softened(cv2.transform(balanced, _FROM_LUMA))

    def _missing(self, octave: int, band: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the wanted contrast over that around each cell, float32 (rows, columns, 3)."""
        height, width = band.shape[:2]
        cells = fit_size((width, height), min(_CELLS, max(1, max(width, height) // 3)))
        found = _energies(band, cells)
        found = _LOCAL * found + (1 - _LOCAL) * found.mean((0, 1))
        luma, colour = np.moveaxis(self.wanted[octave] / np.sqrt(found + _TINY), -1, 0)
        return np.stack([luma, colour, colour], axis=-1)


def _energies(band: NDArray[np.float32], cells: tuple[int, int]) -> NDArray[np.float32]:
    """Return the mean squares of luma and colour in (columns, rows), (rows, columns, 2)."""
    squares = cv2.resize(cv2.multiply(band, band), cells, interpolation=cv2.INTER_AREA)
    squares = squares.reshape(*cells[::-1], 3)
    return np.stack([squares[..., 0], squares[..., 1] + squares[..., 2]], axis=-1)


def _pyramid(image: Any, octaves: int) -> list[NDArray[np.float32]]:
    """Return the Laplacian pyramid of an image: bands, fine to coarse, and the rest."""
    bands = []
    for _ in range(octaves):
        smaller = cv2.pyrDown(image)
        larger = cv2.pyrUp(smaller, dstsize=image.shape[1::-1])
        bands.append(cv2.subtract(image, larger, dst=larger))
        image = smaller
    return [*bands, image]


def _picture_of(pyramid: list[NDArray[np.float32]]) -> Any:
    """Return the image of a Laplacian pyramid; the bands are overwritten."""
    *bands, picture = pyramid
    image: Any = picture
    for band in reversed(bands):
        image = cv2.add(cv2.pyrUp(image, dstsize=band.shape[1::-1]), band, dst=band)
    return image


def _softened(picture: Any) -> ImageF:
    """Slow values down near black and white, and clip them to [0, 1]; in place."""
    for end, sign in ((1 - _SOFT, 1), (_SOFT, -1)):
        beyond = sign * (picture - end) > 0
        over = np.abs(picture[beyond] - end)
        picture[beyond] = end + sign * _SOFT * np.tanh(over / _SOFT)
    return np.asarray(picture, np.float32)
