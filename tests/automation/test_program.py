"""Programs: the settings of each frame, wherever a part begins and whoever asks for it."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from programs import RISING, TIMELINE, look, program

from stream_dream.automation.program import Program
from stream_dream.automation.timeline import Timeline
from stream_dream.errors import SettingsError

TRACKS = {
    "strength": "0:(0.2), 2s:(1) @smooth, shot 2:(0.5+0.3*sin(2*pi*t/25)*noise(2s)), 90%:(0.1)",
    "step_size": "0.009*(1+bass)",
    "octaves": "0:(2) @step, shot 3:(5)",
    "colours": "tri(4b)",
    "layer.block10": "0:(1), 50%:(-0.5)",
}


def rich() -> Program:
    """Return a program in which almost everything changes."""
    looks = (look(), look(layer=["block5=2", "block10"], persistence=0.5))
    return program(
        sound={"bass": RISING},
        tracks=TRACKS,
        react="bass->strength+0.2, beat->momentum*0.9",
        looks=looks,
        look_track="0:a, 100:b~50, shot 3:a~2s",
    )


def test_a_frame_is_the_same_wherever_a_part_begins() -> None:
    whole = rich()
    for begin, end in ((0, 1000), (0, 1), (99, 151), (255, 257), (700, 1000), (999, 1000)):
        part = rich().part(begin, end)
        for frame in {begin, (begin + end) // 2, end - 1}:
            assert part.at(frame) == whole.at(frame)


def test_parts_are_pickled_as_numbers() -> None:
    whole, part = rich(), rich().part(250, 310)
    sent: Program = pickle.loads(pickle.dumps(part))
    assert [sent.at(frame) for frame in range(250, 310)] == [
        whole.at(frame) for frame in range(250, 310)
    ]
    assert (sent.varying, sent.changing, sent.looks) == (whole.varying, whole.changing, whole.looks)
    assert len(pickle.dumps(part)) < len(pickle.dumps(rich().part(0, 1000)))


def test_threads_that_ask_get_the_same_moments() -> None:
    asked, known = rich(), rich()
    frames = [frame for frame in range(0, 1000, 3) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        moments = list(pool.map(asked.at, frames))
    assert moments == [known.at(frame) for frame in frames]


def test_without_changes_all_frames_have_one_moment() -> None:
    dream = look()
    still = Program((dream,), 0.7, 0.3)
    moment = still.at(0)
    assert still.at(12345) is moment
    assert moment.dream is moment.fade.before is moment.fade.after is dream
    assert (moment.strength, moment.mask_strength, moment.push) == (0.7, 0.3, 0.0)
    assert still.part(5, 9) is still
    assert (still.varying, still.clipped) == (frozenset(), None)
    assert (still.looks_in(0, 9), still.octaves_in(0, 9, 0)) == ([0], [5])
    still.check(100)


def test_what_does_not_change_is_kept() -> None:
    moment = program(tracks={"octaves": "3"}, rest={"strength": 0.4, "mask_strength": 0.6}).at(7)
    assert (moment.strength, moment.mask_strength) == (0.4, 0.6)
    assert moment.dream == look(octaves=3)


def test_whole_numbers_are_rounded() -> None:
    moments = program(tracks={"octaves": "0:(1), 10:(2)", "jitter": "7.5+0.02*t"})
    octaves = [moments.at(frame).dream.octaves for frame in range(11)]
    assert octaves == sorted(octaves)
    assert set(octaves) == {1, 2}
    assert octaves.index(2) in (5, 6)
    assert all(type(moments.at(frame).dream.octaves) is int for frame in range(3))
    assert moments.at(0).dream.jitter == 8


def test_numbers_of_octaves_and_looks_are_known_ahead() -> None:
    known = rich()
    assert known.octaves_in(0, 300, 0) == [2]
    assert known.octaves_in(0, 1000, 1) == [2, 5]
    assert known.looks_in(0, 100) == [0]
    assert known.looks_in(0, 1000) == [0, 1]
    assert known.looks_in(200, 1000) == [1, 0]
    for begin, end in ((0, 130), (130, 700)):
        used = {known.at(frame).look for frame in range(begin, end)}
        assert used <= set(known.looks_in(begin, end))


def test_weights_go_to_the_looks_that_have_the_target() -> None:
    looks = (look(), look(layer=["block5=2", "block10=0.5"]), look(layer=["block10:42"]))
    changed = program(
        tracks={"layer.block10": "0.25", "layer.block10:42": "0:(3)"},
        looks=looks,
        look_track="0:a, 10:b, 20:c",
    )
    weights = [
        [(str(target.name), target.weight) for target in changed.at(frame).dream.layer]
        for frame in (0, 10, 20)
    ]
    assert weights == [
        [("block10", 0.25)],
        [("block5", 2.0), ("block10", 0.25)],
        [("block10", 3.0)],
    ]
    assert changed.varying == {"weights"}


def test_classes_and_guides_have_weights_too() -> None:
    dream = look(classes=["tabby cat=2", "281"], guide_layer=["block8"])
    changed = program(
        dream, tracks={"class.tabby cat": "0:(0), 10:(1)", "guide_layer.block8": "t/100"}
    )
    moment = changed.at(5).dream
    assert [target.weight for target in moment.classes] == [0.5, 1.0]
    assert moment.guide_layer[0].weight == 0.05
    assert moment.layer == dream.layer


@pytest.mark.parametrize(
    ("name", "varying"),
    [
        ("strength", set()),
        ("octaves", set()),
        ("colours", {"colours"}),
        ("evenness", {"evenness"}),
        ("layer.block10", {"weights"}),
    ],
)
def test_what_a_trace_has_to_leave_open(name: str, varying: set[str]) -> None:
    assert program(tracks={name: "0.5"}).varying == varying


def test_a_fade_mixes_what_acts_between_ascents_and_alternates_ascents() -> None:
    looks = (look(persistence=0.5, octaves=2), look(persistence=0.9, octaves=4))
    fading = program(looks=looks, look_track="0:a, 100:b~100")
    moments = [fading.at(frame) for frame in range(300)]
    shares = [moment.fade.share for moment in moments[100:201]]
    assert shares == sorted(shares)
    assert (shares[0], shares[50], shares[100]) == (0, pytest.approx(0.5), 1)
    for moment in moments:
        assert moment.dream == looks[moment.look]
        expected = 0.5 if moment.fade.after == looks[0] else 0.5 + 0.4 * moment.fade.share
        assert moment.fade.growth().persistence == pytest.approx(expected)
    follow = np.array([moment.look for moment in moments])
    assert not follow[:100].any()
    assert follow[200:].all()
    # As many ascents follow the look that comes as its share says, all along the fade.
    assert np.abs(np.cumsum(follow[100:200]) - np.cumsum(shares[:100])).max() < 2


def test_looks_without_times_are_spread_evenly() -> None:
    looks = tuple(look(octaves=count) for count in (2, 3, 4))
    spread = program(looks=looks)
    after = [looks.index(spread.at(frame).fade.after) for frame in range(1000)]
    assert after == sorted(after)
    counts = np.bincount(after)
    assert counts.max() - counts.min() <= 1


def test_looks_change_with_bars() -> None:
    looks = tuple(look(octaves=count) for count in (2, 3))
    changing = program(looks=looks, react="bar/4->preset")  # 200 frames each
    after = [looks.index(changing.at(frame).fade.after) for frame in (0, 199, 200, 399, 400, 999)]
    assert after == [0, 0, 1, 1, 0, 0]


def test_clipped_values_are_said_once_and_only_of_frames_that_were_asked_for() -> None:
    wild = program(tracks={"strength": "0:(0), 500:(5)", "octaves": "0:(3) @step, 900:(99)"})
    for frame in range(200):
        assert wild.at(frame).strength == pytest.approx(frame / 100)
    assert wild.clipped is None
    assert wild.at(400).strength == 2
    assert wild.at(500).strength == 2
    assert wild.clipped == "values beyond the range of strength were clipped to it"
    part = wild.part(890, 910)
    assert part.at(905).dream.octaves == 12
    assert wild.clipped == "values beyond the range of octaves, strength were clipped to it"


def test_values_of_looks_that_are_not_shown_are_not_said_to_be_clipped() -> None:
    looks = (look(step_size=0.01), look(step_size=0.15))
    pushed = program(
        sound={"bass": RISING}, react="bass->step_size*2", looks=looks, look_track="0:a, 800:b"
    )
    pushed.part(0, 800)
    assert pushed.clipped is None
    pushed.part(0, 1000)
    assert pushed.clipped is not None


def test_a_length_that_is_not_known_changes_nothing() -> None:
    unknown = Timeline(Fraction(25), beats=TIMELINE.beats)
    tracks = {
        "strength": "0:(0.2), 2s:(noise(3s)), 11s:(0.1*beat % 1)",
        "octaves": "0:(2), 300:(7)",
    }
    known, other = program(tracks=tracks), program(tracks=tracks, timeline=unknown)
    assert [known.at(frame) for frame in range(600)] == [other.at(frame) for frame in range(600)]


def test_a_formula_may_fail_beyond_the_end() -> None:
    failing = program(
        tracks={"strength": "1/(300-t)"},
        timeline=Timeline(Fraction(25)),
        looks=(look(), look()),
        look_track="0:a, 50:b",
    )
    assert failing.at(299).strength == 1
    assert failing.looks_in(0, 300)
    failing.check(None)
    failing.check(300)
    with pytest.raises(SettingsError, match=r"^strength: .*300"):
        failing.check(301)


def test_files_of_looks_are_found_and_replaced(tmp_path: Path) -> None:
    looks = (look(guide="a.png"), look(), look(guide="b.png"))
    moved = program(looks=looks).with_files(
        {"guide of look 1": tmp_path / "a.png", "guide of look 3": tmp_path / "b.png"}
    )
    assert program(looks=looks).files.keys() == {"guide of look 1", "guide of look 3"}
    assert [dream.guide for dream in moved.looks] == [tmp_path / "a.png", None, tmp_path / "b.png"]
    assert moved.at(0).dream.guide == tmp_path / "a.png"
