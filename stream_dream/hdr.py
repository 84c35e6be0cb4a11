"""Adds dreams to HDR pictures (NumPy and OpenCV only).

A frame of an HDR film has two pictures: one in SDR, which is dreamed, and one in the film's own
curve and colours, which the dream is added to. White of SDR is 203 cd/m2 there (ITU-R BT.2408).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Hdr, Image8, Image16, Mask8
from stream_dream.image import resized_residual

# RGB of BT.709 to that of BT.2020 (ITU-R BT.2087).
_TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]], np.float32
)
_WHITE = 203 / 10_000
# White of SDR is at 3/4 of HLG, and its curve has nearly the shape of SDR's below it.
_HLG_SLOPE = 0.75
# PQ is much steeper where it is dark; there a dream would become brighter than in SDR.
_STEEPEST = 1.5


def add_residual_to_hdr(
    image: Image16,
    sdr: Image8,
    residual: NDArray[np.float32],
    mask: Mask8 | None = None,
    *,
    hdr: Hdr,
    strength: float = 1.0,
) -> Image16:
    """Return an HDR image brightened and coloured as a residual changes its SDR picture.

    ``clip(image + mask * slope(sdr) * resize(strength * residual))``, where ``slope`` is that of
    the curve which turns SDR into HDR: the first term of its Taylor series.

    Args:
        image: uint16 RGB in the curve ``hdr`` and the colours of BT.2020, (height, width, 3).
        sdr: The same picture in SDR and BT.709, uint8 RGB of the same size.
        residual: Dream minus SDR, float32 in [-1, 1], of any size.
        mask: Share of the residual that shows, uint8 (height, width): 255 is all.
        hdr: The curve.
        strength: Factor of the residual everywhere, 0..2.

    Returns:
        uint16 RGB, (height, width, 3); exactly the image where residual, mask or strength is 0.
    """
    scaled = cv2.transform(residual, _TO_BT2020 * np.float32(65535 * strength))
    levels = resized_residual(np.asarray(scaled, np.float32), image.shape[:2], mask)
    levels *= cv2.LUT(sdr, _SLOPES[hdr])
    return np.asarray(cv2.add(image, levels, dtype=cv2.CV_16U), np.uint16)


def _pq_slopes() -> NDArray[np.float32]:
    """Return the slope of PQ over SDR for each level of 8 bits, float32 (256,)."""
    sdr = np.arange(256) / 255
    # The curve of screens (ITU-R BT.1886), then ST 2084's.
    light = sdr**2.4
    power = (light * _WHITE) ** (2610 / 16384)
    pq = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    return np.minimum(np.gradient(pq, sdr), _STEEPEST).astype(np.float32)


_SLOPES: dict[Hdr, NDArray[np.float32]] = {
    "pq": _pq_slopes(),
    "hlg": np.full(256, _HLG_SLOPE, np.float32),
}
