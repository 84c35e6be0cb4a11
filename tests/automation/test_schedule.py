"""Schedules: values block by block, clipped to their ranges."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from programs import RISING, TIMELINE

from stream_dream.automation.expression import Scope
from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.program import sampled
from stream_dream.automation.reaction import Reaction
from stream_dream.automation.schedule import Schedule
from stream_dream.automation.timeline import Timeline
from stream_dream.automation.track import Track
from stream_dream.errors import SettingsError

SCOPE = Scope(TIMELINE, {"bass": RISING})


def schedule(
    *bases: dict[str, float],
    ranges: dict[str, tuple[float, float]] | None = None,
    react: str | None = None,
    looks: str | None = None,
    **tracks: str,
) -> Schedule:
    return Schedule(
        SCOPE,
        bases or ({"strength": 1.0, "octaves": 5.0},),
        ranges or dict.fromkeys(tracks, (0.0, 2.0)),
        tracks={name: Track.parse(text) for name, text in tracks.items()},
        reaction=None if react is None else Reaction.parse(react),
        looks=None if looks is None else LookTrack.parse(looks),
    )


@pytest.mark.parametrize("frame", [0, 1, 255, 256, 257, 511, 767, 768, 999])
def test_blocks_include_the_frame_and_end_with_the_film(frame: int) -> None:
    values = schedule(strength="t/500").around(frame)
    end = values.first + len(values.share)
    assert values.first <= frame < end <= 1000
    assert values.around(frame) is values
    np.testing.assert_allclose(values.numbers["strength"][0], np.arange(values.first, end) / 500)


def test_a_film_that_turns_out_longer_goes_on() -> None:
    values = schedule(strength="t/1000").around(1003)
    assert values.numbers["strength"][0, 1003 - values.first] == 1.003


def test_values_of_a_span_are_those_of_its_frames() -> None:
    base = {"strength": 1.0}
    whole = schedule(base, base, strength="0:(0), 500:(3)", looks="0:a, 200:b~200")
    span = sampled(whole, 100, 900)
    assert (span.first, len(span.share)) == (100, 800)
    for frame in (100, 255, 256, 300, 511, 512, 899):
        block, place = whole.around(frame), frame - 100
        at = frame - block.first
        assert span.numbers["strength"][0, place] == block.numbers["strength"][0, at]
        assert span.share[place] == block.share[at]
        beyond = block.beyond.get("strength", np.zeros(256, bool))
        assert span.beyond["strength"][place] == beyond[at] == (frame > 333)


def test_values_stay_within_their_range() -> None:
    values = schedule(ranges={"strength": (0.25, 1.5)}, strength="0:(-5), 200:(5)").around(0)
    found = values.numbers["strength"][0]
    assert (found.min(), found.max()) == (0.25, 1.5)
    wanted = -5 + 10 * np.arange(256) / 200
    wanted[200:] = 5
    assert values.beyond["strength"].tolist() == ((wanted < 0.25) | (wanted > 1.5)).tolist()


def test_each_look_has_values_of_its_own() -> None:
    bases = {"strength": 1.0, "octaves": 5.0}, {"strength": 0.5, "octaves": 2.0}
    ranges = {"strength": (0.0, 2.0), "octaves": (1.0, 12.0)}
    values = schedule(*bases, ranges=ranges, react="bass->octaves+3", strength="0.3").around(999)
    assert values.numbers["strength"][:, -1].tolist() == [0.3, 0.3]  # a track holds for all
    assert values.numbers["octaves"][:, -1].tolist() == [8, 5]  # a reaction adds to each


def test_a_weight_is_left_to_the_looks_that_have_it_and_a_limit_is_given_to_all() -> None:
    bases = {"layer.a": 1.0, "limit": 0.4}, {"layer.b": 1.0}
    values = Schedule(
        SCOPE,
        bases,
        {"layer.a": (-100, 100), "limit": (0, 1)},
        tracks={"layer.a": Track.parse("2"), "limit": Track.parse("0.5")},
        reaction=None,
        looks=None,
    ).around(0)
    assert values.numbers["layer.a"][0, 0] == 2
    assert math.isnan(values.numbers["layer.a"][1, 0])
    assert values.numbers["limit"][:, 0].tolist() == [0.5, 0.5]
    assert values.beyond == {}


def test_a_formula_that_fails_later_does_not_fail_now() -> None:
    failing = schedule(strength="sqrt(100-t)/10")
    assert failing.around(90).numbers["strength"][0, 90] == pytest.approx(math.sqrt(10) / 10)
    with pytest.raises(SettingsError, match=r"^strength: "):
        failing.around(101)


@pytest.mark.parametrize("frames", [12, 100, 600])
def test_the_end_of_a_loop_leads_back_to_its_beginning(frames: int) -> None:
    timeline = Timeline(Fraction(25), frames=frames)
    track, limits = {"strength": Track.parse("0.2 + t/500")}, {"strength": (0.0, 2.0)}
    loop, film = (
        Schedule(
            Scope(timeline),
            [{"strength": 1.0}],
            limits,
            tracks=track,
            reaction=None,
            looks=None,
            loop=closed,
        )
        for closed in (True, False)
    )
    values, usual = (sampled(one, 0, frames).numbers["strength"][0] for one in (loop, film))
    last = frames - min(12, frames // 4)
    np.testing.assert_array_equal(values[:last], usual[:last])
    assert abs(values[-1] - values[0]) < 0.2 * abs(usual[-1] - usual[0])
    assert (np.diff(values[last:]) < 0).all()
