"""The command ``stream-dream loop``: the arguments that it passes on, and its output."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import pytest
import synthetic

from stream_dream.errors import Interrupted, SourceError
from stream_dream.frame import StreamInfo
from stream_dream.loop.make_loop import LoopSummary
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.presets import load_preset

Run = Callable[..., tuple[int, str, str]]


class FakeLoop:
    """Replaces ``make_loop`` and records its arguments."""

    def __init__(self) -> None:
        """Create a loop that does not fail."""
        self.asked: dict[str, Any] = {}
        self.error: BaseException | None = None

    def __call__(
        self,
        source: Path,
        target: Path,
        keyframes: list[DreamSettings],
        settings: LoopSettings,
        automation: Automation,
        **rest: Any,
    ) -> LoopSummary:
        """Record the arguments of ``make_loop``."""
        self.asked = {"source": source, "keyframes": keyframes, "settings": settings, **rest}
        self.asked["automation"] = automation
        if self.error is not None:
            raise self.error
        rest["on_start"](StreamInfo(size=(32, 24), fps=Fraction(25), frame_count=2))
        rate = Fraction(30000, 1001)
        return LoopSummary(target, 48, rate, (480, 320), 2.5, 0.218, 9.87, ("one note", "another"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeLoop:
    made = FakeLoop()
    monkeypatch.setattr("stream_dream.loop.make_loop.make_loop", made)
    return made


def test_nothing_given_means_the_default_preset(run: Run, fake: FakeLoop) -> None:
    code, out, err = run("loop", "a.png", "b.gif")
    assert (code, err) == (0, "")
    assert fake.asked["keyframes"] == [load_preset("dogs").dream]
    assert fake.asked["settings"] == LoopSettings()
    assert fake.asked["settings"].model_fields_set == set()
    assert fake.asked["overwrite"] is False
    assert out.splitlines() == [
        "b.gif: 48 frames at 29.97 fps, 480x320, in 9.9 s; closed after 2.5 rounds, the seam adds "
        "0.22 of 255 levels to a frame's change",
        "  one note",
        "  another",
    ]


def test_every_kind_of_option_arrives(run: Run, fake: FakeLoop) -> None:
    options = "--motion zoom --reverse --frames 96 --fps 30 --strength-of-motion 2 --repeat 4"
    options += " --poster --dither none --colors 64 --max-size 2.5MB --longer-side 320 --crf 25"
    options += " --step-size 0.02 --overwrite --quiet"
    assert run("loop", "a.png", "b.mp4", *options.split()) == (0, "", "")
    settings = fake.asked["settings"]
    assert (settings.motion, settings.reverse, settings.frames, settings.fps) == (
        "zoom",
        True,
        96,
        30,
    )
    assert (settings.strength_of_motion, settings.repeat, settings.poster) == (2, 4, True)
    assert (settings.dither, settings.colors, settings.max_size) == ("none", 64, 2_500_000)
    assert (settings.longer_side, settings.crf) == (320, 25)
    assert fake.asked["keyframes"][0].step_size == 0.02
    assert fake.asked["overwrite"] is True


def test_several_presets_are_passed_through(run: Run, fake: FakeLoop) -> None:
    assert run("loop", "a.png", "b.gif", "--presets", "dogs,spirals", "--jitter", "9")[0] == 0
    keyframes = fake.asked["keyframes"]
    assert [str(keyframe.layer[0]) for keyframe in keyframes] == ["block10", "block6"]
    assert [keyframe.jitter for keyframe in keyframes] == [9, 9]
    assert keyframes[0].persistence < 0.98
    run("loop", "a.png", "b.gif", "--presets", "dogs,eyes", "--persistence", "0.98")
    assert [keyframe.persistence for keyframe in fake.asked["keyframes"]] == [0.98, 0.98]


def test_groups_of_layers_are_passed_through(run: Run, fake: FakeLoop) -> None:
    groups = ("--morph-layer", "block10+block5=0.5", "--morph-layer", "block3")
    assert run("loop", "a.png", "b.gif", *groups)[0] == 0
    assert [len(keyframe.layer) for keyframe in fake.asked["keyframes"]] == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--preset", "dogs", "--presets", "dogs,eyes"), "give one of the two"),
        (("--presets", "dogs,nonsense"), "no preset 'nonsense'"),
        (("--motion", "spin"), "--motion cannot be 'spin'"),
        (("--max-size", "big"), "such as 8MB"),
        (("--morph-layer", "block99"), "block99"),
        (("--frames", "1"), "at least 2"),
        (("--strength-of-motion", "0"), "more than 0"),
    ],
)
def test_wrong_options_end_in_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    picture = tmp_path / "a.png"
    write_picture(Picture(synthetic.photo((32, 32))), picture)
    code, out, err = run("loop", str(picture), str(tmp_path / "b.gif"), *arguments)
    assert (code, out) == (2, "")
    assert problem in err
    assert err.count("\n") == 1
    assert not (tmp_path / "b.gif").exists()


def test_wrong_sources_end_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "text.png").write_text("no picture")
    clips.make(tmp_path / "one.mp4", "-frames:v", "1")
    for name in ("missing.mp4", "missing.png", "text.mp4", "text.png", ".", "one.mp4"):
        code, out, err = run("loop", str(tmp_path / name), str(tmp_path / "b.gif"))
        assert (code, out, err.count("\n")) == (2, "", 1), err
    assert not (tmp_path / "b.gif").exists()


def test_notes_are_events_and_lines_of_standard_error(run: Run, fake: FakeLoop) -> None:
    code, out, err = run("loop", "a.png", "b.gif", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert (code, notes) == (0, ["one note", "another"])
    assert err == "stream-dream: one note\nstream-dream: another\n"


@pytest.mark.parametrize(
    ("error", "code"), [(SourceError("it is short"), 2), (Interrupted("kept in x"), 130)]
)
def test_errors_end_in_one_line(run: Run, fake: FakeLoop, error: Exception, code: int) -> None:
    fake.error = error
    found, out, err = run("loop", "a.mp4", "b.gif")
    assert (found, out) == (code, "")
    assert str(error) in err
    assert err.count("\n") == 1


def test_help_names_every_setting(run: Run) -> None:
    words = " ".join(run("loop", "--help")[1].split())
    for name, field in {**DreamSettings.model_fields, **LoopSettings.model_fields}.items():
        assert field.description is not None
        assert field.description in words, name
