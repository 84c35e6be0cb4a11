"""The motion of a camera from one frame to the next, and the exact flow of what it sees."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow


class CameraMove(NamedTuple):
    """How a camera moves from a frame to the next.

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
