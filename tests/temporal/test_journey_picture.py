"""The picture of a journey: what is carried, what comes in, what grows."""

from __future__ import annotations

from typing import get_args

import cv2
import numpy as np
import pytest
from skimage import data

from stream_dream.camera_move import CameraMove
from stream_dream.frame import ImageF
from stream_dream.image import resize, to_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import Border
from stream_dream.temporal.journey_picture import JourneyPicture

SETTINGS = DreamSettings()


@pytest.fixture(scope="module")
def photo() -> ImageF:
    return to_float(resize(data.chelsea(), (160, 108)))


def journey(photo: ImageF, border: Border = "mirror") -> JourneyPicture:
    return JourneyPicture(photo.copy(), SETTINGS, border=border)


def fine(picture: ImageF) -> float:
    """Return the energy of the finest detail."""
    return float(np.square(picture - cv2.GaussianBlur(picture, (0, 0), 1)).mean())


def test_a_picture_that_is_moved_often_stays_sharp(photo: ImageF) -> None:
    to_and_fro = journey(photo)
    for step in range(60):
        to_and_fro.move(CameraMove(pan_x=(0.3 if step % 2 else -0.3) / 160))
    bilinear = photo
    for step in range(60):
        shift = np.array([[1, 0, 0.3 if step % 2 else -0.3], [0, 1, 0]], np.float32)
        bilinear = cv2.warpAffine(bilinear, shift, (160, 108), flags=cv2.INTER_LINEAR)
    inside = np.s_[10:-10, 10:-10]
    assert fine(to_and_fro.picture[inside]) > 0.7 * fine(photo[inside])
    assert fine(np.asarray(bilinear)[inside]) < 0.3 * fine(photo[inside])


@pytest.mark.parametrize("border", get_args(Border))
def test_the_border_fills_what_comes_in(photo: ImageF, border: Border) -> None:
    moved = journey(photo, border)
    moved.move(CameraMove(pan_x=10 / 160))
    assert np.abs(moved.picture[:, 10:] - photo[:, :-10]).max() < 1e-3
    came_in = moved.picture[:, :10]
    if border == "mirror":  # roughly: its detail is new
        assert np.abs(came_in.mean((0, 1)) - photo[:, 9::-1].mean((0, 1))).max() < 0.05
        assert np.abs(came_in - photo[:, 9::-1]).mean() > 0.02
        return
    expected = photo[:, -10:] if border == "wrap" else np.repeat(photo[:, :1], 10, axis=1)
    assert np.abs(came_in - expected).mean() < 0.01


def test_what_comes_in_is_new_and_grows_faster(photo: ImageF) -> None:
    moved = journey(photo)
    change = 0.02 * np.random.default_rng(0).standard_normal(photo.shape).astype(np.float32)
    moved.move(CameraMove(pan_x=40 / 160))
    before = moved.picture.copy()
    moved.push(change, 0.0)
    moved.grow()
    assert moved.age[:, :30].max() < 0.1
    assert moved.age[:, 60:].min() == 1
    grown = np.abs(moved.picture - before)
    assert grown[:, :30].mean() > 1.4 * grown[:, 60:].mean()


def test_velocity_moves_with_the_picture(photo: ImageF) -> None:
    moved = journey(photo)
    change = np.zeros_like(photo)
    change[50:60:2, 40:50] = 0.1
    moved.push(change, 0.0)
    moved.move(CameraMove(pan_x=20 / 160))
    assert moved.velocity is not None
    _rows, columns = np.nonzero(moved.velocity[..., 0] > 0.05)
    assert columns.min() == 60
    assert columns.max() == 69


def test_depth_is_invented_when_it_is_needed_and_moves_with_the_picture(photo: ImageF) -> None:
    flat, deep = journey(photo), journey(photo)
    flat.move(CameraMove(zoom=1.05))
    deep.move(CameraMove(zoom=1.05, depth=0.8))
    assert flat.depth is None
    assert deep.depth is not None
    assert 0 <= deep.depth.min() < 0.4
    assert 0.6 < deep.depth.max() <= 1
    smooth = np.abs(np.diff(deep.depth, axis=1)).max()
    assert smooth < 0.1
    assert np.abs(flat.picture - deep.picture).mean() > 0.005


def test_a_given_depth_map_decides_what_is_near(photo: ImageF) -> None:
    map_ = np.zeros((50, 80, 3), np.uint8)
    map_[:, 40:] = 255
    moved = JourneyPicture(photo.copy(), SETTINGS, depth_map=map_)
    warp = moved.move(CameraMove(pan_x=10 / 160, depth=1))
    ramp = np.tile(np.arange(160, dtype=np.float32), (108, 1))
    shifts = ramp - warp(ramp)
    assert shifts[:, 130:150].mean() == pytest.approx(20, abs=1.5)
    assert shifts[:, 20:50].mean() == pytest.approx(0, abs=1.5)


def test_a_resized_picture_keeps_what_it_shows(photo: ImageF) -> None:
    moved = journey(photo)
    moved.push(np.full_like(photo, 0.01), 0.0)
    moved.move(CameraMove(zoom=1.02, depth=0.3))
    moved.resize((54, 80))
    assert moved.picture.shape == (54, 80, 3)
    assert moved.velocity is not None
    assert moved.velocity.shape == (54, 80, 3)
    assert moved.depth is not None
    assert moved.depth.shape == moved.age.shape == (54, 80)
    moved.move(CameraMove(zoom=1.02, depth=0.3))
    moved.grow()
    assert moved.picture.shape == (54, 80, 3)


def test_what_comes_nearer_fast_stays_new(photo: ImageF) -> None:
    ages = {}
    for zoom in (0.98, 1.01, 1.05):
        moved = journey(photo)
        for _ in range(40):
            moved.move(CameraMove(zoom=zoom))
        ages[zoom] = float(moved.age[40:60, 60:100].mean())
    assert ages[0.98] == ages[1.01] == 1
    assert ages[1.05] < 0.7


def test_a_given_depth_map_belongs_to_the_first_picture(photo: ImageF) -> None:
    map_ = np.zeros((108, 160, 3), np.uint8)
    map_[:, 120:] = 255
    moved = JourneyPicture(photo.copy(), SETTINGS, depth_map=map_)
    moved.move(CameraMove(pan_x=-80 / 160))
    assert moved.depth is not None
    assert moved.depth[:, 45:75].mean() > 0.9
    assert moved.depth[:, 5:35].mean() < 0.1


@pytest.mark.parametrize("move", [CameraMove(pan_x=0.1, depth=1), CameraMove(pan_x=0.1)])
def test_what_comes_in_does_not_repeat_itself(photo: ImageF, move: CameraMove) -> None:
    white = np.full((108, 160, 3), 255, np.uint8)  # near: twice as fast
    moved = JourneyPicture(photo.copy(), SETTINGS, depth_map=white)
    step = 32 if move.depth else 16
    moved.move(move)
    moved.move(move)
    newest, before = moved.picture[:, 2 : step - 2, 0], moved.picture[:, step + 2 : 2 * step - 2, 0]
    assert abs(np.corrcoef(newest.ravel(), before.ravel())[0, 1]) < 0.6
