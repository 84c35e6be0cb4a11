"""Waves, noise, and curves that rise."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stream_dream.automation.curves import TimeCurve
from stream_dream.automation.expression import Scope, parse
from stream_dream.automation.functions import FUNCTIONS
from stream_dream.automation.timeline import BeatGrid, Timeline, Values
from stream_dream.errors import SettingsError

TIMELINE = Timeline(Fraction(25), 200, None, BeatGrid.regular(120))


def sample(text: str, frames: Values, *, seed: int = 0, **curves: TimeCurve) -> Values:
    return parse(text).sample(np.asarray(frames, float), Scope(TIMELINE, curves, seed))


@pytest.mark.parametrize("period", ["40", "1.6s", "20%", "3.2b", "0.8bar", "20*2"])
@pytest.mark.parametrize(
    ("wave", "quarters"),
    [
        ("sine(P)", [0, 0.5, 1, 0.5]),
        ("tri(P)", [0, 0.5, 1, 0.5]),
        ("saw(P)", [0, 0.25, 0.5, 0.75]),
        ("square(P)", [0, 0, 1, 1]),
        ("square(P, 0.25)", [0, 0, 0, 1]),
        ("pulse(P, 1)", [1, 0, 0, 0]),
        ("pulse(P, 0.5s)", [1, 1, 0, 0]),
        ("pulse(P, 1.6b)", [1, 1, 0, 0]),
        ("sine(P, 0.5)", [1, 0.5, 0, 0.5]),
        ("tri(P, 0.25)", [0.5, 1, 0.5, 0]),
        ("saw(P, -0.25)", [0.75, 0, 0.25, 0.5]),
        ("square(P, 0.5, 0.5)", [1, 1, 0, 0]),
    ],
)
def test_waves_have_their_values_at_quarters_of_every_period(
    wave: str, quarters: list[float], period: str
) -> None:
    frames = np.arange(0, 400, 10.0)
    expected = np.tile(quarters, 10)
    assert sample(wave.replace("P", period), frames) == pytest.approx(expected, abs=1e-8)


def test_a_wave_in_beats_follows_the_tempo() -> None:
    beats = (0.0, 0.5, 1.0, 2.0, 3.0)
    scope = Scope(Timeline(Fraction(25), beats=BeatGrid(beats)))
    on_beats = parse("sine(2b)").sample(np.array(beats) * 25, scope)
    assert on_beats == pytest.approx([0, 1, 0, 1, 0], abs=1e-8)
    # 0.1 s are 2.5 frames, however long the beat is.
    frames = np.array([0, 2, 3, 25, 27, 28, 50, 52, 53.0])
    pulses = parse("pulse(1b, 0.1s)").sample(frames, scope)
    assert pulses.tolist() == [1, 1, 0] * 3


def test_noise_is_smooth_and_within_0_and_1() -> None:
    values = sample("noise(25)", np.arange(0, 25_000))
    assert 0 <= values.min() < 0.02 < 0.98 < values.max() <= 1
    assert values.mean() == pytest.approx(0.5, abs=0.03)
    # A smoothstep's slope is at most 1.5.
    assert np.abs(np.diff(values)).max() <= 1.5 / 25
    knots = values[::25]
    assert abs(np.corrcoef(knots[1:], knots[:-1])[0, 1]) < 0.1


def test_noise_depends_on_both_seeds_alone() -> None:
    frames = np.arange(0, 2500.0)
    plain = sample("noise(25)", frames)
    assert (sample("noise(25, 0)", frames) == plain).all()
    others = [sample("noise(25, 1)", frames), sample("noise(25)", frames, seed=1)]
    others.append(sample("noise(25, 1)", frames, seed=1))
    for other in (*others, sample("noise(25, -1)", frames, seed=2**63 - 1)):
        assert abs(np.corrcoef(plain, other)[0, 1]) < 0.3
    assert np.abs(others[0] - others[1]).max() > 0.3


def test_noise_is_the_same_on_every_machine() -> None:
    # SplitMix64 of 0 and then of the cell's number, computed apart with whole numbers.
    def mix(state: int, number: int) -> int:
        mixed = (state + (number + 1) * 0x9E3779B97F4A7C15) % 2**64
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        return mixed ^ mixed >> 31

    expected = [(mix(mix(0, 0), cell) >> 11) / 2**53 for cell in range(5)]
    assert sample("noise(10)", np.arange(0, 50, 10.0)) == pytest.approx(expected, abs=1e-9)


HITS = TimeCurve(
    np.array([0, 0.3, 0.31, 0.4, 0.5, 0.51, 2, 2.01]), np.array([0, 0, 1, 0, 0, 1, 0, 1], "f4")
)


def test_a_rise_is_1_on_its_first_frame_and_falls() -> None:
    frames = np.arange(0, 75)
    values = sample("kick(0.5, 0.4s)", frames, kick=HITS)
    # Rises at 0.305 and 2.005 s: frames 8 and 51; the one at 0.505 s is within the cooldown.
    assert (values[:8] == 0).all()
    assert values[8] == values[51] == 1
    assert (np.diff(values[8:51]) < 0).all()
    assert values[8 + 25] < 0.05**3.9
    assert 0.04 < sample("kick(0.5, 0.4s)", np.array([8 + 6.25]), kick=HITS)[0] < 0.06
    with_all = sample("kick(0.5, 0)", frames, kick=HITS)
    assert with_all[[8, 13, 51]].tolist() == [1, 1, 1]


def test_a_cooldown_may_be_left_out_or_counted_in_beats() -> None:
    frames = np.arange(0, 75)
    short = sample("kick(0.5)", frames, kick=HITS)
    assert (short == sample("kick(0.5, 0.2s)", frames, kick=HITS)).all()
    assert (sample("kick(0.5, 1b)", frames, kick=HITS)[13]) < 1


def test_a_cooldown_of_a_beat_lets_a_beat_through_that_comes_early() -> None:
    at = np.array([0.5, 0.99, 1.4])  # the last one is an offbeat
    hits = TimeCurve(
        np.stack([at - 0.01, at, at + 0.1], axis=1).ravel(), np.tile(np.float32([0, 1, 0]), 3)
    )
    values = sample("kick(0.5, 1b)", np.arange(40), kick=hits)
    assert np.flatnonzero(values == 1).tolist() == [13, 25]
    beats = np.arange(16) / 2
    hits = TimeCurve(
        np.stack([beats, beats + 0.01, beats + 0.1], axis=1).ravel(),
        np.tile(np.float32([0, 1, 0]), 16),
    )
    values = sample("kick(0.5, 3bar)", np.arange(200), kick=hits)
    assert len(np.flatnonzero(values == 1)) == 2  # beats 0 and 12


def test_a_curve_that_never_rises_is_0() -> None:
    assert (
        sample("kick(0.5)", np.arange(9), kick=TimeCurve(np.zeros(1), np.zeros(1, "f4"))) == 0
    ).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_how_to_write_it(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(name)
    usage = str(caught.value).partition("write ")[2].split(" or ")[0]
    numbers = usage.replace("period", "50").replace("length", "5").replace(", ...", "")
    for parameter in FUNCTIONS[name].parameters:
        numbers = numbers.replace(f"({parameter}", "(1").replace(f" {parameter}", " 1")
    assert np.isfinite(sample(numbers, np.arange(3))).all()
