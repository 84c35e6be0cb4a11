"""Framing of camera frames: rotation, crop, size."""

from __future__ import annotations

import logging

import cv2
import numpy as np

from stream_dream.frame import Image8
from stream_dream.image import fit_size, resize
from stream_dream.live.capture.feed import Origin
from stream_dream.settings.live import LiveSettings

log = logging.getLogger("stream_dream.live")

# Default size of larger cameras: a dream is no sharper beyond it.
_LONGEST_SIDE = 1280
_SMALLEST_SIDE = 16
_TURNS = {
    "90": cv2.ROTATE_90_CLOCKWISE,
    "180": cv2.ROTATE_180,
    "270": cv2.ROTATE_90_COUNTERCLOCKWISE,
}


class Framing:
    """Rotates, crops and resizes frames of any size.

    The source's first frame sets the size of the show, which stays when the source returns with
    another one. Until then the first guest's does, until then a substitute's.

    Attributes:
        size: (width, height) of the result; None before the first frame.
    """

    def __init__(self, settings: LiveSettings) -> None:
        """Use ``rotate``, ``crop`` and ``size``."""
        self._settings = settings
        self.size = settings.size and _at_least(settings.size)
        self._sized_by = Origin.SUBSTITUTE if self.size is None else Origin.SOURCE
        self._too_small: tuple[int, ...] | None = None  # shape of which a warning has told

    def __call__(self, image: Image8, origin: Origin = Origin.SOURCE) -> Image8:
        """Return the framed image, uint8 RGB.

        Args:
            image: uint8 RGB.
            origin: Where it comes from.
        """
        turn = _TURNS.get(self._settings.rotate)
        if turn is not None:
            image = np.asarray(cv2.rotate(image, turn), np.uint8)
        image = self._cropped(image, origin)
        if self.size is None or origin > self._sized_by:
            self._sized_by = origin
            height, width = image.shape[:2]
            self.size = _at_least(fit_size((width, height), _LONGEST_SIDE))
        return resize(image if self._settings.size else filling(image, self.size), self.size)

    def _cropped(self, image: Image8, origin: Origin) -> Image8:
        """Return the crop, or as much of it as lies within the image."""
        if self._settings.crop is None:
            return image
        width, height, corner = self._settings.crop
        height, width = min(height, image.shape[0]), min(width, image.shape[1])
        spare = image.shape[1] - width, image.shape[0] - height
        left, top = corner or (spare[0] // 2, spare[1] // 2)
        left, top = min(left, spare[0]), min(top, spare[1])
        fits = (width, height, corner and (left, top)) == self._settings.crop
        if not fits and origin is not Origin.SUBSTITUTE and image.shape != self._too_small:
            self._too_small = image.shape
            seen = f"{image.shape[1]}x{image.shape[0]}"
            log.warning("--crop reaches beyond the %s picture: it is moved and cut to fit", seen)
        return image[top : top + height, left : left + width]


def _at_least(size: tuple[int, int]) -> tuple[int, int]:
    return max(size[0], _SMALLEST_SIDE), max(size[1], _SMALLEST_SIDE)


def filling(image: Image8, size: tuple[int, int]) -> Image8:
    """Crop an image equally on both sides to the aspect ratio of a (width, height)."""
    height, width = image.shape[:2]
    scale = min(width / size[0], height / size[1])
    kept = min(width, max(1, round(size[0] * scale))), min(height, max(1, round(size[1] * scale)))
    left, top = (width - kept[0]) // 2, (height - kept[1]) // 2
    return image[top : top + kept[1], left : left + kept[0]]
