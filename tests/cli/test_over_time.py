"""What commands make of options whose values change, of scores, and of several looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import one_line
from fake_render import FakeRender

from stream_dream.automation.assemble import assemble
from stream_dream.automation.curves import SOUND_CURVES, TimeCurve
from stream_dream.automation.reaction import DEFAULT_REACTION, JOURNEY_REACTION, JOURNEY_RHYTHM
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.cli.help import page
from stream_dream.cli.over_time import in_a_journey, over_time
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import Automation
from stream_dream.settings.journey import CameraSettings, JourneySettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import part

Run = Callable[..., tuple[int, str, str]]

SCORE = """
strength = "0:(0), 2s:(1)"
step_size = 0.02
preset = "0:dogs, 12s:eyes~2s"
react = "onset->strength+0.3"
bpm = 120
offset = 0.5
soundtrack = "song.mp3"

[layer]
block10 = "0:(1), 5s:(0)"
block8 = "bass"

[class]
"tabby cat" = "beat"

[curves]
mine = "mine.csv"
"""


@pytest.fixture
def score(tmp_path: Path) -> Path:
    (tmp_path / "mine.csv").write_text("0,0\n1,1\n")
    path = tmp_path / "score.toml"
    path.write_text(SCORE)
    return path


CAMERA = dict.fromkeys(CameraSettings.model_fields)
"""The options of a command with the camera of a journey, none of them given."""


def automation(preset: Any = None, **options: Any) -> Automation:
    return over_time(preset, options).automation


def test_plain_values_do_not_change_over_time() -> None:
    options = {"strength": "0.5", "limit": "none", "network": "inception_v1", "layer": ["a=0.5"]}
    over = over_time(None, options)
    assert over.options == options
    assert over.names == ("dogs",)
    assert over.automation == Automation()
    assert over.files == ()


def test_texts_over_time_become_tracks() -> None:
    options = {
        "strength": "0:(0), 2s:(1)",
        "step_size": "0.01*bass",
        "octaves": "beat",
        "layer": ["block10=0:(0), 5s:(1)", "block8=2", " block5:4,2 =sine(2s)"],
        "classes": ["tabby cat=where(t>=5, 1, 0)"],
        "seed": "3",
    }
    over = over_time(None, options)
    assert over.automation.tracks == {
        "strength": "0:(0), 2s:(1)",
        "step_size": "0.01*bass",
        "octaves": "beat",
        "layer.block10": "0:(0), 5s:(1)",
        "layer.block5:4,2": "sine(2s)",
        "class.tabby cat": "where(t>=5, 1, 0)",
    }
    assert over.options["layer"] == ["block10", "block8=2", " block5:4,2 "]
    assert over.options["classes"] == ["tabby cat"]
    assert (over.options["strength"], over.options["seed"]) == (None, "3")


def test_a_score_is_read_with_its_files(score: Path) -> None:
    over = over_time(None, {"score": str(score), "strength": None})
    made = over.automation
    assert made.tracks == {
        "strength": "0:(0), 2s:(1)",
        "step_size": "0.02",
        "layer.block10": "0:(1), 5s:(0)",
        "layer.block8": "bass",
        "class.tabby cat": "beat",
    }
    assert (made.react, made.bpm, made.offset) == ("onset->strength+0.3", 120, 0.5)
    assert made.soundtrack == score.parent / "song.mp3"
    assert made.curves == {"mine": score.parent / "mine.csv"}
    assert (over.names, made.look_track) == (("dogs", "eyes"), "0:dogs, 12s:eyes~2s")
    assert set(over.files) == {score, score.parent / "mine.csv"}


def test_the_command_line_comes_before_the_score(score: Path) -> None:
    given = {
        "score": str(score),
        "strength": "mine",
        "step_size": "0.03",
        "layer": ["block5", "block10=mine"],
        "react": "bass->strength+1",
        "bpm": "90",
        "soundtrack": "other.mp3",
    }
    over = over_time("wild", given)
    made = over.automation
    assert made.tracks == {
        "strength": "mine",
        "layer.block10": "mine",
        "class.tabby cat": "beat",
    }
    assert over.options["step_size"] == "0.03"
    assert over.options["layer"] == ["block5", "block10"]
    assert (made.react, made.bpm, made.offset) == ("bass->strength+1", 90, 0.5)
    assert made.soundtrack == Path("other.mp3")
    assert (over.names, made.look_track) == (("wild",), None)


def test_the_score_comes_before_the_preset(run: Run, fake: FakeRender, score: Path) -> None:
    score.write_text('strength = "0:(0), 1s:(1)"\noctaves = 7\npreset = "wild"\n')
    assert run("render", "a.mp4", "b.mp4", "--score", str(score))[0] == 0
    made: Automation = fake.asked["automation"]
    assert made.tracks == {"strength": "0:(0), 1s:(1)", "octaves": "7"}
    assert fake.asked["dream"] == load_preset("wild").dream


def test_beats_are_given_in_one_way(score: Path) -> None:
    made = automation(score=str(score), beats="beats.txt")
    assert (made.bpm, made.offset, made.beats) == (None, None, Path("beats.txt"))
    score.write_text('beats = "mine.txt"\n')
    made = automation(score=str(score), bpm="100", offset="1")
    assert (made.bpm, made.offset, made.beats) == (100, 1, None)
    with pytest.raises(SettingsError, match=r"--bpm and --beats both"):
        automation(bpm="100", beats="beats.txt")
    with pytest.raises(SettingsError, match=r"--offset is .* of --bpm: give that, too"):
        automation(offset="1")
    with pytest.raises(SettingsError, match=r"--offset is .* of --bpm: give that, too"):
        automation(score=str(score), offset="1")


def test_react_alone_is_the_default_reaction() -> None:
    assert automation(react="default").react == DEFAULT_REACTION


@pytest.mark.parametrize(
    ("preset", "names", "track"),
    [
        (None, ("dogs",), None),
        ("eyes", ("eyes",), None),
        ("dogs,eyes, wild", ("dogs", "eyes", "wild"), None),
        (("dogs", "eyes"), ("dogs", "eyes"), None),
        ("dogs,dogs", ("dogs",), None),
        ("0:dogs", ("dogs",), "0:dogs"),
        ("dogs, 2s:eyes~1s, 4s:dogs", ("dogs", "eyes"), "dogs, 2s:eyes~1s, 4s:dogs"),
    ],
)
def test_looks_are_one_several_or_timed(
    preset: Any, names: tuple[str, ...], track: str | None
) -> None:
    over = over_time(preset, {})
    assert (over.names, over.automation.look_track) == (names, track)


def test_a_long_track_of_looks_is_no_name_of_a_file() -> None:
    text = ", ".join(f"{second}s:{'dogs' if second % 2 else 'eyes'}~0.5s" for second in range(500))
    assert over_time(text, {}).names == ("eyes", "dogs")


def test_looks_may_be_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.toml", "b, c.toml"):
        (tmp_path / name).write_text("octaves = 2\n")
    assert over_time("b, c.toml", {}).names == ("b, c.toml",)
    over = over_time("0:dogs, 2s:a.toml", {})
    assert (over.names, over.files) == (("dogs", "a.toml"), (Path("a.toml"),))


def test_looks_of_a_score_lie_in_its_folder(tmp_path: Path, score: Path) -> None:
    score.write_text('preset = "a.toml, dogs, b.toml"\n')
    here = str(tmp_path)
    assert over_time(None, {"score": str(score)}).names == (
        f"{here}/a.toml",
        "dogs",
        f"{here}/b.toml",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strenth = 1", "strenth cannot change over time here: did you mean strength?"),
        ("zoom = 1", "zoom cannot change over time here: it moves the camera of a journey"),
        ("bpm = 5", "bpm cannot be 5: give at least 20"),
        ("offset = 1e9\nbpm = 100", "offset cannot be 1000000000.0: give at most 36000"),
        ('strength = "0:(0), 2x:(1)"', "strength: column "),
        ("[layer]\nblock10 = true", "layer.block10: give a number, or a track"),
        ("[foo]\na = 1", "no sections but [layer], [class], [guide_layer], [curves]"),
        ("", None),
    ],
)
def test_errors_of_a_score_name_it(score: Path, text: str, message: str | None) -> None:
    score.write_text(text)
    if message is None:
        assert automation(score=str(score)) == Automation()
        return
    with pytest.raises(SettingsError) as refused:
        automation(score=str(score))
    assert str(score) in str(refused.value)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preset", ""), "--preset: column 1: the name of a look is missing"),
        (("--preset", "dogs,,eyes"), "there is no preset ''"),
        (("--preset", "0:nosuch"), "there is no preset 'nosuch'"),
        (("--preset", "long" * 80), "there is no preset 'longlong"),
        (("--preset", "0:dogs~2x"), "--preset: column "),
        (("--react", ""), "--react: this is empty"),
        (("--react", "bass->"), "--react: column "),
        (("--strength", "0:(0"), "--strength: "),
        (("--strength", "__import__('os')"), "--strength: "),
        (("--layer", "block10=0:(0), 1x:(1)"), "--layer block10: "),
        (("--layer", "blo:ck=sin(t)"), "--layer: "),
        (("--offset", "1"), "--offset is the time of a beat of --bpm"),
    ],
)
def test_mistakes_are_one_line(
    run: Run, fake: FakeRender, arguments: tuple[str, str], message: str
) -> None:
    code, out, err = run("render", "a.mp4", "b.mp4", *arguments)
    assert (code, out) == (2, "")
    assert message in one_line(err)
    assert not fake.asked


def test_targets_of_a_score_take_the_place_of_the_look_s(score: Path) -> None:
    score.write_text('[layer]\n"block5:42" = "sine(8b)"\nblock10 = 0.5\n[class]\ntabby = "t"\n')
    for preset in ("dogs", "wild"):
        over = over_time(preset, {"score": str(score), "bpm": "120"})
        assert over.options["layer"] == ["block5:42", "block10"]
        assert over.options["classes"] == ["tabby"]
        dream, automation = over.with_dreams(quiet=True, as_json=False)
        assert [str(layer) for layer in dream.layer] == ["block5:42", "block10"]
        assert automation.tracks["layer.block5:42"] == "sine(8b)"
    given = over_time(None, {"score": str(score), "layer": ["block3"], "bpm": "120"})
    assert given.options["layer"] == ["block3"]
    assert not [name for name in given.automation.tracks if name.startswith("layer.")]


def test_the_scores_of_the_manual_work(tmp_path: Path) -> None:
    examples = re.findall(r"^```toml\n(.*?)^```", page("music"), re.DOTALL | re.MULTILINE)
    assert len(examples) == 3
    (tmp_path / "common.toml").write_text("jitter = 20\n")
    (tmp_path / "swell.csv").write_text("0,0\n2,1\n")
    timeline = Timeline(Fraction(25), 250, beats=BeatGrid.regular(120))
    heard = {name: TimeCurve(np.arange(2.0), np.ones(2, np.float32)) for name in SOUND_CURVES}
    for example in examples:
        path = tmp_path / "score.toml"
        path.write_text(example)
        travels = "[[path]]" in example
        over = over_time(None, {**(CAMERA if travels else {}), "score": str(path)})
        dream, automation = over.with_dreams(quiet=True, as_json=False)
        journey = CameraSettings() if travels else None
        assemble(dream, automation, timeline, heard, journey=journey).check(250)


def test_the_camera_of_a_journey_is_automated_by_options() -> None:
    given = {"zoom": "1.3/s", "pan": "sin(t/40)*0.01, 0", "centre": "0.5,0.45", "angle": "0.4"}
    over = over_time(None, {**CAMERA, **given})
    assert over.automation.tracks == {"zoom": "1.3/s", "pan_x": "sin(t/40)*0.01", "pan_y": "0"}
    assert (over.options["zoom"], over.options["pan"]) == (None, None)
    settings = part(CameraSettings, over.options)
    assert (settings.centre, settings.angle, settings.zoom) == ((0.5, 0.45), 0.4, 1.02)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"zoom": "0:(1), 2s:(0)"}, "--zoom: key 2s: there is no zoom of 0: give more than 0"),
        ({"zoom": "0/s"}, "--zoom: there is no zoom of 0: give more than 0"),
        ({"pan": "t"}, "--pan: column 1: 't' is not two values: give two"),
        ({"pan": "0:(0,0), 2s:(1,y)"}, "--pan: key 2s, column 16: there is no 'y'"),
        ({"centre": "0.5,t/s"}, "--centre: centre is no motion: leave out /s"),
    ],
)
def test_a_wrong_camera_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        over_time(None, {**CAMERA, **given})
    assert str(refused.value).startswith(message)


def test_options_of_the_camera_come_before_the_score(tmp_path: Path) -> None:
    path = tmp_path / "score.toml"
    path.write_text('pan = "0:(0,0), 2s:(1,1)"\nzoom = "1.3/s"\n[[path]]\nat = 1\nroll = 2')
    over = over_time(None, {**CAMERA, "score": str(path), "pan": "0.1,0", "zoom": "1.05"})
    assert over.automation.tracks == {"roll": "1:(2.0)@smooth"}
    with pytest.raises(SettingsError, match="cannot change over time here: it moves the camera"):
        over_time(None, {"score": str(path)})
    path.write_text("strength = 1")
    with pytest.raises(SettingsError, match=r"score\.toml: strength .* a journey has no source"):
        over_time(None, {**CAMERA, "score": str(path)})


def test_looks_of_a_journey_follow_each_other_by_the_clock() -> None:
    over = over_time("dogs,eyes", {})
    looks = (load_preset("dogs").dream, load_preset("eyes").dream)
    automation = over.automation.model_copy(update={"looks": looks})
    made = in_a_journey(part(JourneySettings, {"every": "3"}), automation)
    timeline = Timeline(Fraction(25), 1000)
    program = assemble(looks[0], made, timeline, {}, journey=CameraSettings())
    after = [looks.index(program.at(second * 25 + 1).fade.after) for second in range(12)]
    assert after == [0, 0, 0, 1, 1, 1] * 2
    assert [program.at(frame).fade.share for frame in (74, 119, 149)] == [1, 1, 1]
    assert 0 < program.at(80).fade.share < program.at(100).fade.share < 1


def test_looks_of_a_journey_that_closes_come_in_whole_rounds() -> None:
    looks = (load_preset("dogs").dream, load_preset("eyes").dream)
    made = in_a_journey(part(JourneySettings, {"every": "3"}), Automation(looks=looks))
    timeline = Timeline(Fraction(25), 250)  # 10 s: two rounds of 2.5 s a look
    program = assemble(looks[0], made, timeline, {}, journey=CameraSettings(), loop=True)
    middles = [round(62.5 * place + 31) for place in range(4)]
    moments = [program.at(frame) for frame in middles]
    assert [moment.look for moment in moments] == [0, 1, 0, 1]
    last, first = program.at(249).fade, program.at(0).fade
    assert (last.before, last.after) == (first.before, first.after) == (looks[1], looks[0])
    assert last.share == pytest.approx(first.share, abs=0.1)


def test_react_alone_in_a_journey_moves_its_camera() -> None:
    usual = Automation(react=DEFAULT_REACTION)
    settings = part(JourneySettings, {"every": None})
    assert in_a_journey(settings, usual).react == JOURNEY_REACTION
    by_clock = in_a_journey(part(JourneySettings, {"every": "4"}), usual)
    assert (by_clock.react, by_clock.every) == (JOURNEY_RHYTHM, 4)
    own = Automation(react="bass->tilt+1")
    assert in_a_journey(settings, own).react == "bass->tilt+1"
    assert in_a_journey(settings, Automation()).react is None
