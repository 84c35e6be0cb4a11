"""The balance of a picture that is dreamed on for ever."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stream_dream.frame import ImageF
from stream_dream.temporal.balance import Balance

SHAPE = (96, 160)


def texture(strength: float = 1.0, seed: int = 0) -> ImageF:
    """Return noise of all scales around a grey of 0.45."""
    rng = np.random.default_rng(seed)
    total = np.zeros((*SHAPE, 3), np.float32)
    for scale in (1, 2, 4, 8, 16):
        small = rng.standard_normal((SHAPE[0] // scale, SHAPE[1] // scale, 3)).astype(np.float32)
        total += cv2.resize(small, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(0.45 + 0.05 * strength * total / total.std() * 2, 0, 1).astype(np.float32)


def contrast(picture: ImageF) -> float:
    return float(picture.std(axis=(0, 1)).mean())


def held(balance: Balance, picture: ImageF, frames: int = 100) -> ImageF:
    for _ in range(frames):
        picture = balance(picture, None)
    return picture


@pytest.mark.parametrize("strength", [0.4, 3.0])
def test_contrast_comes_back_to_that_of_the_first_picture(strength: float) -> None:
    first, other = texture(), texture(strength, seed=1)
    balance = Balance.of(first)

    def coarse(picture: ImageF) -> float:
        # The finest octaves are raised by what grows alone, which is nothing here.
        return contrast(cv2.GaussianBlur(picture, (0, 0), 4))

    wanted = coarse(held(balance, first))
    assert abs(coarse(other) / wanted - 1) > 0.3
    assert coarse(held(balance, other)) == pytest.approx(wanted, rel=0.15)


def test_the_mean_colour_comes_back() -> None:
    first = texture()
    other = np.clip(texture(seed=1) + np.array([0.2, 0.0, -0.2], np.float32), 0, 1)
    assert held(Balance.of(first), other).mean((0, 1)) == pytest.approx(
        first.mean((0, 1)), abs=0.02
    )


def test_a_picture_in_balance_stays_nearly_as_it_is() -> None:
    first = texture()
    assert np.abs(Balance.of(first)(first, None) - first).mean() < 2 / 255


def test_a_spot_that_burns_is_calmed_more_than_the_rest() -> None:
    first = texture()
    spot = np.s_[30:60, 60:100]
    burning = first.copy()
    burning[spot] += 3 * (burning[spot] - 0.45)
    after = held(Balance.of(first), np.clip(burning, 0, 1), 30)
    assert contrast(after[spot]) < 0.75 * contrast(np.clip(burning, 0, 1)[spot])
    assert contrast(after[:, :40]) > 0.8 * contrast(first[:, :40])


def test_what_grows_is_added_whole_and_more_where_fine_detail_is_missing() -> None:
    first = texture()
    fine = first - cv2.GaussianBlur(first, (0, 0), 1.5)
    change = 0.02 * np.random.default_rng(3).standard_normal(first.shape).astype(np.float32)

    def added(picture: ImageF) -> float:
        balance = Balance.of(first)
        return contrast(balance(picture, change) - balance(picture, None))

    assert added(first - fine) > 1.5 * added(first)
    assert added(first) > 0.5 * contrast(change)


def test_values_never_leave_the_range_and_are_softened_before_it() -> None:
    first = texture()
    change = np.full_like(first, 0.5)
    after = Balance.of(first)(np.ones_like(first), change)
    assert np.isfinite(after).all()
    assert 0.9 < after.max() <= 1
    assert after.min() >= 0


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (2, 300), (17, 16)])
def test_pictures_of_any_shape_have_a_balance(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((*shape, 3)).astype(np.float32)
    after = Balance.of(picture)(picture, np.zeros_like(picture))
    assert after.shape == picture.shape
    assert np.isfinite(after).all()
