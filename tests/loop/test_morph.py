"""Objectives that change along a loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import synthetic

from stream_dream.dream.ascent import Ascent
from stream_dream.frame import ImageF
from stream_dream.image import to_float
from stream_dream.loop.morph import Morph
from stream_dream.settings.dream import DreamSettings

Make = Callable[..., DreamSettings]
FRAMES = 20


@pytest.fixture
def keyframes(tiny: Make) -> list[Ascent]:
    return [Ascent(tiny(layer=[name], step_size=0.02)) for name in ("conv1", "conv2")]


def dreamed(dream: Ascent | Morph, index: int = 0) -> ImageF:
    source = to_float(synthetic.photo((64, 48)))
    rng = np.random.default_rng(3)
    return dream(source, np.zeros_like(source), index=index, rng=rng)[0]


@pytest.mark.slow
def test_at_a_keyframe_only_its_objective_dreams(keyframes: list[Ascent]) -> None:
    morph = Morph(keyframes, FRAMES)
    # Two keyframes lie at a quarter and at three quarters of the loop.
    np.testing.assert_array_equal(dreamed(morph, 5), dreamed(keyframes[0]))
    np.testing.assert_array_equal(dreamed(morph, 15), dreamed(keyframes[1]))


@pytest.mark.slow
def test_between_two_keyframes_both_dream(keyframes: list[Ascent]) -> None:
    morph = Morph(keyframes, FRAMES)
    middle = (dreamed(keyframes[0]) + dreamed(keyframes[1])) / 2
    np.testing.assert_allclose(dreamed(morph, 10), middle, atol=1e-6)
    np.testing.assert_allclose(dreamed(morph, 0), middle, atol=1e-6)
    # The dream approaches the nearer keyframe.
    ways = [np.abs(dreamed(morph, index) - dreamed(keyframes[1])).mean() for index in range(6, 16)]
    assert ways == sorted(ways, reverse=True)
    assert ways[0] > ways[4] > ways[-1]


@pytest.mark.slow
def test_a_shot_begins_where_the_loop_stands(tiny: Make) -> None:
    values = {"step_size": 0.02, "warm_up": 2, "octaves": 1}
    one, other = (Ascent(tiny(layer=[name], **values)) for name in ("conv1", "conv2"))
    source = to_float(synthetic.photo((64, 48)))

    def begun(dream: Ascent | Morph, index: int = 0) -> ImageF:
        return dream.begin(source, index=index, rng=np.random.default_rng(3))

    morph = Morph([one, other], FRAMES)
    np.testing.assert_array_equal(begun(morph, 5), begun(one))
    np.testing.assert_allclose(begun(morph, 10), (begun(one) + begun(other)) / 2, atol=1e-6)
    assert np.abs(begun(one)).max() > 0.02


@pytest.mark.slow
def test_the_way_is_closed_and_smooth(keyframes: list[Ascent]) -> None:
    morph = Morph(keyframes, FRAMES)
    around = [dreamed(morph, index) for index in range(FRAMES)]
    apart = np.abs(dreamed(keyframes[0]) - dreamed(keyframes[1])).mean()
    steps = [np.abs(around[i] - around[i - 1]).mean() for i in range(FRAMES)]
    assert max(steps) < 0.4 * apart
    np.testing.assert_array_equal(dreamed(morph, FRAMES), around[0])


def test_a_single_keyframe_dreams_alone(keyframes: list[Ascent]) -> None:
    morph = Morph(keyframes[:1], FRAMES)
    for index in (0, 7):
        np.testing.assert_allclose(dreamed(morph, index), dreamed(keyframes[0]), atol=1e-7)
