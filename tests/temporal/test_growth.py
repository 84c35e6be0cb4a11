"""How a dream grows: momentum, age, evenness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream_dream.frame import Frame, ImageF
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.dreamer import TemporalDreamer
from stream_dream.temporal.flow import Motion, still
from stream_dream.temporal.growth import GROWN_UP, Growth
from stream_dream.tone import room_of

SHAPE = (48, 96)
STILL = Carry(still(SHAPE), persistence=1)
# Every effect off unless a test sets it.
BARE = {"momentum": 0, "catch_up": 0, "evenness": 0, "limit": None, "warm_up": 0}


def settings(**values: Any) -> DreamSettings:
    return DreamSettings(**{**BARE, **values})


def spread(height: float, shape: tuple[int, int] = SHAPE) -> ImageF:
    """Return a checkerboard of 2 pixels, which changes no large area."""
    rows, columns = np.indices(shape) // 2
    return (
        np.where((rows + columns) % 2, height, -height).astype(np.float32)[..., None].repeat(3, 2)
    )


GREY = np.full((*SHAPE, 3), 0.5, np.float32)
GREY.flags.writeable = False


def nothing() -> ImageF:
    """Return the residual of no dream; growing modifies it."""
    return np.zeros((*SHAPE, 3), np.float32)


def strength(image: ImageF) -> float:
    return float(np.sqrt(np.square(image).mean()))


def test_momentum_averages_what_alternates_and_keeps_what_is_steady() -> None:
    rng = np.random.default_rng(0)

    def velocities(momentum: float, changes: list[ImageF]) -> ImageF:
        growth, found = Growth(settings(momentum=momentum)), []
        for change in changes:
            growth.move(STILL)
            growth.push(change.copy(), momentum)
            found.append(growth.velocity)
        return np.stack(found[len(found) // 2 :])

    steady = [spread(0.01)] * 60
    alternating = [spread(0.01 if index % 2 else -0.01) for index in range(60)]
    noise = [rng.normal(0, 0.01, GREY.shape).astype(np.float32) for _ in range(60)]
    assert strength(velocities(0.8, steady)) == pytest.approx(0.01, rel=0.03)
    assert strength(velocities(0.8, alternating)) < 0.12 * 0.01
    # Independent noise is reduced to sqrt((1 - momentum) / (1 + momentum)).
    kept = strength(velocities(0.8, noise)) / strength(velocities(0, noise))
    assert kept == pytest.approx(1 / 3, rel=0.05)


def test_the_velocity_moves_with_the_picture() -> None:
    growth = Growth(settings(momentum=0.5))
    change = nothing()
    change[20:24, 40:44] = 0.1
    growth.push(change.copy(), 0.5)
    flow = np.broadcast_to(np.float32((6, 3)), (*SHAPE, 2)).copy()
    everywhere = np.ones(SHAPE, np.float32)
    growth.move(Carry(Motion(flow, everywhere, everywhere), persistence=1))
    assert growth.velocity is not None
    y, x = np.argwhere(growth.velocity[..., 0] > 0.02).mean(axis=0)
    assert (y, x) == (21.5 - 3, 41.5 - 6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("momentum", "cadence"),
    [
        (0.8, 1),
        *(
            pytest.param(momentum, cadence, marks=pytest.mark.slow)
            for momentum in (0, 0.5, 0.8, 0.95)
            for cadence in (1, 2, 5)
            if (momentum, cadence) != (0.8, 1)
        ),
    ],
)
def test_the_final_strength_depends_on_neither_momentum_nor_cadence(
    momentum: float, cadence: int
) -> None:
    def dream(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        return carried + spread(0.005), 0.0

    values = {"momentum": momentum, "cadence": cadence, "persistence": 0.97, "dream_size": 96}
    dreamer = TemporalDreamer(dream, settings(**values))
    image = np.full((*SHAPE, 3), 128, np.uint8)
    found = []
    for index in range(1000):
        dreamed = dreamer.ascend(dreamer.prepare(Frame(image, index)))
        found.append(strength(dreamed.residual))
    # Each frame adds 0.005 and keeps 0.97.
    assert np.mean(found[-cadence:]) == pytest.approx(0.005 / 0.03, rel=0.02)


def test_changes_of_large_areas_are_removed() -> None:
    change = spread(0.01) + np.float32(0.05)
    for schedule in ("together", "all", "rotate"):
        growth = Growth(settings(schedule=schedule))
        growth.push(change.copy(), 0)
        assert growth.velocity is not None
        np.testing.assert_allclose(growth.velocity.mean(axis=(0, 1)), 0, atol=1e-6)
        assert np.corrcoef(growth.velocity.ravel(), change.ravel())[0, 1] > 0.97
    growth = Growth(settings(schedule="restore"))
    growth.push(change.copy(), 0)
    np.testing.assert_array_equal(growth.velocity, change)


@pytest.mark.parametrize(("finished", "first"), [(False, 0), (True, 1)])
def test_an_age_comes_to_one_in_twenty_frames(finished: bool, first: int) -> None:
    growth = Growth(settings(catch_up=1))
    growth.begin(SHAPE, finished=finished)
    ages = []
    for index in range(GROWN_UP + 5):
        if index:
            growth.move(STILL)
        growth.grow(nothing(), GREY, None)
        assert growth.age is not None
        assert growth.age.min() == growth.age.max()
        ages.append(float(growth.age.max()))
    assert ages[0] == first
    expected = np.minimum(first + np.arange(GROWN_UP + 5) / GROWN_UP, 1)
    np.testing.assert_allclose(ages, expected, atol=1e-6)
    assert ages[-1] == 1


def test_areas_that_come_into_view_catch_up() -> None:
    growth = Growth(settings(catch_up=2))
    growth.begin(SHAPE, finished=False)
    visible, alike = np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    for _ in range(GROWN_UP + 1):
        growth.move(STILL)
        growth.grow(nothing(), GREY, None)
    visible[:, 64:] = 0
    growth.move(Carry(Motion(still(SHAPE).flow, visible, alike), persistence=1))
    growth.push(spread(0.01), 0)
    grown = growth.grow(nothing(), GREY, None)
    old, new = np.abs(grown[8:-8, 8:44]), np.abs(grown[8:-8, 84:-4])
    np.testing.assert_allclose(old, 0.01, rtol=0.06)
    np.testing.assert_allclose(new, 0.01 * (1 + 2 * (1 - 1 / GROWN_UP)), rtol=0.06)
    # Without a seam.
    profile = np.abs(grown[8:-8]).mean(axis=(0, 2))
    assert np.abs(np.diff(profile[48:80])).max() < 0.2 * (new.mean() - old.mean())
    assert growth.age is not None
    assert growth.age[24, 20] == 1
    assert growth.age[24, 90] == pytest.approx(1 / GROWN_UP)


def test_areas_that_are_grown_up_do_not_catch_up() -> None:
    growth = Growth(settings(catch_up=5))
    growth.begin(SHAPE, finished=True)
    growth.push(spread(0.01), 0)
    assert growth.velocity is not None
    np.testing.assert_allclose(growth.grow(nothing(), GREY, None), growth.velocity, atol=1e-7)


def test_evenness_lifts_weak_areas() -> None:
    carried = spread(0.1)
    carried[:, 48:] *= np.float32(0.1)

    def ratio(evenness: float) -> float:
        growth = Growth(settings(evenness=evenness))
        growth.push(spread(0.01), 0)
        grown = np.abs(growth.grow(carried, GREY, None) - carried)
        return float(grown[8:-8, 56:-8].mean() / grown[8:-8, 8:40].mean())

    assert ratio(0) == pytest.approx(1, abs=0.02)
    assert 1.3 < ratio(0.3) < ratio(1) < 10


def test_evenness_has_its_limits() -> None:
    carried = spread(0.1)
    carried[:, 48:] = 0
    growth = Growth(settings(evenness=1))
    growth.push(spread(0.01), 0)
    grown = np.abs(growth.grow(carried, GREY, None) - carried)
    assert grown.max() < 4 * 0.01
    assert grown.min() > 0.01 / 4


@pytest.mark.parametrize("evenness", [0, 0.6, 1])
def test_evenness_does_not_change_an_even_dream(evenness: float) -> None:
    for carried in (nothing(), spread(0.1)):
        growth = Growth(settings(evenness=evenness))
        growth.push(spread(0.01), 0)
        assert growth.velocity is not None
        grown = growth.grow(carried, GREY, None) - carried
        np.testing.assert_allclose(grown, growth.velocity, atol=2e-4)


def test_a_reset_forgets_momentum_and_age() -> None:
    growth = Growth(settings(momentum=0.8, catch_up=1))
    growth.push(spread(0.01), 0.8)
    growth.grow(nothing(), GREY, None)
    growth.reset()
    assert growth.velocity is None
    assert growth.age is None
    carried = spread(0.05)
    np.testing.assert_array_equal(growth.grow(carried, GREY, None), carried)


@pytest.mark.parametrize("limit", [None, 0.05, 0.35])
def test_a_dream_can_always_be_shown(limit: float | None) -> None:
    rng = np.random.default_rng(0)
    source = rng.uniform(0, 1, GREY.shape).astype(np.float32)
    source[:8], source[8:16] = 0, 1
    room = room_of(source, limit)
    growth = Growth(settings(momentum=0.5, catch_up=5, evenness=1, limit=limit))
    residual = nothing()
    for _ in range(10):
        growth.move(STILL)
        growth.push(rng.normal(0, 0.3, GREY.shape).astype(np.float32), 0.5)
        residual = growth.grow(residual, source, room)
        dream = source + residual
        slack = 1e-6 if room is None else 1.01 / 255
        assert dream.min() >= -slack
        assert dream.max() <= 1 + slack
        if limit is not None:
            assert np.abs(residual).max() <= limit + 1e-6


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (2, 40)])
def test_small_pictures_grow(shape: tuple[int, int]) -> None:
    growth = Growth(settings(momentum=0.8, catch_up=1, evenness=1, limit=0.3))
    source = np.full((*shape, 3), 0.5, np.float32)
    residual = np.zeros_like(source)
    for _ in range(3):
        growth.move(Carry(still(shape), persistence=1))
        growth.push(spread(0.1, shape), 0.8)
        residual = growth.grow(residual, source, room_of(source, 0.3))
        assert residual.shape == source.shape
        assert np.isfinite(residual).all()


def test_the_size_may_change_underway() -> None:
    growth = Growth(settings(momentum=0.8, catch_up=1, evenness=1))
    growth.push(spread(0.1), 0.8)
    growth.grow(nothing(), GREY, None)
    half = (SHAPE[0] // 2, SHAPE[1] // 2)
    growth.move(Carry(still(half), persistence=1))
    smaller = np.full((*half, 3), 0.5, np.float32)
    assert growth.grow(np.zeros_like(smaller), smaller, None).shape == smaller.shape


def test_kept_colours_are_kept_whatever_room_each_channel_has() -> None:
    gold = np.full((*SHAPE, 3), (230, 170, 20), np.uint8)

    def dream(source: ImageF, carried: ImageF, **_: object) -> tuple[ImageF, float]:
        shape = np.sin(np.arange(SHAPE[1], dtype=np.float32) / 3)[:, None]
        return carried + np.float32(0.05) * shape, 0.0

    dreamer = TemporalDreamer(dream, settings(keep_colours=True, limit=0.4, dream_size=96))
    for index in range(30):
        residual = dreamer.ascend(dreamer.prepare(Frame(gold, index))).residual
    assert np.abs(residual).max() > 0.02
    np.testing.assert_allclose(residual, residual[..., :1].repeat(3, axis=-1), atol=1e-6)
