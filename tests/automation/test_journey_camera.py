"""The camera of a journey over time: moments, units, pairs, and what is said of wrong ones."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from programs import RISING, look, program

from stream_dream.automation.journey_camera import (
    CAMERA_NAMES,
    CAMERA_SETTINGS,
    camera_move,
    camera_range,
    names_of,
    pair_tracks,
    setting_of,
)
from stream_dream.automation.moment import Moment
from stream_dream.automation.program import Program
from stream_dream.automation.reaction import JOURNEY_REACTION
from stream_dream.automation.timeline import Timeline
from stream_dream.camera_move import CameraMove
from stream_dream.errors import SettingsError
from stream_dream.settings.journey import CameraSettings
from stream_dream.settings.validation import validated

SETTINGS = CameraSettings(zoom=1.03, angle=0.5, pan=(0.01, -0.02), centre=(0.4, 0.6), roll=1)
MOVE = CameraMove(zoom=1.03, angle=0.5, pan_x=0.01, pan_y=-0.02, centre_x=0.4, centre_y=0.6, roll=1)


def journey(settings: CameraSettings = SETTINGS, *, loop: bool = False, **given: Any) -> Program:
    """Return the program of a journey."""
    return program(rest={"journey": settings, "loop": loop}, **given)


def test_a_camera_that_nothing_changes_moves_as_its_settings_say() -> None:
    still = journey()
    assert still.sampler is None
    assert still.at(3).camera == still.at(900).camera == MOVE
    assert program().at(3).camera == Moment.still(still.looks[0]).camera == CameraMove()
    other_change = journey(tracks={"step_size": "0:(0.01), 10:(0.02)"})
    assert other_change.at(5).camera == MOVE


def test_what_changes_replaces_its_part_of_the_motion() -> None:
    tracks = {"zoom": "0:(1), 10:(1.1)", "pan_y": "t/1000", "depth": "0.5", "tilt": "-2"}
    moment = journey(tracks=tracks).at(5)
    assert moment.camera == MOVE._replace(zoom=1.05, pan_y=0.005, depth=0.5, tilt=-2.0)
    assert moment.push == 0
    assert moment.strength == 1


def test_a_zoom_is_still_a_push_where_there_is_no_journey() -> None:
    moment = program(tracks={"zoom": "0.1"}, rest={"camera": True}).at(5)
    assert (moment.push, moment.camera) == (0.1, CameraMove())


def test_the_camera_reacts() -> None:
    moved = journey(sound={"bass": RISING}, react="bass->zoom*1.1, bass->centre_x+0.2")
    first, last = moved.at(0).camera, moved.at(999).camera
    assert first == MOVE
    assert last.zoom == pytest.approx(1.03 * 1.1, abs=1e-3)
    assert last.centre_x == pytest.approx(0.6, abs=1e-3)
    assert last._replace(zoom=1.03, centre_x=0.4) == MOVE


def test_the_reaction_of_journeys_is_one_that_they_can_have() -> None:
    sound = dict.fromkeys(("bass", "onset"), RISING)
    danced = journey(sound=sound, react=JOURNEY_REACTION)
    assert danced.at(999).camera.zoom == pytest.approx(1.06, abs=1e-3)
    assert danced.at(999).dream.step_size > danced.at(0).dream.step_size


def test_parts_move_the_camera_in_another_process() -> None:
    tracks = {"zoom": "1.3/s", "centre_x": "0.5+0.1*sin(t/7)", "angle": "noise(1s)"}
    whole = journey(tracks=tracks)
    for made in (whole, journey()):
        sent = pickle.loads(pickle.dumps(made.part(250, 310)))
        cameras = [sent.at(frame).camera for frame in range(250, 310)]
        assert cameras == [made.at(frame).camera for frame in range(250, 310)]


def test_values_per_second_do_not_depend_on_the_rate() -> None:
    for fps in (Fraction(12), Fraction(25), Fraction(30000, 1001)):
        rate = float(fps)
        moved = journey(
            timeline=Timeline(fps),
            tracks={"zoom": "0:(1.3), 4s:(1.5) / s", "angle": "10/s", "pan_x": "0:(0.5)/s"},
        ).at(0)
        assert moved.camera.zoom**rate == pytest.approx(1.3)
        assert moved.camera.angle * rate == pytest.approx(10)
        assert moved.camera.pan_x * rate == pytest.approx(0.5)
    halfway = journey(tracks={"zoom": "0:(1.3), 4s:(1.5)/s"}).at(50).camera.zoom
    assert halfway**25 == pytest.approx(1.4)


def test_elsewhere_the_letter_s_is_still_the_seed() -> None:
    assert program(look(seed=2), tracks={"strength": "1/s"}).at(0).strength == 0.5
    assert journey(dream=look(seed=2), tracks={"depth": "1/s+0"}).at(0).camera.depth == 0.5
    assert journey(dream=look(seed=2), tracks={"angle": "(4)*(1/s)"}).at(0).camera.angle == 2


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        ({"zoom": "0"}, "--zoom: there is no zoom of 0: give more than 0"),
        ({"zoom": "-1/s"}, "--zoom: there is no zoom of -1: give more than 0"),
        ({"zoom": "0:(1), 2s:(0)"}, "--zoom: key 2s: there is no zoom of 0: give more than 0"),
        ({"zoom": "0:(nan)"}, "--zoom: key 0, column 4: there is no 'nan'"),
        ({"centre_x": "0.5/s"}, "--centre: centre is no motion: leave out /s, per second"),
        ({"depth": "0:(0.5)/s"}, "--depth: depth is no motion: leave out /s, per second"),
        ({"zoom": "0:(1.3/s), 10s:(1.5/s)"}, "--zoom: column 1: per second is said once, for all"),
        ({"angle": "(2*sin(t)/s)"}, "--angle: column 1: per second is said once, for all"),
        ({"angle": "0:10/s, 5s:(20)/s"}, "--angle: column 1: per second is said once, for all"),
        ({"pan_x": "0:(0.1/s)@smooth, 9:(0)/s"}, "--pan: column 1: per second is said once, for"),
        ({"angle": "log(t-5)"}, "angle: 'log(t-5)' is not a number at frame 0"),
        ({"strength": "1"}, "strength cannot change over time here: a journey has no source"),
        ({"persistence": "0.5"}, "persistence cannot change over time here: a journey has no sou"),
        ({"pan": "1"}, "pan cannot change over time here: did you mean pan_x or pan_y?"),
    ],
)
def test_refusals_say_what_and_why(tracks: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        journey(tracks=tracks).check(1000)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", CAMERA_NAMES)
def test_elsewhere_the_camera_of_journeys_does_not_move(name: str) -> None:
    with pytest.raises(SettingsError, match=r"moves the camera of .*a journey"):
        program(tracks={name: "0.5"})
    with pytest.raises(SettingsError, match=r"moves the camera of .*a journey"):
        program(react=f"t->{name}+0.5", rest={"camera": name != "zoom"})


def test_no_factor_moves_the_zoom_of_a_loop() -> None:
    with pytest.raises(SettingsError, match=r"--react: 'beat->zoom\*2': zoom is 0 at rest"):
        program(react="beat->zoom*2", rest={"camera": True})
    with pytest.raises(SettingsError, match="zoom is no motion in a loop: leave out /s"):
        program(tracks={"zoom": "0.1/s"}, rest={"camera": True})


def test_computed_values_beyond_the_range_are_clipped_and_said() -> None:
    wild = journey(tracks={"zoom": "1-t", "pan_x": "t", "centre_y": "-t", "roll": "99*t"})
    assert wild.at(100).camera == MOVE._replace(zoom=0.5, pan_x=1, centre_y=-1, roll=180)
    assert (
        wild.clipped == "values beyond the range of centre_y, pan_x, roll, zoom were clipped to it"
    )
    for formula in ("0*t/s", "-t/s", "0:(1), 2s:(-t)/s"):
        assert journey(tracks={"zoom": formula}).at(100).camera.zoom == 0.5


def test_ranges_are_those_of_the_settings() -> None:
    assert {name for setting in CAMERA_SETTINGS for name in names_of(setting)} == {*CAMERA_NAMES}
    for name in CAMERA_NAMES:
        for value in camera_range(name):
            setting = setting_of(name)
            given = value if setting == name else (value, value)
            settings = validated(CameraSettings, {setting: given})
            assert getattr(camera_move(settings), name) == value
            beyond = value * 1.01 + 0.01 if value > 0.5 else value * 1.01 - 0.01
            given = beyond if setting == name else (beyond, 0)
            with pytest.raises(SettingsError, match=f"--{setting} cannot be"):
                validated(CameraSettings, {setting: given})


def test_a_journey_that_closes_ends_as_it_begins() -> None:
    timeline = Timeline(Fraction(25), 200)
    tracks = {"zoom": "0:(1), max_f:(1.1)", "pan_x": "0:(0.01), max_f:(-0.01)/s"}
    closed = journey(loop=True, timeline=timeline, tracks=tracks)
    steps = [closed.at(frame % 200).camera for frame in range(180, 202)]
    assert steps[20] == closed.at(0).camera
    zooms = np.array([step.zoom for step in steps])
    assert abs(zooms[20] - zooms[19]) < 0.002
    assert np.abs(np.diff(zooms)).max() < 0.02
    opened = journey(timeline=timeline, tracks=tracks)
    assert opened.at(199).camera.zoom == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("sin(t/40)*0.01, 0", "sin(t/40)*0.01", "0"),
        ("max(0.1, t), min(t, 2)/s", "max(0.1, t)/s", "min(t, 2)/s"),
        ("(t, 1)", "( t )", "( 1)"),
        ("0:(0,0), 10s:(0.01,-1)@smooth", "0:(0 ), 10s:(0.01 )@smooth", "0:( 0), 10s:( -1)@smooth"),
        ("'0:(0,max(1,t)), 9:(1,2)/s'", "0:(0 ), 9:(1 ) /s", "0:( max(1,t)), 9:( 2) /s"),
    ],
)
def test_a_pair_is_two_tracks(text: str, first: str, second: str) -> None:
    def plain(found: str) -> str:
        return found.replace(" ", "")

    tracks = pair_tracks("pan", text)
    assert {name: plain(found) for name, found in tracks.items()} == {
        "pan_x": plain(first),
        "pan_y": plain(second),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sin(t)", "column 1: 'sin(t)' is not two values: give two, such as 'sin(t/40)"),
        ("1, 2, t", "column 1: '1, 2, t' is not two values"),
        ("0:(0,0), 2s:(1)", "column 14: '1' is not two values"),
        ("0:(0,0), 2s:1", "column 13: '1' is not two values"),
        ("0:0,0", "column 3: '0' is not two values"),
        ("0:(0,1+)", "key 0, column 8: a value is missing"),
        ("0:(x,1)", "key 0, column 4: there is no 'x'"),
        ("0:(0,0", "column 3: this ( is never closed"),
        ("t, x", "column 4: there is no 'x'"),
        ("0:(0,0), 9", "column 10: '9' has no key: write 0:(0, 0), 2s:(0.1, 0)"),
        ("", "column 1: '' is not two values"),
    ],
)
def test_errors_of_pairs_name_the_column(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        pair_tracks("pan", text)
    assert str(caught.value).startswith(message)
    with pytest.raises(SettingsError, match="centre is no motion"):
        pair_tracks("centre", "t, t/s")
