"""Noise that a journey may begin with: soft clouds of colour at all scales."""

from __future__ import annotations

import cv2
import numpy as np

from stream_dream.frame import Image8

# Contrast of the noise's brightness and of its colours.
_CONTRAST, _COLOUR = 0.16, 0.06
# How much weaker each octave is than the one before: a little more than in nature, without specks.
_FALL = np.float32(0.8)


def start_noise(size: tuple[int, int], seed: int) -> Image8:
    """Return smooth coloured noise, whose octaves are about as strong as those of nature.

    At another size of the same shape it shows the same.

    Args:
        size: (width, height) in pixels.
        seed: Start of the random numbers.

    Returns:
        uint8 RGB, (height, width, 3).
    """
    width, height = size
    longer = max(size)
    made = np.zeros((height, width, 3), np.float32)
    cells = 2
    for octave in range(longer.bit_length()):
        rng = np.random.default_rng((seed, octave))
        # A square of points, of which a picture that is wider or higher shows a part.
        points = rng.standard_normal((cells + 3, cells + 3, 3), np.float32)
        step = longer / cells
        if step < 2:
            break
        row, column = np.arange(height), np.arange(width)
        down, across = (row / step + 1).astype(np.float32), (column / step + 1).astype(np.float32)
        where = np.meshgrid(across, down)
        made += _FALL**octave * cv2.remap(points, where[0], where[1], cv2.INTER_CUBIC)
        cells *= 2
    made -= made.mean(axis=(0, 1))
    made *= (_CONTRAST, _COLOUR, _COLOUR) / (made.std(axis=(0, 1)) + np.float32(1e-6))
    light, warm, green = (made[..., channel] for channel in range(3))
    image = np.stack([light + warm - green, light + green, light - warm - green], axis=-1) + 0.5
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), np.uint8)
