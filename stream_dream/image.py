"""Conversions and resizing of images (NumPy and OpenCV only)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Image8, ImageF, Mask8

_BAND = 64
"""Rows of a frame that are processed at a time."""


def to_float(image: Image8) -> ImageF:
    """Convert uint8 0..255 to float32 0..1."""
    return np.multiply(image, np.float32(1 / 255), dtype=np.float32)


def resize(image: Image8, size: tuple[int, int]) -> Image8:
    """Resize to (width, height): area means when shrinking, cubic when growing."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    while width >= 2 * size[0] and height >= 2 * size[1] and not (width % 2 or height % 2):
        # Halving is ten times as fast as other ratios, and means of means are means.
        width, height = width // 2, height // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(
            np.uint8, copy=False
        )
    growing = size[0] * size[1] > width * height
    interpolation = cv2.INTER_CUBIC if growing else cv2.INTER_AREA
    return cv2.resize(image, size, interpolation=interpolation).astype(np.uint8, copy=False)


def resize_float(image: ImageF, shape: tuple[int, int], *, antialias: bool = False) -> ImageF:
    """Resize a float32 image to (height, width), bilinearly.

    With ``antialias``, shrinking takes area means.
    """
    if image.shape[:2] == shape:
        return image
    shrinking = shape[0] < image.shape[0] or shape[1] < image.shape[1]
    interpolation = cv2.INTER_AREA if antialias and shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=interpolation), np.float32)


def corner_samples(
    have: int, wanted: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return the indices and weights that resize an axis linearly, its ends on the old ends.

    ``sample[i] = (1 - share[i]) * old[low[i]] + share[i] * old[high[i]]``, at the positions
    ``i * (have - 1) / (wanted - 1)``; a single sample lies at 0.

    Returns:
        ``low``, ``high`` and ``share``, each (wanted,).
    """
    where = np.linspace(0, have - 1, wanted)
    low = where.astype(np.intp)
    return low, np.minimum(low + 1, have - 1), (where - low).astype(np.float32)


def resize_by_corners(image: ImageF, shape: tuple[int, int]) -> ImageF:
    """Resize a float32 image to (height, width), bilinearly, its corners on the old corners.

    Equals ``scipy.ndimage.zoom`` with ``order=1``, but for the last row or column, which SciPy
    makes black at some sizes, where rounding puts it past the old one.
    """
    if image.shape[:2] == shape:
        return image
    resized = np.empty((*shape, image.shape[2]), np.float32)
    top, bottom, down = corner_samples(image.shape[0], shape[0])
    left, right, across = corner_samples(image.shape[1], shape[1])
    for first in range(0, shape[0], _BAND):
        rows = slice(first, first + _BAND)
        band = _mix(image[top[rows]], image[bottom[rows]], down[rows, None, None])
        resized[rows] = _mix(band[:, left], band[:, right], across[:, None])
    return resized


def _mix(near: ImageF, far: ImageF, share: NDArray[np.float32]) -> ImageF:
    """Return ``near + share * (far - near)``; both arrays are overwritten."""
    far -= near
    far *= share
    near += far
    return near


def pad_even(image: Image8) -> Image8:
    """Repeat the last row or column of an odd side: H.264 in 4:2:0 needs even sides."""
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return image
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def fit_size(
    display_size: tuple[float, float], longer_side: int, *, enlarged: float = 1.0
) -> tuple[int, int]:
    """Return the (width, height) of the same shape whose longer side is ``longer_side``.

    At most ``enlarged`` times as large as ``display_size``, at least 1 pixel a side.
    """
    width, height = display_size
    scale = min(enlarged, longer_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def add_residual(
    image: Image8,
    residual: NDArray[np.float32],
    mask: Mask8 | None = None,
    *,
    strength: float = 1.0,
) -> Image8:
    """Return ``clip(image + mask * resize(strength * residual))`` at the image's own size.

    Args:
        image: uint8 RGB, (height, width, 3).
        residual: float32 in [-1, 1], of any size; it is resized to the image.
        mask: Share of the residual that shows, uint8 (height, width) of the image: 255 is all.
        strength: Factor of the residual everywhere, 0..2.

    Returns:
        uint8 RGB, (height, width, 3); exactly the image where residual, mask or strength is 0.
    """
    height, width = image.shape[:2]
    # Saturating 16-bit integers: a quarter of the time of floats at 1280x720, exact to one level.
    levels = np.rint(residual * np.float32(255 * strength)).astype(np.int16)
    if levels.shape[:2] != (height, width):
        growing = height * width > levels.shape[0] * levels.shape[1]
        interpolation = cv2.INTER_CUBIC if growing else cv2.INTER_AREA
        levels = cv2.resize(levels, (width, height), interpolation=interpolation).astype(
            np.int16, copy=False
        )
    if mask is not None:
        # 16 bits by 16 bits, in place and band by band: 0.5 ms at 1280x720. Allocating large arrays
        # can cost ten times as much.
        for top in range(0, height, _BAND):
            band = levels[top : top + _BAND]
            shares = cv2.merge([mask[top : top + _BAND].astype(np.int16)] * 3)
            cv2.multiply(band, shares, dst=band, scale=1 / 255)
    return cv2.add(image, levels, dtype=cv2.CV_8U).astype(np.uint8, copy=False)
