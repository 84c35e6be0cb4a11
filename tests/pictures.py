"""Small pictures: noise, alpha, and one without any symmetry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

NOISE = np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8)
ALPHA = np.linspace(0, 255, 9 * 14).astype(np.uint8).reshape(9, 14)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def corners(scale: int = 1) -> NDArray[np.uint8]:
    """Return an image without symmetry, of flat blocks that survive JPEG."""
    image = np.full((4, 6, 3), 128, np.uint8)
    image[0, 0], image[0, -1] = (255, 0, 0), (0, 255, 0)
    image[-1, 0], image[-1, -1] = (0, 0, 255), (255, 255, 0)
    return image.repeat(scale, 0).repeat(scale, 1)
