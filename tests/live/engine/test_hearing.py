"""Curves that are heard: their newest value, and when they rose above a threshold."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from live_sound import FakeSound

from stream_dream.automation.expression import Scope, parse
from stream_dream.automation.timeline import Timeline
from stream_dream.live.engine.hearing import HeardCurve, heard


def test_the_newest_value_holds() -> None:
    curve = HeardCurve()
    assert curve.sample(np.array([0.0])).tolist() == [0]
    curve.hear(1.0, 0.7)
    assert curve.sample(np.array([0.5, 2.0])).tolist() == [0.7, 0.7]


def test_rises_are_found_between_values_and_not_during_a_cooldown() -> None:
    curve = HeardCurve()
    assert not len(curve.rises(0.5, 0.3))
    for number in range(60):  # a peak every 0.2 s
        curve.hear(number * 0.1, float(number % 2))
    # At 5.85 s it was too soon after the one before.
    assert curve.rises(0.5, 0.3).tolist() == pytest.approx([5.25, 5.65])
    curve.hear(6.0, 0.0)
    curve.hear(6.1, 0.5)
    assert len(curve.rises(0.5, 0.3)) == 2  # it is not above it yet
    assert curve.rises(0.5, 0.3)[-1] == pytest.approx(5.65)


def test_a_cooldown_in_beats_follows_the_tempo() -> None:
    curve = HeardCurve()
    curve.rises(0.5, 0.5)
    curve.hear(0.0, 0.0)
    curve.hear(0.1, 1.0)
    for step in range(100):  # as the tempo does
        assert len(curve.rises(0.5, 0.5 + 0.001 * step)) == 1


def test_memory_is_bounded() -> None:
    curve = HeardCurve()
    rng = np.random.default_rng(0)
    for number in range(20_000):
        if number % 10 == 0:
            curve.rises(float(rng.random()), float(rng.random()))
        curve.hear(number * 0.01, float(rng.random()))
    kept = [curve._watches, *(watch.rises for watch in curve._watches)]
    assert sum(map(len, kept)) < 60
    assert sys.getsizeof(curve._watches) < 1000


def test_formulas_see_rises() -> None:
    curve = HeardCurve()
    scope = Scope(Timeline(Fraction(25)), {"onset": curve})
    flash = parse("onset(0.5)")
    shown = []
    for frame in range(50):
        curve.hear(frame / 25, float(frame in (10, 11, 12)))
        shown.append(float(flash.sample(np.array([float(frame)]), scope)[0]))
    assert not any(shown[:10])
    assert shown[10] == 1
    assert shown[10:40] == sorted(shown[10:40], reverse=True)
    assert shown[20] < 0.05


def test_the_status_tells_what_is_heard() -> None:
    told = heard(FakeSound(tempo=120.0, values={"bass": 0.123456}))
    assert (told.state, told.tempo) == ("ok", 120.0)
    assert told.curves["bass"] == 0.123
    assert {"level", "onset", "beat", "bar"} <= told.curves.keys()
