"""The path of a score: places, the looks there, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import TIMELINE, look

from stream_dream.automation.assemble import assemble
from stream_dream.automation.program import Program
from stream_dream.automation.score import read_score
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import Automation
from stream_dream.settings.journey import CameraSettings

SCORE = """
step_size = 0.02
pan = [0.01, 0]

[[path]]
at = 0
centre = [0.25, 0.5]
zoom = 1.01
look = "dogs"

[[path]]
at = "4s"
centre = [0.75, 0.5]
look = "eyes"

[[path]]
at = "8s"
zoom = 1.03
look = "dogs ~1s"
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def program_of(path: Path) -> Program:
    """Return the program of a journey with a score, of two looks."""
    score = read_score(path)
    looks = (look(octaves=2), look(octaves=3))
    values = {"tracks": score.tracks, "look_track": score.settings.get("preset")}
    automation = Automation.model_validate({**values, "looks": looks})
    return assemble(looks[0], automation, TIMELINE, {}, journey=CameraSettings())


def test_a_path_leads_the_camera_and_the_looks_from_place_to_place(tmp_path: Path) -> None:
    program = program_of(write(tmp_path / "score.toml", SCORE))
    moments = [program.at(frame) for frame in (0, 50, 100, 200, 900)]
    cameras = [moment.camera for moment in moments]
    assert [camera.centre_x for camera in cameras] == pytest.approx([0.25, 0.5, 0.75, 0.75, 0.75])
    zooms = [camera.zoom for camera in cameras]
    assert zooms == pytest.approx([1.01, 1.013125, 1.02, 1.03, 1.03])
    assert {camera.pan_x for camera in cameras} == {0.01}
    assert [moment.fade.after.octaves for moment in moments] == [2, 2, 3, 2, 2]
    assert [program.at(frame).fade.share for frame in (125, 150, 225)] == [0.5, 1, 1]
    assert program.at(220).fade.share < 1
    assert moments[0].dream.step_size == 0.02


def test_values_of_a_path_may_be_per_second(tmp_path: Path) -> None:
    text = '[[path]]\nat = 0\nzoom = "1.3/s"\npan = "0.5, 0 / s"\n[[path]]\nat = 100\nzoom = "2/s"'
    program = program_of(write(tmp_path / "score.toml", text))
    assert program.at(0).camera.zoom ** 25 == pytest.approx(1.3)
    assert program.at(100).camera.zoom ** 25 == pytest.approx(2)
    assert program.at(9).camera.pan_x == pytest.approx(0.02)


def test_a_path_replaces_that_of_a_score_that_is_extended(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", SCORE + 'roll = 2\n[layer]\nblock5 = "1"')
    own = write(
        tmp_path / "own.toml",
        'extends = "base.toml"\npan_y = 0.5\nstep_size = 1\n[[path]]\nat = 5\ntilt = 3',
    )
    score = read_score(own)
    assert score.tracks == {
        "step_size": "1",
        "pan_x": "0.01",
        "pan_y": "0.5",
        "tilt": "5:(3.0)@smooth",
        "layer.block5": "1",
    }
    assert score.settings == {}
    above = write(tmp_path / "above.toml", 'extends = "base.toml"\nzoom = "1.1"\npreset = "eyes"')
    score = read_score(above)
    assert (score.tracks["zoom"], score.settings["preset"]) == ("1.1", "eyes")
    assert score.tracks["roll"] == "8s:(2.0)@smooth"


def test_files_of_looks_start_at_the_folder_of_the_score(tmp_path: Path) -> None:
    text = '[[path]]\nat = "2s"\nlook = "mine.toml"'
    score = read_score(write(tmp_path / "score.toml", text))
    assert score.settings == {"preset": f"2s:{tmp_path / 'mine.toml'}~2s"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[path]\nat = 1", "path: a path is a list of places: begin each with a line [[path]]"),
        ("path = 1", "path: a path is a list of places"),
        ("path = [1]", "path: place 1: give its time, as in at = '4s'"),
        ("[[path]]\nzoom = 1.1", "path: place 1: give its time"),
        ("[[path]]\nat = 1\n[[path]]\nat = '4x'", "path: place 2: '4x' is not a point in time"),
        ("[[path]]\nat = true", "path: place 1: at is a point in time"),
        ("[[path]]\nat = 1\nzom = 1", "path: place 1: a place has no 'zom': did you mean zoom?"),
        ("[[path]]\nat = 1\nstep_size = 1", "path: place 1: a place has no 'step_size': write"),
        ("[[path]]\nat = 1\nzoom = 'a'", "path: place 1: zoom is a number: write 1.02"),
        ("[[path]]\nat = 1\nzoom = nan", "path: place 1: zoom is a number"),
        (f"[[path]]\nat = 1\nzoom = 1{'0' * 400}", "path: place 1: zoom is a number"),
        ("[[path]]\nat = 1\nzoom = true", "path: place 1: zoom is a number"),
        ("[[path]]\nat = 1\ncentre = 0.5", "path: place 1: centre is two numbers: write [0.5, "),
        ("[[path]]\nat = 1\nzoom = [1, 2]", "path: place 1: zoom is a number"),
        ("[[path]]\nat = 1\nlook = 3", "path: place 1: look is the name of a look"),
        ("[[path]]\nat = 1\nlook = 'dogz'", "preset: there is no preset 'dogz': did you mean dogs"),
        ("[[path]]\nat = '4s'\nzoom = 0", "zoom: key 4s: there is no zoom of 0: give more than 0"),
        ("[[path]]\nat = 1\ncentre = '0.5,0.5/s'", "centre: centre is no motion: leave out /s"),
        (
            "[[path]]\nat = 1\nzoom = 1\n[[path]]\nat = 2\nzoom = '1.3/s'",
            "path: zoom is per second (/s) at some places alone: give one unit",
        ),
        ("zoom = 1.1\n[[path]]\nat = 1\nzoom = 1", "zoom is given twice, in [[path]]"),
        ("pan = [0, 0]\npan_x = 1", "pan_x is given twice"),
        ("pan = 3", "pan: give two numbers in a list, or a track"),
        ("pan = '0:(0,0), 2s:(1,x)'", "pan: key 2s, column 16: there is no 'x'"),
        ("depth = '0.5/s'", "depth: depth is no motion: leave out /s, per second"),
        ("zoom = -1", "zoom: there is no zoom of -1"),
        ("[layer]\nzoom = 1", "zoom is a setting: write it above [layer]"),
    ],
)
def test_errors_name_file_and_place(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "score.toml", text)
    with pytest.raises(SettingsError) as caught:
        read_score(path)
    found = str(caught.value)
    assert found.startswith(f"{path}: {message}")
    assert "\n" not in found


def test_before_the_first_look_of_a_path_it_is_the_usual_one(tmp_path: Path) -> None:
    text = "[[path]]\nat = 0\nzoom = 1.01\n\n[[path]]\nat = '4s'\nlook = 'eyes'\n"
    score = read_score(write(tmp_path / "score.toml", text))
    assert score.settings["preset"] == "0:dogs, 4s:eyes~2s"
