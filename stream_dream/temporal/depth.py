"""Depth: how near the things of a dream are, invented from the dream itself."""

from __future__ import annotations

import cv2
import numpy as np

from stream_dream.camera_move import DepthMap
from stream_dream.frame import Image8, ImageF
from stream_dream.image import fit_size

# Longer side at which depths are made: they are smooth.
_SIDE = 48
# Blur of what is taken for one thing, as a share of the longer side; of the depths themselves.
_THING, _SMOOTH = 0.06, 0.04
# How much depth depends on brightness, on detail, and on the distance from the middle, where the
# end of a tunnel is. A standard deviation of each counts this much.
_BRIGHT, _BUSY, _AROUND = 0.14, 0.08, 0.14
# Share of a new invention that joins the map in a frame: things keep their depth while they pass.
_NEWS = np.float32(0.03)


def invented_depth(picture: ImageF) -> DepthMap:
    """Return a smooth depth map of a picture, float32 (height, width): 0 is far, 1 near.

    What is bright and detailed is near, as light falls from the camera, and so is what is far from
    the middle: the picture is the inside of something.

    Args:
        picture: float32 (height, width, 3) in [0, 1].
    """
    height, width = picture.shape[:2]
    columns, rows = fit_size((width, height), _SIDE)
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    luma = cv2.cvtColor(small.reshape(rows, columns, 3), cv2.COLOR_RGB2GRAY)
    thing = _THING * _SIDE
    bright = cv2.GaussianBlur(luma, (0, 0), thing)
    busy = cv2.GaussianBlur(np.abs(luma - bright), (0, 0), thing)
    across = np.linspace(-1, 1, columns, dtype=np.float32)
    down = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    around = np.hypot(across, down).astype(np.float32)
    parts = ((bright, _BRIGHT), (busy, _BUSY), (around, _AROUND))
    depth = np.full((rows, columns), 0.5, np.float32)
    for part, weight in parts:
        depth += np.float32(weight) * (part - part.mean()) / (part.std() + np.float32(1e-3))
    smooth = cv2.GaussianBlur(depth, (0, 0), _SMOOTH * _SIDE)
    large = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0, 1), np.float32)


def depth_of_map(depth_map: Image8, shape: tuple[int, int]) -> DepthMap:
    """Return a picture of depths, uint8 RGB, white where near, as a map of (height, width)."""
    grey = cv2.cvtColor(depth_map, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    return np.asarray(cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


def renewed(depth: DepthMap, picture: ImageF) -> DepthMap:
    """Return a depth map that a little of the picture's own invention has joined."""
    return np.asarray(depth + (invented_depth(picture) - depth) * _NEWS, np.float32)
