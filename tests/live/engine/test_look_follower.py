"""Looks that follow each other: every few seconds, with the beats, as a score says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import shows

from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.live.engine.look_follower import LookCycle, LookFollower

LOOKS = ("dogs", "eyes", "wild")


class _Show:
    """Calls a follower as a show of 10 frames a second does."""

    def __init__(self, names: Sequence[str] = LOOKS, each: float | None = None) -> None:
        self.clock, self.controls = shows.Clock(), shows.make_controls()
        self.beat: float | None = None
        self.bpm = 120.0
        self.ready = LOOKS
        self.follow = LookCycle(
            names, self.controls, 10, each=each, beats=lambda: self.beat, clock=self.clock
        )

    def play(self, seconds: float, *, frozen: bool = False) -> list[str]:
        """Return the looks, each as it begins."""
        seen = [self.controls.look]
        for _ in range(round(seconds * 10)):
            status = replace(
                shows.STATUS, preset=self.controls.look, frozen=frozen, ready=self.ready
            )
            self.follow(status)
            self.clock.now += 0.1
            if self.beat is not None:
                self.beat += self.bpm / 600
            if self.controls.look != seen[-1]:
                seen.append(self.controls.look)
        return seen


def test_each_look_stays_as_long() -> None:
    show = _Show()
    assert show.play(9.9) == ["dogs"]
    assert show.play(0.3) == ["dogs", "eyes"]
    assert show.play(9.6) == ["eyes"]
    assert show.play(40) == ["eyes", "wild", "dogs", "eyes", "wild"]


def test_a_look_chosen_by_hand_stays_as_long_and_the_others_follow_it() -> None:
    show = _Show()
    show.play(8)
    show.controls.use("wild")
    assert show.play(9.9) == ["wild"]
    assert show.play(1) == ["wild", "dogs"]
    assert show.play(10) == ["dogs", "eyes"]


def test_a_look_that_is_not_among_them_is_followed_by_the_next_one() -> None:
    show = _Show(["eyes", "wild"])
    assert show.play(25) == ["dogs", "eyes", "wild"]
    show.controls.use("dogs")
    assert show.play(9.9) == ["dogs"]
    assert show.play(1) == ["dogs", "eyes"]


def test_looks_may_come_more_than_once() -> None:
    show = _Show(["dogs", "eyes", "dogs", "wild"])
    assert show.play(45) == ["dogs", "eyes", "dogs", "wild", "dogs"]


@pytest.mark.parametrize("each", [None, 8])
def test_the_time_of_a_frozen_show_does_not_pass(each: float | None) -> None:
    show = _Show(each=each)
    if each is not None:
        show.beat = 0.0
    show.play(2)
    assert show.play(100, frozen=True) == ["dogs"]
    assert show.play(1) == ["dogs"]
    assert show.play(8) != ["dogs"]


@pytest.mark.parametrize("each", [None, 8])
def test_a_look_that_failed_is_skipped(each: float | None) -> None:
    show = _Show(each=each)
    if each is not None:
        show.beat = 0.0
    show.play(1)
    show.controls.drop("eyes")
    assert show.play(18)[:3] == ["dogs", "wild", "dogs"][: 2 if each is None else 3]
    show.controls.drop("dogs")
    show.controls.change({"step_size": 0.1})
    assert show.play(60)[-1] == "wild"
    assert show.controls.target.step_size == 0.1  # it did not begin anew


def test_a_look_that_is_being_prepared_is_left_out() -> None:
    show = _Show()
    show.ready = ("dogs", "wild")
    assert show.play(30.5) == ["dogs", "wild", "dogs", "wild"]
    show.ready = ("wild",)
    assert show.play(30) == ["wild"]
    show.ready = LOOKS
    assert show.play(20) == ["wild", "dogs", "eyes"]


def test_looks_change_with_the_bars() -> None:
    show = _Show(each=8)
    show.beat = 2.0
    assert show.play(2.8) == ["dogs"]
    assert show.play(0.4) == ["dogs", "eyes"]  # beat 8
    assert show.play(4) == ["eyes", "wild"]  # beat 16
    assert show.play(3.4) == ["wild"]


def test_a_look_chosen_just_before_a_bar_is_not_taken_away_by_it() -> None:
    show = _Show(each=8)
    show.beat = 0.0
    show.play(3.5)
    show.controls.use("wild")
    assert show.play(3) == ["wild"]
    assert show.play(2) == ["wild", "dogs"]  # beat 16


def test_a_tempo_that_is_found_late_changes_the_look_once() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        show = _Show(each=16)
        show.play(9 * rng.random())
        show.beat = 16 * rng.random()
        changes = len(show.play(rng.random())) - 1
        show.beat += 4 * rng.random()  # bars turn out to begin elsewhere
        assert changes + len(show.play(1)) - 1 <= 1


def test_without_a_beat_the_seconds_count_again() -> None:
    show = _Show(each=8)
    show.beat = 0.0
    assert show.play(4.5) == ["dogs", "eyes"]
    show.beat = None
    assert show.play(8) == ["eyes"]
    assert show.play(13) == ["eyes", "wild", "dogs"]
    show.beat = 123.0
    assert show.play(1.5) == ["dogs"]
    assert show.play(8) == ["dogs", "eyes", "wild"]


class _Score:
    """A score that a follower follows."""

    def __init__(self, text: str) -> None:
        self.controls, self.seconds = shows.make_controls(), 0.0
        track = LookTrack.parse(text)
        self.follow = LookFollower(track.looks, track, self.controls, self._now)

    def _now(self) -> tuple[float, Timeline]:
        return self.seconds * 25, Timeline(Fraction(25), beats=BeatGrid.regular(60))

    def at(self, seconds: float, *, frozen: bool = False) -> str:
        self.seconds = seconds
        self.follow(replace(shows.STATUS, preset=self.controls.look, frozen=frozen))
        return self.controls.look


def test_a_score_says_which_look_it_is() -> None:
    score = _Score("0:eyes, 8b:wild~2s, 12s:eyes")
    seen = [score.at(seconds) for seconds in (0, 7.9, 8, 11.9, 12, 3000)]
    assert seen == ["eyes", "eyes", "wild", "wild", "eyes", "eyes"]


def test_a_look_chosen_by_hand_stays_until_the_score_changes() -> None:
    score = _Score("0:eyes, 8b:wild, 12s:eyes")
    score.at(0)
    score.controls.use("dogs")
    assert score.at(7) == "dogs"
    assert score.at(8) == "wild"
    score.controls.use("dogs")
    assert score.at(11) == "dogs"
    assert score.at(12) == "eyes"


def test_a_frozen_show_keeps_its_look_and_then_has_that_of_the_score() -> None:
    score = _Score("0:eyes, 8b:wild, 12s:dogs")
    score.at(0)
    assert score.at(9, frozen=True) == "eyes"
    assert score.at(13, frozen=True) == "eyes"
    assert score.at(13) == "dogs"


def test_a_look_of_a_score_that_failed_is_skipped() -> None:
    score = _Score("0:eyes, 8b:wild, 12s:dogs")
    score.at(0)
    score.controls.drop("wild")
    assert score.at(8) == "eyes"
    assert score.at(12) == "dogs"
