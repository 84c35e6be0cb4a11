"""Backward warping along optical flow: it has no holes and needs no splatting."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow
from stream_dream.image import pixel_grid


class Warp:
    """A backward warp along one flow, ``out(p) = image(p + flow(p))``, for any number of images.

    The image is mirrored beyond its edges: repeating its last row would grow streaks where a camera
    uncovers more of the scene. The visibility mask is 0 there.
    """

    def __init__(self, flow: Flow) -> None:
        """Prepare a warp along a flow, float32, (height, width, 2), pixels."""
        self._x, self._y = cv2.split(pixel_grid(flow.shape[:2]) + flow)

    def __call__(
        self, image: NDArray[np.float32], *, interpolation: int = cv2.INTER_LINEAR
    ) -> NDArray[np.float32]:
        """Warp a float32 image, with or without channels; ``interpolation`` is an OpenCV flag."""
        edge = cv2.BORDER_REFLECT
        warped = cv2.remap(image, self._x, self._y, interpolation, borderMode=edge)
        return np.asarray(warped, np.float32)


def warp(
    image: NDArray[np.float32], flow: Flow, *, interpolation: int = cv2.INTER_LINEAR
) -> NDArray[np.float32]:
    """Warp one image backward; see ``Warp``."""
    return Warp(flow)(image, interpolation=interpolation)
