"""Assembling programs: what is needed, what is refused, and what follows what."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from programs import RISING, look, program

from stream_dream.automation.assemble import Parsed, beats_of
from stream_dream.automation.changeable import automated_fields, value_range
from stream_dream.automation.reaction import DEFAULT_REACTION
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.errors import SettingsError
from stream_dream.networks.registry import find
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated


def automation(**values: Any) -> Automation:
    return validated(Automation, values)


@pytest.mark.parametrize(
    ("values", "needs", "sound"),
    [
        ({}, set(), False),
        ({"tracks": {"strength": "0:(0), 2s:(sin(t))"}}, set(), False),
        ({"tracks": {"strength": "0:(0), max_f:(1)"}}, {"length"}, False),
        ({"tracks": {"strength": "0:(0), shot 2:(1)"}}, {"shots"}, False),
        ({"tracks": {"strength": "tri(4b)"}}, {"beats"}, True),
        ({"tracks": {"strength": "tri(4b)"}, "bpm": 100}, {"beats"}, False),
        ({"tracks": {"strength": "tri(4b)"}, "beats": "b.txt"}, {"beats"}, False),
        ({"tracks": {"strength": "bass"}, "bpm": 100}, set(), True),
        ({"react": "onset->strength+1"}, set(), True),
        ({"react": "t/9->strength+1"}, set(), False),
        ({"react": "beat->strength+1"}, {"beats"}, True),
        ({"looks": [look(), look()]}, {"length"}, False),
        ({"looks": [look(), look()], "react": "bar/2->preset"}, {"beats"}, True),
        ({"looks": [look(), look()], "look_track": "0:a, shot 2:b"}, {"shots"}, False),
        ({"react": DEFAULT_REACTION}, set(), True),  # with one look, no beats
    ],
)
def test_what_has_to_be_known(values: dict[str, Any], needs: set[str], sound: bool) -> None:
    made = automation(**values)
    parsed = Parsed.of(made)
    assert (parsed.needs, parsed.needs_sound(made)) == (needs, sound)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tracks": {"strenth": "1"}}, r"strenth cannot change over time.*: did you mean strength"),
        ({"tracks": {"seed": "1"}}, r"seed cannot change over time.*: choose cadence, "),
        ({"tracks": {"layer.blok10": "1"}}, r"--layer blok10: .* those are block10$"),
        ({"tracks": {"class.cat": "1"}}, r"--class cat: no look dreams that class"),
        ({"tracks": {"guide_layer.a": "1"}}, r"--guide-layer a: no look dreams that guide-layer"),
        ({"react": "t->strenth+1"}, r"strenth .*: did you mean strength"),
        ({"tracks": {"step_size": "0:(1), 5x:(2)"}}, r"^--step-size: "),
        ({"tracks": {"layer.block10": "0:(1"}}, r"^--layer block10: "),
        ({"react": "bass"}, r"^--react: "),
        ({"tracks": {"strength": "0:(1), shot 9:(2)"}}, r"key shot 9: there is no shot 9"),
        ({"tracks": {"strength": "bass"}}, r"'bass' needs sound, .*--soundtrack"),
        ({"tracks": {"strength": "log(t-5)"}}, r"^strength: "),
    ],
)
def test_refusals_say_what_and_where(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        program(**values).check(1000)
    assert "\n" not in str(refused.value)


def test_layers_left_to_the_network_have_weights_over_time() -> None:
    dream = DreamSettings()
    assert not dream.layer
    (name,) = find(dream.network).default_layers()
    for made in (
        program(dream, tracks={f"layer.{name}": "0:(0), 10:(1)"}),
        program(dream, sound={"bass": RISING}, react=f"bass->layer.{name}=0..20"),
    ):
        (target,) = made.at(5).dream.layer
        assert target.name == name
        assert 0 < target.weight < 1


def test_a_limit_can_change_where_a_look_has_none() -> None:
    dream = look(limit=None)
    moved = program(dream, tracks={"limit": "0:(0.25), 10:(0.75)"})
    assert moved.at(5).dream.limit == 0.5
    assert program(dream, react="t->limit*2").at(5).dream.limit is None
    assert program(dream, tracks={"limit": "0"}).at(5).dream.limit == pytest.approx(0, abs=1e-3)


def test_the_default_reaction_moves_a_camera_where_there_is_one() -> None:
    sound = dict.fromkeys(("bass", "onset"), RISING)
    film = program(sound=sound, react=DEFAULT_REACTION)
    loop = program(sound=sound, react=DEFAULT_REACTION, rest={"camera": True})
    assert film.at(900).push == 0
    assert loop.at(900).push > loop.at(100).push > 0
    assert film.at(900).dream.step_size == loop.at(900).dream.step_size > film.at(0).dream.step_size
    assert film.at(900).strength > 1 > film.at(0).strength


@pytest.mark.parametrize("values", [{"react": "onset->zoom+0.3"}, {"tracks": {"zoom": "0.1"}}])
def test_a_zoom_without_a_camera_is_refused_if_it_was_asked_for(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="zoom moves the camera of a picture's loop"):
        program(sound={"onset": RISING}, **values)
    assert program(sound={"onset": RISING}, **values, rest={"camera": True}).at(900).push > 0


def test_looks_are_spread_around_a_loop_unless_they_have_times() -> None:
    looks = tuple(look(octaves=count) for count in (2, 3, 4))
    rest = {"loop": True}
    around = program(looks=looks, rest=rest)
    assert [around.at(frame).look for frame in (167, 500, 833)] == [0, 1, 2]
    assert around.at(999).fade.share == pytest.approx(around.at(0).fade.share, abs=0.02)
    timed = program(looks=looks, rest=rest, look_track="0:a, 10:b, 20:c")
    assert [looks.index(timed.at(frame).fade.after) for frame in (9, 10, 999)] == [0, 1, 2]


def test_beats_come_from_a_file_or_a_pace_before_those_that_were_found(tmp_path: Path) -> None:
    found = BeatGrid.regular(77)
    assert beats_of(automation(), found) is found
    assert beats_of(automation(), None) is None
    assert beats_of(automation(bpm=120, offset="0.25"), found) == BeatGrid((0.25, 0.75))
    path = tmp_path / "beats.txt"
    path.write_text("1\n2\n4\n")
    assert beats_of(automation(beats=path), found) == BeatGrid((1, 2, 4))


def test_curves_of_files_are_read_only_if_a_formula_names_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("0,0\n40,1\n")
    curves = {"mine": path, "other": tmp_path / "missing.csv"}
    made = program(tracks={"strength": "mine"}, curves=curves)
    assert made.at(500).strength == pytest.approx(0.5)
    with pytest.raises(SettingsError, match=r"missing\.csv"):
        program(tracks={"strength": "mine*other"}, curves=curves)


def test_every_setting_that_changes_has_a_range_that_its_model_accepts() -> None:
    for name in automated_fields():
        model = DreamSettings if name in DreamSettings.model_fields else OutputSettings
        for value in value_range(name):
            assert getattr(validated(model, {name: value}), name) == value


def test_nothing_that_changes_makes_a_still_program() -> None:
    unknown = Timeline(Fraction(25))
    made = program(timeline=unknown, bpm=120, rest={"strength": 0.5, "camera": True, "loop": True})
    assert made.sampler is None
    assert made.at(5).strength == 0.5
    assert program(tracks={"strength": "1"}).sampler is not None


def test_files_of_curves_are_on_the_clock_of_the_sound(tmp_path: Path) -> None:
    fader = tmp_path / "fader.csv"
    fader.write_text("0,0\n10,1\n")
    excerpt = Timeline(Fraction(25), 100, begins=4)
    made = program(tracks={"strength": "fader"}, curves={"fader": str(fader)}, timeline=excerpt)
    assert [made.at(frame).strength for frame in (0, 25)] == pytest.approx([0.4, 0.5])
