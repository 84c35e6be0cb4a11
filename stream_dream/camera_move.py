"""The motion of a camera from one frame to the next, and the exact flow of what it sees."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow
from stream_dream.image import pixel_grid

# Distance of the picture from the camera that tilts and yaws, in longer sides: its field of view
# is 53 degrees, that of a usual lens.
_FOCAL_LENGTH = 1.0

Matrix = NDArray[np.float64]
"""A homography, float64 (3, 3)."""

DepthMap = NDArray[np.float32]
"""How near each point is, float32 (height, width): 0 is far, 1 near."""


class CameraMove(NamedTuple):
    """How a camera moves from a frame to the next.

    A point of the frame before turns with the camera, then around the centre, is magnified, and
    moves.

    Attributes:
        zoom: Magnification, above 0.
        angle: Degrees by which the picture turns anticlockwise around the centre.
        pan_x: How far the picture moves to the right, as a share of its width.
        pan_y: How far it moves down, as a share of its height.
        centre_x: Point that the zoom and the angle keep in place, as a share of the width.
        centre_y: The same, of the height.
        tilt: Degrees by which the camera turns up.
        yaw: Degrees by which it turns to the right.
        roll: Degrees by which the picture turns anticlockwise around its middle.
        depth: How much faster near points are than far ones, 0..1: those at depth ``d`` (1 is near)
            zoom and pan ``1 + depth * (2 * d - 1)`` times as fast.
    """

    zoom: float = 1.0
    angle: float = 0.0
    pan_x: float = 0.0
    pan_y: float = 0.0
    centre_x: float = 0.5
    centre_y: float = 0.5
    tilt: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    depth: float = 0.0

    def matrix(self, size: tuple[int, int]) -> Matrix:
        """Return the homography from pixels of the frame to those of the frame before.

        ``depth`` is ignored.

        Args:
            size: (width, height) of the frames.
        """
        width, height = size
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        x, y = self._centre(size)
        shift = np.array([[1, 0, -x - self.pan_x * width], [0, 1, -y - self.pan_y * height]])
        turn = np.array([[cosine, -sine], [sine, cosine]]) / self.zoom
        back = np.vstack([turn @ shift + np.array([[0, 0, x], [0, 0, y]]), [0, 0, 1]])
        return np.asarray(self._turned(size) @ back, np.float64)

    def flow(self, size: tuple[int, int], depths: DepthMap | None = None) -> Flow:
        """Return the flow from the frame to the one before it; see ``temporal.warp``.

        Args:
            size: (width, height) of the frames; the flow is in their pixels.
            depths: How near each point of the frame is; None for a flat picture.
        """
        grid = pixel_grid((size[1], size[0]))
        if depths is None or self.depth == 0 or self._only_turns:
            return cv2.perspectiveTransform(grid, self.matrix(size)) - grid
        width, height = size
        pace = self._pace(depths)
        centre = np.array(self._centre(size), np.float32)
        pan = np.array([self.pan_x * width, self.pan_y * height], np.float32)
        scale = np.exp(np.float32(-math.log(self.zoom)) * pace)[..., None]
        # The same as above, with a zoom and a pan of its own for each point.
        moved = (grid - centre - pan * pace[..., None]) * scale + centre
        turning = self._replace(zoom=1.0, pan_x=0.0, pan_y=0.0).matrix(size)
        return np.asarray(cv2.perspectiveTransform(moved, turning) - grid, np.float32)

    def at_depth(self, depth: float) -> CameraMove:
        """Return how points at a depth move, 0 is far, 1 near, as those of a flat picture."""
        pace = float(self._pace(np.float32(depth)))
        return self._replace(
            zoom=self.zoom**pace, pan_x=self.pan_x * pace, pan_y=self.pan_y * pace, depth=0.0
        )

    def _pace(self, depths: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
        return np.asarray(np.float32(1 - self.depth) + np.float32(2 * self.depth) * depths)

    @property
    def _only_turns(self) -> bool:
        """True if depth makes no difference: all points turn alike."""
        return self.zoom == 1 and self.pan_x == 0 and self.pan_y == 0

    def _centre(self, size: tuple[int, int]) -> tuple[float, float]:
        return self.centre_x * size[0] - 0.5, self.centre_y * size[1] - 0.5

    def _turned(self, size: tuple[int, int]) -> Matrix:
        """Return the homography from before the camera turns to before."""
        if self.tilt == self.yaw == self.roll == 0:
            return np.eye(3)
        focal = _FOCAL_LENGTH * max(size)
        lens = np.array([[focal, 0, (size[0] - 1) / 2], [0, focal, (size[1] - 1) / 2], [0, 0, 1.0]])
        # Axes point right, down and forwards.
        tilt, yaw, roll = (math.radians(angle) for angle in (self.tilt, self.yaw, self.roll))
        turn = (
            cv2.Rodrigues(np.array([tilt, 0.0, 0.0]))[0]
            @ cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
            @ cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0]
        )
        return np.asarray(lens @ turn @ np.linalg.inv(lens), np.float64)
