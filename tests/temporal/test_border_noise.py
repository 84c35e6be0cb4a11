"""What comes in at the edges of a journey."""

from __future__ import annotations

import numpy as np
import pytest

from stream_dream.camera_move import CameraMove
from stream_dream.frame import ImageF
from stream_dream.temporal.border_noise import BorderNoise
from stream_dream.temporal.journey_picture import JourneyWarp

SIZE, SHAPE = (160, 90), (90, 160)
EVERYWHERE = np.ones(SHAPE, np.bool_)


def grey() -> ImageF:
    return np.full((*SHAPE, 3), 0.5, np.float32)


def fine(image: ImageF) -> float:
    return float(np.abs(np.diff(image, axis=1)).mean())


def filled(noise: BorderNoise) -> ImageF:
    picture = grey()
    noise.fill(picture, EVERYWHERE)
    return picture


def test_only_what_has_come_in_is_filled() -> None:
    picture, new = grey(), np.zeros(SHAPE, np.bool_)
    new[:, :20] = True
    BorderNoise(SIZE, 0).fill(picture, new)
    assert picture[:, :20].std() > 0.02
    assert (picture[:, 20:] == 0.5).all()


def test_its_detail_depends_on_the_seed() -> None:
    first, same, other = (filled(BorderNoise(SIZE, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert np.abs(first - other).mean() > 0.02


@pytest.mark.parametrize(
    "move",
    [CameraMove(pan_x=0.05), CameraMove(zoom=0.97, angle=3), CameraMove(yaw=2, tilt=1)],
)
def test_its_detail_moves_with_the_camera(move: CameraMove) -> None:
    noise = BorderNoise(SIZE, 0)
    before = filled(noise)
    noise.move(move)
    after = filled(noise)
    warp = JourneyWarp(move.flow(SIZE), "mirror")
    inside = warp.visible
    inside[:8] = inside[-8:] = inside[:, :8] = inside[:, -8:] = False
    moved = np.corrcoef(warp(before)[inside].ravel(), after[inside].ravel())[0, 1]
    still = np.corrcoef(before[inside].ravel(), after[inside].ravel())[0, 1]
    assert moved > 0.9
    assert still < moved - 0.2


def test_a_large_strip_is_filled_as_its_parts_are() -> None:
    size, noises = (640, 360), [BorderNoise((640, 360), 0) for _ in range(2)]
    whole, parts = (np.full((360, 640, 3), 0.5, np.float32) for _ in range(2))
    noises[0].fill(whole, np.ones(size[::-1], np.bool_))
    for half in (np.s_[:180], np.s_[180:]):
        new = np.zeros(size[::-1], np.bool_)
        new[half] = True
        alone = np.full_like(parts, 0.5)
        noises[1].fill(alone, new)
        parts[half] = alone[half]
    assert np.abs(whole - parts).max() < 1e-5
    assert whole.std() > 0.02


def test_detail_is_as_exact_far_away_as_near() -> None:
    noise, far = BorderNoise(SIZE, 0), BorderNoise(SIZE, 0)
    period = 2 * (np.array(SIZE) - 1)
    far.move(CameraMove(pan_x=10_000 * period[0] / SIZE[0], pan_y=-30_000 * period[1] / SIZE[1]))
    assert np.abs(filled(noise) - filled(far)).max() < 1e-3


@pytest.mark.parametrize("zoom", [0.97, 1.03])
def test_its_detail_never_jumps_and_gets_no_finer_or_coarser(zoom: float) -> None:
    noise, move = BorderNoise(SIZE, 0), CameraMove(zoom=zoom)
    warp = JourneyWarp(move.flow(SIZE), "mirror")
    before = filled(noise)
    finest = [fine(before)]
    for _ in range(60):
        noise.move(move)
        after = filled(noise)
        moved = np.corrcoef(warp(before)[8:-8, 8:-8].ravel(), after[8:-8, 8:-8].ravel())[0, 1]
        assert moved > 0.9
        finest.append(fine(after))
        before = after
    assert max(finest) < 2.5 * min(finest)


@pytest.mark.parametrize("move", [CameraMove(zoom=0.9), CameraMove(yaw=5), CameraMove(pan_x=3)])
def test_it_never_ends(move: CameraMove) -> None:
    noise = BorderNoise(SIZE, 0)
    usual = filled(noise).std()
    for _ in range(300):
        noise.move(move)
    assert np.isfinite(noise.way).all()
    assert 0.5 * usual < filled(noise).std() < 1.5 * usual
