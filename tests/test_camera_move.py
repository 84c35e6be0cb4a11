"""The exact flow of a moving camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stream_dream.camera_move import CameraMove
from stream_dream.temporal.warp import warp

SIZE = (160, 90)


def seen(move: CameraMove, point: tuple[int, int]) -> tuple[float, float]:
    """Return where a spot at (x, y) of the frame before is seen."""
    before = np.zeros(SIZE[::-1], np.float32)
    cv2.circle(before, point, 4, 1.0, -1)
    after = warp(before, move.flow(SIZE))
    rows, columns = np.nonzero(after > 0.5)
    return float(columns.mean()), float(rows.mean())


@pytest.mark.parametrize(
    ("move", "point", "wanted"),
    [
        (CameraMove(), (40, 30), (40, 30)),
        (CameraMove(zoom=1.5), (50, 30), (35.2, 22.8)),
        (CameraMove(zoom=1.5, centre_x=0.25, centre_y=0.5), (40, 20), (40.2, 7.8)),
        (CameraMove(pan_x=0.1), (40, 30), (56, 30)),
        (CameraMove(pan_y=-0.1), (40, 30), (40, 21)),
        # Anticlockwise: the left goes down.
        (CameraMove(angle=90), (60, 44), (80, 64)),
        (CameraMove(roll=90), (60, 44), (80, 64)),
        # The camera looks up: the picture sinks. It looks to the right: the picture goes left.
        (CameraMove(tilt=5), (80, 44), (80, 58)),
        (CameraMove(yaw=5), (80, 44), (66, 44)),
    ],
)
def test_the_picture_moves_as_the_camera_does(
    move: CameraMove, point: tuple[int, int], wanted: tuple[float, float]
) -> None:
    assert seen(move, point) == pytest.approx(wanted, abs=1.0)


def test_the_flow_is_that_of_the_matrix() -> None:
    move = CameraMove(zoom=1.1, angle=7, pan_x=0.02, centre_y=0.3, tilt=2, yaw=-3, roll=4)
    flow, matrix = move.flow(SIZE), move.matrix(SIZE)
    for x, y in ((0, 0), (100, 20), (159, 89)):
        there = matrix @ [x, y, 1]
        assert flow[y, x] + (x, y) == pytest.approx(there[:2] / there[2], abs=1e-3)


def test_near_things_move_faster_than_far_ones() -> None:
    move = CameraMove(zoom=1.1, pan_x=0.02, angle=3, depth=0.5)
    for depth, pace in ((0.0, 0.5), (0.5, 1.0), (1.0, 1.5)):
        depths = np.full(SIZE[::-1], depth, np.float32)
        alone = CameraMove(zoom=1.1**pace, pan_x=0.02 * pace, angle=3)
        assert np.abs(move.flow(SIZE, depths) - alone.flow(SIZE)).max() < 1e-3


def test_turning_alone_knows_no_depth() -> None:
    depths = np.random.default_rng(0).random(SIZE[::-1]).astype(np.float32)
    move = CameraMove(yaw=2, tilt=1, angle=3, depth=1)
    assert np.array_equal(move.flow(SIZE, depths), move.flow(SIZE))
