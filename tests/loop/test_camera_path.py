"""The camera over a picture: closed paths, exact flow, the frame always covered."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic

from stream_dream.frame import Flow, Image8
from stream_dream.loop.camera_path import CameraPath
from stream_dream.settings.values import CameraMotion
from stream_dream.temporal.visibility import in_frame
from stream_dream.temporal.warp import Warp

MOTIONS: tuple[CameraMotion, ...] = ("breathe", "sway", "turn", "zoom", "still")
SIZE = (150, 100)
FRAMES = 24


def change(before: Image8, now: Image8, flow: Flow) -> float:
    moved = Warp(flow)(before.astype(np.float32))
    return float(np.abs(moved - now).mean(axis=-1)[in_frame(flow)].mean())


@pytest.mark.slow
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("motion", MOTIONS)
def test_the_known_flow_matches_the_motion_across_the_seam(
    motion: CameraMotion, reverse: bool
) -> None:
    camera = CameraPath(synthetic.photo((300, 200)), motion, FRAMES, reverse=reverse)
    views = [camera.view(index, SIZE) for index in range(FRAMES)]
    flows = [camera.flow(index, SIZE) for index in range(FRAMES)]
    with_flow = [change(views[i - 1], views[i], flows[i]) for i in range(FRAMES)]
    backwards = [change(views[i - 1], views[i], -flows[i]) for i in range(FRAMES)]
    assert max(with_flow) < 4
    assert with_flow[0] < 1.3 * np.median(with_flow) + 0.01
    if motion == "still":
        assert max(with_flow) == 0
    else:
        assert np.mean(with_flow) < 0.5 * np.mean(backwards)


@pytest.mark.slow
def test_reverse_plays_the_same_path_backwards() -> None:
    there, back = (
        CameraPath(synthetic.photo(), "zoom", FRAMES, reverse=reverse) for reverse in (False, True)
    )
    for index in range(1, FRAMES):
        difference = there.view(index, SIZE).astype(int) - back.view(FRAMES - index, SIZE)
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("motion", ["sway", "turn"])
@pytest.mark.parametrize("size", [(150, 100), (100, 150), (120, 120)])
def test_the_picture_covers_the_frame(motion: CameraMotion, size: tuple[int, int]) -> None:
    # A view beyond the picture's edge would show its border mirrored, twice as wide.
    width, height = 4 * size[0], 4 * size[1]
    marked = np.zeros((height, width, 3), np.uint8)
    marked[0] = marked[-1] = marked[:, 0] = marked[:, -1] = 255
    camera = CameraPath(marked, motion, FRAMES, strength=1)
    for index in range(FRAMES):
        view = camera.view(index, size).astype(int)
        assert view[2:-2, 2:-2].max() < 40


def test_a_zoom_ends_where_it_began() -> None:
    camera = CameraPath(synthetic.photo((600, 400)), "zoom", 400)
    first, last = camera.view(0, SIZE).astype(int), camera.view(399, SIZE).astype(int)
    middle = camera.view(200, SIZE).astype(int)
    assert np.abs(first - last).mean() < 0.2 * np.abs(first - middle).mean()


def test_motion_strength_is_the_reach_of_the_camera() -> None:
    def reach(motion: CameraMotion, strength: float) -> float:
        camera = CameraPath(synthetic.photo(), motion, FRAMES, strength=strength)
        return max(float(np.abs(camera.flow(i, SIZE)).max()) for i in range(FRAMES))

    for motion in MOTIONS[:4]:
        assert reach(motion, 2) > 1.3 * reach(motion, 1)
    assert reach("still", 5) == 0


def test_a_large_picture_does_not_shimmer() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 1200, 3), np.uint8)
    camera = CameraPath(noise, "sway", FRAMES)
    # 8 x 8 pixels become one: their mean is grey at every position of the camera.
    views = np.stack([camera.view(index, SIZE) for index in range(FRAMES)])
    assert views.std() < 20


@pytest.mark.parametrize("motion", MOTIONS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (1, 40)])
def test_tiny_pictures_can_be_filmed(motion: CameraMotion, size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 90, np.uint8)
    camera = CameraPath(image, motion, 4)
    for index in range(4):
        view = camera.view(index, size)
        assert view.shape == image.shape
        assert np.abs(view.astype(int) - 90).max() <= 1
        assert camera.flow(index, size).shape == (size[1], size[0], 2)
