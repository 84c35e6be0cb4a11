"""Tracks: Deforum's semantics, other keys, and what is said of wrong ones."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from stream_dream.automation.curves import TimeCurve
from stream_dream.automation.expression import Scope
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.automation.track import Track, looks_like_track
from stream_dream.errors import SettingsError

SCOPE = Scope(Timeline(Fraction(25), 121, (0, 30, 60), BeatGrid.regular(120)))


def at(text: str, *frames: float) -> list[float]:
    return Track.parse(text).sample(np.array(frames, float), SCOPE).tolist()


def test_numbers_tween_linearly_as_in_deforum() -> None:
    text = "0: (1.0), 10: (2.0), 30: (-2)"
    assert at(text, 0, 5, 10, 15, 20, 30, 99) == pytest.approx([1, 1.5, 2, 1, 0, -2, -2])


def test_a_formula_holds_until_the_next_key_as_in_deforum() -> None:
    text = "0:(0.5*t), 10:(7), 20:(9)"
    assert at(text, 0, 4, 9, 10, 15, 20) == pytest.approx([0, 2, 4.5, 7, 8, 9])


def test_a_number_tweens_to_the_value_of_a_formula_as_in_deforum() -> None:
    text = "0:(0), 10:(sin(t)), 20:(1)"
    expected = [0, math.sin(10) / 2, math.sin(10), math.sin(13), math.sin(19), 1]
    assert at(text, 0, 5, 10, 13, 19, 20) == pytest.approx(expected)


def test_before_the_first_key_its_value_holds_as_in_deforum() -> None:
    assert at("10:(3), 20:(5)", 0, 10, 15) == pytest.approx([3, 3, 4])
    assert at("10:(t)", 0, 9, 10, 11) == pytest.approx([10, 10, 10, 11])


@pytest.mark.parametrize(
    "text",
    [
        "0:(1), 20:(3)",
        "0:1, 20:3",
        "0: 1 ,20 :3,",
        "20:(3), 0:(1)",
        "'0':('1'), \"20\":(\"3\")",
        '"0":"(1)", "20":"(3)"',
        "0:(7), 0:(1), 20:(3)",
        "0:(1)\n, 20:(3)\n",
        "0:(1), 0.8s:(3)",
        "0:(1), max_f/6:(3)",
    ],
)
def test_ways_to_write_the_same(text: str) -> None:
    assert at(text, 0, 5, 10, 20, 30) == pytest.approx([1, 1.5, 2, 3, 3])


def test_keys_have_any_unit() -> None:
    text = "0:0, shot 2:1, 2s:2, shot 3:3, 0:03:4, 8b:5, max_f:6"
    assert at(text, 30, 50, 60, 75, 100, 120) == pytest.approx([1, 2, 3, 4, 5, 6])
    assert Track.parse(text).needs == {"length", "shots", "beats"}
    assert Track.parse("0:(kick), 50%:(bass)").curves == {"kick", "bass"}


def test_ways_to_the_next_key() -> None:
    assert at("0:(0)@smooth, 4:(1)", 0, 1, 2, 3, 4) == pytest.approx([0, 5 / 32, 0.5, 27 / 32, 1])
    assert at("0:(0) @step, 4:(1)", 0, 3.9, 4) == [0, 0, 1]
    assert at("0:(0)@linear, 4:(1)", 0, 1, 4) == [0, 0.25, 1]
    # A formula that is to tween fades over to the next value.
    assert at("0:(t)@linear, 4:(0)", 0, 1, 2, 3, 4) == pytest.approx([0, 0.75, 1, 0.75, 0])


def test_a_key_beyond_the_end_is_where_it_says() -> None:
    assert at("0:(0), 1000:(1)", 100) == pytest.approx([0.1])


@pytest.mark.parametrize(("text", "value"), [("0.5", 0.5), ("3:(-2)", -2)])
def test_a_single_value_needs_no_key(text: str, value: float) -> None:
    assert Track.parse(text).sample(np.arange(9.0), SCOPE).tolist() == [value] * 9
    assert at("0.6+0.4*sin(2*pi*t/25)", 0, 6.25) == pytest.approx([0.6, 1])


def test_any_part_of_a_film_has_the_same_bits() -> None:
    track = Track.parse(
        "0:(0)@smooth, 37:(noise(9)), 2.2s:(1/3), shot 3:(sin(t))@linear, max_f:(0)"
    )
    frames = np.arange(121.0)
    whole = track.sample(frames, SCOPE)
    parts = [track.sample(frames[begin : begin + 7], SCOPE) for begin in range(0, 121, 7)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    single = [track.sample(frames[n : n + 1], SCOPE) for n in range(121)]
    assert np.concatenate(single).tobytes() == whole.tobytes()


def test_curves_of_files_are_known_by_name() -> None:
    ramp = TimeCurve(np.array([0.0, 4.0]), np.array([0, 1], np.float32))
    track = Track.parse("0:(fader*2)", names=["fader"])
    scope = Scope(SCOPE.timeline, {"fader": ramp})
    assert track.sample(np.array([50.0]), scope) == pytest.approx([1])
    with pytest.raises(SettingsError, match="there is no 'fader'"):
        Track.parse("0:(fader*2)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is empty"),
        (" , ", "column 2: there is nothing before this comma"),
        ("0:(0), 8s:(1+)", "key 8s, column 14: a value is missing before ')'"),
        ("0:(0), 8s:(foo)", "key 8s, column 12: there is no 'foo'"),
        ("0:", "key 0, column 3: a value is missing at the end"),
        (":(3)", "column 1: '' is not a point in time"),
        ("0:(0), eight:(1)", "column 8: 'eight' is not a point in time"),
        ("0:(0) 8s:(1)", "column 1: '0:(0) 8s' is not a point in time"),
        ("0:(0, 8s:(1)", "column 3: this ( is never closed"),
        ("0:(0)), 8s:(1)", "column 6: this ) closes nothing"),
        ("0:(0)@slow", "key 0, column 6: '@slow' is no way"),
        ("0,5", "column 1: '0' has no key: write 12:(0.5), and decimals with a point"),
        ("0:(1), 3", "column 8: '3' has no key"),
        ("0:1," * 10_001, "these are 10001 keys"),
    ],
)
def test_errors_name_key_and_column(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Track.parse(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shot 9:(1)", "key shot 9: there is no shot 9: this film has shots 1 to 3"),
        ("0:(1), 8:(1/(t-9))", "key 8: '(1/(t-9))' is infinite or too large at frame 9"),
        ("0:(bass)", "key 0: 'bass' needs sound"),
    ],
)
def test_errors_of_values_name_the_key(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        at(text, *range(20))
    assert str(caught.value).startswith(message.replace("'(1", "'(1"))


@pytest.mark.parametrize(
    "text", ["0:(0), 2s:(1)", "0:0.5", "sin(t)", "bass", "beat", "my_curve", "1/2", "0.5*t", "-t"]
)
def test_texts_meant_as_tracks(text: str) -> None:
    assert looks_like_track(text, names=["my_curve"])


@pytest.mark.parametrize("text", ["0.5", "-1", "1e-3", " 2 ", "none", "auto", "", "nan", "bas"])
def test_texts_meant_as_plain_values(text: str) -> None:
    assert not looks_like_track(text)
