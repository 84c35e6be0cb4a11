"""Looks over time: keys, fades, cycles, and which look a frame follows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stream_dream.automation.look_track import LookTrack, follows, located
from stream_dream.automation.timeline import BeatGrid, Length, Position, Timeline
from stream_dream.errors import SettingsError

TIMELINE = Timeline(Fraction(25), 201, (0, 30, 60, 90), BeatGrid.regular(120))


def weights(track: LookTrack, *frames: float, count: int) -> list[list[float]]:
    """Return the weight of each look at each frame."""
    sampled = track.sample(np.array(frames, float), TIMELINE)
    found = np.zeros((len(frames), count))
    for row, before, after, share in zip(found, *sampled, strict=True):
        row[before] += 1 - share
        row[after] += share
    return np.round(found, 6).tolist()


def test_a_look_fades_into_the_next_from_its_key_on() -> None:
    track = LookTrack.parse("0:dogs, 1s:eyes~2s, shot 4:wild")
    assert track.looks == ("dogs", "eyes", "wild")
    assert track.needs == {"shots"}
    assert weights(track, 0, 25, 37.5, 50, 75, 89, 90, 200, count=3) == [
        [1, 0, 0],
        [1, 0, 0],
        [0.84375, 0.15625, 0],  # smoothstep of a quarter
        [0.5, 0.5, 0],
        [0, 1, 0],
        [0, 1, 0],
        [0, 0, 1],
        [0, 0, 1],
    ]


def test_a_look_that_comes_back_is_one_look() -> None:
    track = LookTrack.parse("0:dogs, 50:eyes, 100:dogs")
    assert track.looks == ("dogs", "eyes")
    assert weights(track, 49, 50, 100, count=2) == [[1, 0], [0, 1], [1, 0]]


def test_keys_are_placed_anew_only_on_another_timeline(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    frame_at = Timeline.frame_at

    def noting(timeline: Timeline, where: Position) -> float:
        asked.append(where)
        return frame_at(timeline, where)

    monkeypatch.setattr(Timeline, "frame_at", noting)
    track = LookTrack.parse("0:a, 4b:b")
    for bpm, change in ((120, 50), (60, 100)):
        timeline = Timeline(Fraction(25), beats=BeatGrid.regular(bpm))
        for frame, look in ((change - 1, 0), (change, 1), (change + 1, 1)):
            assert track.sample(np.array([float(frame)]), timeline).after[0] == look
    assert len(asked) == 4


def test_a_fade_ends_at_the_next_key() -> None:
    track = LookTrack.parse("0:a, 10:b~100, 20:c~10")
    assert weights(track, 15, 20, 25, 30, count=3) == [
        [0.5, 0.5, 0],
        [0, 1, 0],
        [0, 0.5, 0.5],
        [0, 0, 1],
    ]


def test_before_the_first_key_its_look_holds() -> None:
    track = LookTrack.parse("50:a~1s, 100:b")
    assert weights(track, 0, 49, 60, count=2) == [[1, 0]] * 3


@pytest.mark.parametrize("fade", ["25", "1s", "2b", "0.5bar", "12.4378109%"])
def test_a_fade_has_any_unit(fade: str) -> None:
    track = LookTrack.parse(f"0:a, 1s:b ~ {fade}")
    assert weights(track, 25, 37.5, 50, count=2) == [[1, 0], [0.5, 0.5], [0, 1]]


def test_the_share_is_1_where_nothing_changes() -> None:
    before, after, share = LookTrack.parse("0:a, 10:b~10, 30:b~10").sample(
        np.arange(60.0), TIMELINE
    )
    still = np.r_[0:10, 20:60]
    assert (before[still] == after[still]).all()
    assert (share[still] == 1).all()
    assert (share[10:20] < 1).all()


@pytest.mark.parametrize(
    "name",
    [
        "dogs",
        "my look.toml",
        r"C:\looks\a.toml",
        "/looks/a, b.toml",
        "~/a.toml",
        r"C:\LOOK~1\a~2.toml",
    ],
)
def test_a_name_alone_is_a_track(name: str) -> None:
    assert LookTrack.parse(name).looks == (name,)
    assert weights(LookTrack.parse(name), 0, 100, count=1) == [[1], [1]]
    assert LookTrack.parse(f"0:{name}, 0:02:{name}~1s, max_f:x").looks == (name, "x")


@pytest.mark.parametrize("text", [r"C:\looks\a.toml, dogs", "/looks/a:b/x.toml, dogs"])
def test_paths_in_a_list_may_have_colons(text: str) -> None:
    assert LookTrack.parse(text).looks == (text,)


@pytest.mark.parametrize(
    "text", ["a, 50:b", "0:a, 50:b", " 0 : a , 2s : b ", "50:b, 0:a", "0:a,50:b,"]
)
def test_ways_to_write_the_same(text: str) -> None:
    track = LookTrack.parse(text)
    names = [track.looks[number] for number in track.sample(np.array([0.0, 60]), TIMELINE).after]
    assert names == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: the name of a look is missing"),
        ("0:, 3:x", "column 3: the name of a look is missing"),
        ("0:a, 3:~2s", "column 8: the name of a look is missing"),
        ("0:dogs~2x", "column 7: after ~, '2x' is not a length of time"),
        ("0:a, 3beats:b", "column 6: '3beats' is not a point in time"),
        ("0:a, 4:b~1s, 5 bras: c~1s", "column 14: '5 bras' is not a point in time"),
        ("0:a, 5 bras:b.toml", "column 6: '5 bras' is not a point in time"),
        ("four:a", "column 1: 'four' is not a point in time"),
        ("0:a," * 1001, "these are 1001 looks"),
    ],
)
def test_errors_name_the_column(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        LookTrack.parse(text)
    assert str(caught.value).startswith(message)


def test_a_shot_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^key shot 9: there is no shot 9"):
        weights(LookTrack.parse("a, shot 9:b"), 0, count=2)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_looks_around_a_loop(count: int) -> None:
    frames = 20 * count
    track = LookTrack.around(count, frames)
    found = np.array(weights(track, *range(frames + 20), count=count))
    assert found.sum(axis=1) == pytest.approx(1)
    assert found[frames:].tolist() == found[:20].tolist()  # the loop is closed
    for look in range(count):
        # Whole at its place and a fifth of the way around it, half between two.
        place = 20 * look + 10
        assert found[place - 4 : place + 5, look].tolist() == [1] * 9
        assert count == 1 or found[place + 10, look] == 0.5
        assert count < 3 or found[(place + 20) % frames, look] == 0


def test_looks_one_after_the_other_begin_with_the_first() -> None:
    track = LookTrack.every(3, Length(1, "bars"), Length(0.4, "seconds"))
    assert track.needs == {"beats"}
    expected = [[1, 0, 0], [1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5]]
    assert weights(track, 0, 49, 50, 55, 60, 105, count=3) == expected
    assert weights(track, 155, 160, 205, 210, count=3) == [
        [0.5, 0, 0.5],
        [1, 0, 0],
        [0.5, 0.5, 0],
        [0, 1, 0],
    ]


def test_looks_without_a_fade_change_at_once() -> None:
    track = LookTrack.every(2, Length(10, "frames"))
    assert weights(track, 9, 10, 19, 20, count=2) == [[1, 0], [0, 1], [0, 1], [1, 0]]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_frames_follow_a_look_in_proportion_to_its_share(share: float) -> None:
    followed = np.array([follows(share, frame) for frame in range(1000)])
    windows = np.convolve(followed, np.ones(20), "valid") / 20
    assert np.abs(windows - share).max() <= 0.11


def test_files_of_looks_are_found_from_their_folder() -> None:
    folder = Path("/scores")
    text = "dogs, 12s:my.toml~2s, shot 4:/looks/wild.toml"
    assert located(text, folder) == "dogs, 12s:/scores/my.toml~2s, shot 4:/looks/wild.toml"
    assert located("0:a.toml", Path()) == f"0:{Path.cwd() / 'a.toml'}"


def test_before_the_first_beat_the_first_look_is_there() -> None:
    track = LookTrack.every(3, Length(4, "beats"), Length(1, "beats"))
    timeline = Timeline(Fraction(25), beats=BeatGrid.regular(120, 10.0))
    before, after, share = track.sample(np.arange(250.0), timeline)
    assert not before.any()
    assert not after.any()
    assert (share == 1).all()
