"""Conversions and resizing of images (NumPy and OpenCV only)."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Frame, Image, Image8, Image16, ImageF, Mask8, Shape

_BAND = 64
"""Rows of a frame that are processed at a time."""

_PER_LEVEL = 257
"""Levels of 16 bits for each one of 8: 255 becomes 65535."""


Level = TypeVar("Level", np.uint8, np.uint16)
Signed = TypeVar("Signed", np.int16, np.float32)
AnyImage = TypeVar("AnyImage", Image8, Image16)


def to_float(image: Image8) -> ImageF:
    """Convert uint8 0..255 to float32 0..1."""
    return np.multiply(image, np.float32(1 / 255), dtype=np.float32)


def to_8bit(image: Image) -> Image8:
    """Convert levels to 8 bits, rounded; an image that has them is returned as it is."""
    if image.dtype == np.uint8:
        return cast(Image8, image)
    return np.asarray(cv2.convertScaleAbs(image, alpha=1 / _PER_LEVEL), np.uint8)


def to_16bit(image: Image) -> Image16:
    """Convert levels to 16 bits, exactly; an image that has them is returned as it is."""
    if image.dtype == np.uint16:
        return cast(Image16, image)
    return np.multiply(image, np.uint16(_PER_LEVEL), dtype=np.uint16)


def deep_image(frame: Frame) -> Image16:
    """Return a frame's picture in 16 bits, whether it has more than 8 or not."""
    return to_16bit(frame.image) if frame.deep is None else frame.deep


def resize(image: AnyImage, size: tuple[int, int]) -> AnyImage:
    """Resize to (width, height): area means when shrinking, cubic when growing."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    while width >= 2 * size[0] and height >= 2 * size[1] and not (width % 2 or height % 2):
        # Halving is ten times as fast as other ratios, and means of means are means.
        width, height = width // 2, height // 2
        image = _resized(image, (width, height), cv2.INTER_AREA)
    growing = size[0] * size[1] > width * height
    return _resized(image, size, cv2.INTER_CUBIC if growing else cv2.INTER_AREA)


def _resized(image: AnyImage, size: tuple[int, int], interpolation: int) -> AnyImage:
    return cv2.resize(image, size, interpolation=interpolation).astype(image.dtype, copy=False)


def resize_float(image: ImageF, shape: tuple[int, int], *, antialias: bool = False) -> ImageF:
    """Resize a float32 image to (height, width), bilinearly.

    With ``antialias``, shrinking takes area means.
    """
    if image.shape[:2] == shape:
        return image
    shrinking = shape[0] < image.shape[0] or shape[1] < image.shape[1]
    interpolation = cv2.INTER_AREA if antialias and shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=interpolation), np.float32)


@lru_cache(maxsize=4)
def pixel_grid(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return every pixel's own (x, y), float32 of shape (height, width, 2), read-only."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    grid = np.stack([x, y], axis=-1).astype(np.float32)
    grid.flags.writeable = False
    return grid


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


def pad(image: NDArray[Level], step: int = 2) -> NDArray[Level]:
    """Repeat the last row and column until both sides are multiples of ``step``.

    Codecs demand it: 2 in 4:2:0, 4 where blocks are compressed.
    """
    height, width = image.shape[:2]
    if height % step == 0 and width % step == 0:
        return image
    return np.pad(image, ((0, -height % step), (0, -width % step), (0, 0)), mode="edge")


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
    image: AnyImage,
    residual: NDArray[np.float32],
    mask: Mask8 | None = None,
    *,
    strength: float = 1.0,
) -> AnyImage:
    """Return ``clip(image + mask * resize(strength * residual))`` at the image's own size.

    Args:
        image: RGB of 8 or 16 bits, (height, width, 3).
        residual: float32 in [-1, 1], of any size; it is resized to the image.
        mask: Share of the residual that shows, uint8 (height, width) of the image: 255 is all.
        strength: Factor of the residual everywhere, 0..2.

    Returns:
        RGB of as many bits, (height, width, 3); exactly the image where residual, mask or strength
        is 0.
    """
    levels = residual * np.float32(np.iinfo(image.dtype).max * strength)
    if image.dtype == np.uint8:
        # Saturating 16-bit integers: a quarter of the time of floats at 1280x720, exact to one
        # level.
        shown = resized_residual(np.rint(levels).astype(np.int16), image.shape[:2], mask)
        return np.asarray(cv2.add(image, shown, dtype=cv2.CV_8U), image.dtype)
    deep = resized_residual(levels, image.shape[:2], mask)
    return np.asarray(cv2.add(image, deep, dtype=cv2.CV_16U), image.dtype)


def resized_residual(
    levels: NDArray[Signed], shape: Shape, mask: Mask8 | None = None
) -> NDArray[Signed]:
    """Resize a residual in levels to (height, width), and weaken it by a mask of that size."""
    height, width = shape
    if levels.shape[:2] != shape:
        growing = height * width > levels.shape[0] * levels.shape[1]
        interpolation = cv2.INTER_CUBIC if growing else cv2.INTER_AREA
        levels = cv2.resize(levels, (width, height), interpolation=interpolation).astype(
            levels.dtype, copy=False
        )
    if mask is not None:
        # Two arrays of one type, in place and band by band: 0.5 ms at 1280x720. Allocating large
        # arrays can cost ten times as much.
        for top in range(0, height, _BAND):
            band = levels[top : top + _BAND]
            shares = cv2.merge([mask[top : top + _BAND].astype(levels.dtype)] * 3)
            cv2.multiply(band, shares, dst=band, scale=1 / 255)
    return levels
