"""Noise that a journey may begin with: soft clouds of colour at all scales."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Image8, Shape

# As in photographs: most of the contrast is brightness, less is warm against cold, and least is
# green against magenta; colours have less detail than brightness.
_GREY, _CONTRASTS, _SLOPES = 0.45, (0.17, 0.09, 0.05), (1.4, 1.7, 1.7)
_PLANES = np.array([[1, 1, 1], [1, 0.1, -1], [-0.5, 1, -0.5]], np.float32)


def start_noise(shape: Shape, rng: np.random.Generator) -> Image8:
    """Return coloured noise whose amplitude falls with the frequency, as in soft photographs.

    Args:
        shape: (height, width) of the picture, at least 1x1.
        rng: Source of the randomness.

    Returns:
        uint8 RGB, (height, width, 3).
    """
    planes = [
        contrast * _plane(shape, slope, rng)
        for contrast, slope in zip(_CONTRASTS, _SLOPES, strict=True)
    ]
    mixed = cv2.transform(np.stack(planes, axis=-1), np.ascontiguousarray(_PLANES.T))
    levels = np.rint(255 * np.clip(_GREY + mixed, 0, 1)).reshape(*shape, 3)
    return np.asarray(levels, np.uint8)


def _plane(shape: Shape, slope: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise of amplitude 1/f^slope with a mean of 0 and a deviation of 1."""
    height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / frequency**slope
    plane = np.fft.irfft2(spectrum, shape)
    return (plane / max(float(plane.std()), 1e-6)).astype(np.float32)
