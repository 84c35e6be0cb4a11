"""Turns a dream into a transparent layer for compositing (NumPy and OpenCV only)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Hdr, Image, ImageF, Layer

# Side of the square over which the alpha channel is spread and smoothed, in pixels: codecs and
# scaling keep smooth edges, and colours need not be extreme.
_SIDE = 5
_WHITE = 203.0
"""White of SDR in cd/m2 (ITU-R BT.2408)."""


def dream_layer(source: Image, dream: Image, light: NDArray[np.float32] | None = None) -> Layer:
    """Return a layer that, laid over the source, gives the dream.

    Its alpha is about the least with which a colour exists that does so: the layer is as
    transparent as the dream is faint.

    Args:
        source: RGB of 8 or 16 bits, (height, width, 3).
        dream: The same with the dream.
        light: For programs that lay light over light, not level over level, such as those that read
            EXRs: the light of each level of 16 bits, float32 (65536,), see ``light_of_levels``.

    Returns:
        RGBA of as many bits, (height, width, 4). It is straight, the dream is
        ``alpha * colour + (1 - alpha) * source``; with ``light``, its colours are levels of light
        that is multiplied by alpha already, as EXRs hold it.
    """
    most = np.iinfo(source.dtype).max
    if light is None:
        below, above = (np.divide(image, most, dtype=np.float32) for image in (source, dream))
    else:
        below, above = light[source], light[dream]
    alpha = np.ceil(_spread(_least_alpha(below, above)) * most)
    share = np.maximum(alpha, 1)[..., None] / np.float32(most)
    if light is None:
        colour = (below + (above - below) / share) * most
    else:
        lit = above - (1 - share) * below
        colour = np.interp(lit, light, np.arange(light.size, dtype=np.float32))
    levels = np.clip(np.rint(np.dstack([colour, alpha])), 0, most)
    layer: Layer = levels.astype(source.dtype)
    return layer


def light_of_levels(hdr: Hdr | None) -> NDArray[np.float32]:
    """Return the light of each level of 16 bits, float32 (65536,), 1 for white of SDR.

    The curve is that of sRGB or, of HDR, that of SMPTE ST 2084 or ITU-R BT.2100's HLG of a screen
    of 1,000 cd/m2.
    """
    level = np.linspace(0, 1, 65536)
    if hdr is None:
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    elif hdr == "pq":
        power = level ** (4096 / 2523 / 128)
        ratio = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
        light = ratio ** (16384 / 2610) * 10_000 / _WHITE
    else:
        bright = (np.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = np.where(level <= 0.5, level**2 / 3, bright) ** 1.2 * 1000 / _WHITE
    return light.astype(np.float32)


def _least_alpha(source: ImageF, dream: ImageF) -> NDArray[np.float32]:
    """Return the least alpha with which a colour from 0 to 1 turns the source into the dream.

    Where the dream is brighter than 1, so may the colour be.
    """
    change = dream - source
    room = np.where(change > 0, np.maximum(dream, 1) - source, source)
    shares = np.divide(np.abs(change), room, out=np.zeros_like(change), where=room > 0)
    return np.asarray(np.minimum(shares.max(axis=2), 1), np.float32)


def _spread(alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a smoother alpha that is nowhere less: the mean of the greatest of each square."""
    greatest = cv2.dilate(alpha, np.ones((_SIDE, _SIDE), np.uint8))
    smooth = cv2.blur(greatest, (_SIDE, _SIDE), borderType=cv2.BORDER_REPLICATE)
    return np.clip(np.maximum(smooth, alpha), 0, 1)
