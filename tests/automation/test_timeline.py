"""Positions, lengths and beats."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stream_dream.automation.timeline import BeatGrid, Length, Position, Timeline
from stream_dream.errors import SettingsError

GRID = BeatGrid.regular(120, offset=0.5)
TIMELINE = Timeline(Fraction(25), 101, (0, 30, 72), GRID)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ("12", 12),
        ("0.28s", 7),
        ("2 s", 50),
        ("0:10", 250),
        ("1:02:03.5", 25 * 3723.5),
        ("0%", 0),
        ("50%", 50),
        ("100%", 100),
        ("shot 1", 0),
        ("shot 3", 72),
        ("0b", 12.5),
        ("3b", 50),
        ("1bar", 62.5),
        ("2bars", 112.5),
        ("max_f", 100),
        ("max_f-1", 99),
        ("(max_f / 2)", 50),
        ("max_f*0.25 + 5", 30),
    ],
)
def test_a_position_has_its_frame(text: str, frame: float) -> None:
    assert TIMELINE.frame_at(Position.parse(text)) == frame


def test_a_share_of_the_last_frame_is_rounded_down_as_in_deforum() -> None:
    assert Timeline(Fraction(25), 100).frame_at(Position.parse("max_f/2")) == 49


@pytest.mark.parametrize(
    "text", ["", "x", "-3", "shot", "2m", "max_f*", "1:2:3:4", "9" * 10, "0:75", "max_f/0", "٣"]
)
def test_other_texts_are_no_positions(text: str) -> None:
    with pytest.raises(SettingsError):
        Position.parse(text)


@pytest.mark.parametrize(
    ("text", "need", "message"),
    [
        ("50%", "length", "max_f and % need a length"),
        ("max_f", "length", "max_f and % need a length"),
        ("shot 2", "shots", "shots are unknown here"),
        ("4b", "beats", "beats and bars are unknown here"),
        ("4bar", "beats", "beats and bars are unknown here"),
    ],
)
def test_a_position_says_what_it_needs(text: str, need: str, message: str) -> None:
    position = Position.parse(text)
    assert position.needs == {need}
    with pytest.raises(SettingsError, match=message):
        Timeline(Fraction(25)).frame_at(position)


def test_clocks_and_frames_need_nothing() -> None:
    assert not Position.parse("0:10").needs | Position.parse("3").needs | Length.parse("2s").needs


@pytest.mark.parametrize("number", [0, 4])
def test_a_shot_that_is_not_there_is_named(number: int) -> None:
    with pytest.raises(SettingsError, match=f"no shot {number}: this film has shots 1 to 3"):
        TIMELINE.frame_at(Position(number, "shot"))


@pytest.mark.parametrize("text", ["12", "2s", "25%", "4b", "2bar"])
def test_periods_pass_at_multiples_of_their_length(text: str) -> None:
    length = Length.parse(text)
    begin = TIMELINE.frames_at(length.unit, np.array([0.0, length.amount, 3 * length.amount]))
    assert TIMELINE.periods(length, begin) == pytest.approx([0, 1, 3], abs=1e-6)


def test_a_wave_of_the_whole_length_closes_a_loop() -> None:
    assert TIMELINE.periods(Length(100, "percent"), np.array([101.0])) == pytest.approx([1])


@pytest.mark.parametrize(
    ("text", "seconds"), [("50", 2), ("2s", 2), ("100%", 4.04), ("3b", 1.5), ("2bar", 4)]
)
def test_a_length_in_seconds(text: str, seconds: float) -> None:
    assert TIMELINE.seconds_of(Length.parse(text)) == pytest.approx(seconds)


def test_beats_are_counted_from_the_first_bar_and_go_on_at_both_ends() -> None:
    grid = BeatGrid((1.0, 1.5, 2.5), first_bar=1)
    seconds = np.array([0.0, 1.0, 1.25, 2.0, 2.5, 4.5])
    beats = np.array([-3, -1, -0.5, 0.5, 1, 3])
    assert grid.beats_at(seconds) == pytest.approx(beats)
    assert grid.seconds_at(beats) == pytest.approx(seconds)
    assert grid.bars_at(seconds) == pytest.approx(beats / 4)
    assert grid.distance == pytest.approx(0.75)


def test_two_beats_are_as_good_as_all_of_a_regular_grid() -> None:
    long = BeatGrid(tuple(0.1 + 60 / 97 * beat for beat in range(6000)))
    seconds = np.linspace(0, 3600, 1000)
    assert BeatGrid.regular(97, 0.1).beats_at(seconds) == pytest.approx(long.beats_at(seconds))


@pytest.mark.parametrize("bpm", [0, -1, 1001, float("nan"), float("inf")])
def test_an_impossible_pace_is_refused(bpm: float) -> None:
    with pytest.raises(SettingsError, match="beats a minute: give 1 to 1000"):
        BeatGrid.regular(bpm)


def test_beats_have_room_between_them() -> None:
    with pytest.raises(SettingsError, match=r"the beats at 1 s and 1\.01 s are less than 0\.06 s"):
        BeatGrid((1.0, 1.01, 1.5))


def test_an_excerpt_counts_from_its_first_bar() -> None:
    grid = BeatGrid.regular(120, 0.25)  # bars at 0.25, 2.25, 4.25 s
    assert grid.since(0).seconds_at(np.array([0.0, 4.0])) == pytest.approx([0.25, 2.25])
    # A start is moved to the nearest frame: a bar that it has just passed counts.
    for begins, bar in ((0.1, 0.15), (0.26, -0.01), (0.3, 1.95), (2.2, 0.05), (100, 0.25)):
        excerpt = grid.since(begins)
        assert excerpt.seconds_at(np.array([0.0, 1.0])) == pytest.approx([bar, bar + 0.5])
        assert excerpt.bars_at(np.array(bar)) == pytest.approx(0)


def test_bars_before_the_first_frame_do_not_count() -> None:
    grid = BeatGrid.regular(120, -0.5).since(0)
    assert grid.seconds_at(np.array([0.0])) == pytest.approx([1.5])
    late = BeatGrid.regular(120, 10)
    assert late.since(1).seconds_at(np.array([0.0])) == pytest.approx([9])


@pytest.mark.parametrize("times", [(), (1.0,), (1.0, 1.0), (2.0, 1.0), (1.0, float("nan"))])
def test_beats_are_at_least_two_and_in_order(times: tuple[float, ...]) -> None:
    with pytest.raises(SettingsError):
        BeatGrid(times)
