"""A closed camera path over a picture: its views, and the exact flow between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow, Image8
from stream_dream.image import pixel_grid, resize
from stream_dream.settings.values import CameraMotion

# At strength 1: what "breathe" adds to the magnification, the reach of "sway" as a share of the
# picture's sides, and the magnification of "zoom" in one turn.
_BREATH = 0.18
_SWAY = 0.04
_ZOOM = 2.5
# A zoom's inner copy fades out between these distances from its centre; 1 is its edge.
_SOLID, _GONE = 0.55, 1.0
_ROUNDNESS = 3
# Views are rendered at this many times their size and averaged: edges neither crawl nor blur. A
# zoom's seam joins the sharpest view to the softest; at 3 they differ no more than neighbours.
_OVERSAMPLING = 2
_ZOOM_OVERSAMPLING = 3


class Pose(NamedTuple):
    """Pose of the camera.

    Attributes:
        scale: Magnification; at 1 the whole picture fills the frame.
        angle: Rotation in radians.
        shift: (x, y) of the frame's centre from the picture's, as shares of its width and height.
    """

    scale: float = 1.0
    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)

    def matrix(self, size: tuple[int, int]) -> NDArray[np.float64]:
        """Return the 3x3 matrix from a frame's pixels to a picture's, both of this size."""
        width, height = size
        cosine, sine = math.cos(self.angle) / self.scale, math.sin(self.angle) / self.scale
        shift = self.shift[0] * width, self.shift[1] * height
        to_centre = np.array([[1, 0, (1 - width) / 2], [0, 1, (1 - height) / 2], [0, 0, 1]])
        turn = np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]], [0, 0, 1]])
        back = np.array([[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]])
        return np.asarray(back @ turn @ to_centre, np.float64)


def _breathe(phase: float, strength: float, aspect: float) -> Pose:
    return Pose((1 + _BREATH * strength) ** ((1 - math.cos(2 * math.pi * phase)) / 2))


def _sway(phase: float, strength: float, aspect: float) -> Pose:
    reach = min(0.45, _SWAY * strength)
    turn = 2 * math.pi * phase
    return Pose(1 / (1 - 2 * reach), shift=(reach * math.cos(turn), reach * math.sin(turn)))


def _turn(phase: float, strength: float, aspect: float) -> Pose:
    # The picture's shorter side has to cover the frame's diagonal.
    cover = math.hypot(1, max(aspect, 1 / aspect))
    return Pose(cover, 2 * math.pi * phase * max(1, round(strength)))


def _zoom(phase: float, strength: float, aspect: float) -> Pose:
    return Pose(_ZOOM ** (strength * phase))


def _still(phase: float, strength: float, aspect: float) -> Pose:
    return Pose()


_PATHS: dict[CameraMotion, Callable[[float, float, float], Pose]] = {
    "breathe": _breathe,
    "sway": _sway,
    "turn": _turn,
    "zoom": _zoom,
    "still": _still,
}


class CameraPath:
    """Films a picture along a closed path: ``frames`` views, the last one followed by the first.

    ``zoom`` never ends: the picture's middle holds a copy, smaller by the magnification of one
    turn, which holds another. At the seam, the copy is where the picture was at the start.

    Attributes:
        push: Returns how much closer than its path the camera is in a view, as a share: 0.1 for a
            magnification 1.1 times as large; None for nowhere.
    """

    def __init__(
        self,
        picture: Image8,
        motion: CameraMotion,
        frames: int,
        *,
        strength: float = 1.0,
        reverse: bool = False,
    ) -> None:
        """Create a camera path over a picture.

        Args:
            picture: uint8 RGB, (height, width, 3).
            motion: The path.
            frames: Number of views.
            strength: How far the camera goes: 1 is moderate; whole turns for ``turn``.
            reverse: True to go the other way: ``zoom`` zooms out.
        """
        self._picture = picture
        self._frames = frames
        self._strength = strength
        self._ratio = _ZOOM**strength if motion == "zoom" else 1.0
        self._path = _PATHS[motion]
        self._sign = -1 if reverse else 1
        self.push: Callable[[int], float] | None = None
        self._filmed: dict[tuple[int, int], list[Image8]] = {}

    def view(self, index: int, size: tuple[int, int]) -> Image8:
        """Return a view of the loop, uint8 RGB of this (width, height)."""
        if self._path is _still and self.push is None:
            return resize(self._picture, size)  # the picture itself, unblurred
        pose = self._pose(index, self._phase(index) % 1, size)
        scenes = self._scenes(size)
        details = [scene.shape[1] / size[0] / pose.scale for scene in scenes]
        # The coarsest scene that is fine enough; a small picture's only one may not be.
        level = max((n for n, d in enumerate(details) if d >= _ZOOM_OVERSAMPLING), default=0)
        finer = max(_OVERSAMPLING, details[level])
        canvas = round(size[0] * finer), round(size[1] * finer)
        return resize(_seen(scenes[level], pose, canvas), size)

    def flow(self, index: int, size: tuple[int, int]) -> Flow:
        """Return the exact flow from a view to the one before it; see ``temporal.flow``.

        Args:
            index: Number of the view; the one before the first is the last.
            size: (width, height) of the views; the flow is in their pixels.
        """
        # Not wrapped to one turn: a zoom would jump.
        now, before = (
            self._pose(number, self._phase(number), size).matrix(size)
            for number in (index, index - 1)
        )
        way = (np.linalg.inv(before) @ now).astype(np.float32)
        grid = pixel_grid((size[1], size[0]))
        return np.asarray(grid @ (way[:2, :2] - np.eye(2, dtype=np.float32)).T + way[:2, 2])

    def _phase(self, index: int) -> float:
        return self._sign * index / self._frames

    def _pose(self, index: int, phase: float, size: tuple[int, int]) -> Pose:
        pose = self._path(phase, self._strength, size[0] / size[1])
        if self.push is None:
            return pose
        return pose._replace(scale=pose.scale * (1 + self.push(index % self._frames)))

    def _scenes(self, size: tuple[int, int]) -> list[Image8]:
        """Return the picture as fine as views of a size show it, and for a zoom also halved."""
        if size not in self._filmed:
            zooming = self._ratio > 1
            finest = _ZOOM_OVERSAMPLING * self._ratio if zooming else _OVERSAMPLING
            most = round(size[0] * finest), round(size[1] * finest)
            height, width = self._picture.shape[:2]
            if zooming:
                scene = _self_similar(self._picture, self._ratio, most)
            else:
                scene = (
                    self._picture
                    if width <= most[0] and height <= most[1]
                    else resize(self._picture, most)
                )
            half = (scene.shape[1] // 2, scene.shape[0] // 2)
            self._filmed[size] = [scene, resize(scene, half)] if zooming else [scene]
        return self._filmed[size]


def _seen(picture: Image8, pose: Pose, size: tuple[int, int]) -> Image8:
    height, width = picture.shape[:2]
    # From pixels of a picture of the frame's size to those of the real one.
    to_picture = np.diag([width / size[0], height / size[1], 1.0])
    to_picture[:2, 2] = [(width / size[0] - 1) / 2, (height / size[1] - 1) / 2]
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    matrix = (to_picture @ pose.matrix(size))[:2]
    seen = cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    return seen.astype(np.uint8, copy=False)


def _self_similar(picture: Image8, ratio: float, size: tuple[int, int]) -> Image8:
    """Nest copies of a picture in its middle, each ``ratio`` > 1 times smaller than the last."""
    made = _seen(picture, Pose(ratio), size).astype(np.float32)
    copies = 1 + int(math.log(min(size), ratio))
    for scale in (ratio**-copy for copy in range(copies)):
        # Margins are equal on both sides: copies keep the frame's centre.
        right, below = (round(side * (1 - scale) / 2) for side in size)
        inner = size[0] - 2 * right, size[1] - 2 * below
        if min(inner) > 0:
            place = made[below : below + inner[1], right : right + inner[0]]
            place += _fading(inner) * (resize(picture, inner) - place)
    return np.rint(made).astype(np.uint8)


def _fading(size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a copy's opacity, float32 (height, width, 1): 1 in its middle, 0 at its edges."""
    x, y = ((np.arange(side, dtype=np.float32) + 0.5) * (2 / side) - 1 for side in size)
    distance = (np.abs(x) ** _ROUNDNESS + np.abs(y[:, None]) ** _ROUNDNESS) ** (1 / _ROUNDNESS)
    share = np.clip((_GONE - distance) / (_GONE - _SOLID), 0, 1)
    return np.asarray((share * share * (3 - 2 * share))[..., None], np.float32)
