"""The command line: options, messages, exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from stream_dream import cli
from stream_dream import render as _render  # noqa: F401  (loaded, so that it can be replaced)
from stream_dream.errors import Interrupted, NetworkError
from stream_dream.frame import FrameReport
from stream_dream.render import RenderSummary
from stream_dream.settings import DreamSettings, OutputSettings, load_preset

Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command line and returns its exit code."""

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["stream-dream", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    return call


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[DreamSettings, OutputSettings]]:
    """Replace the render; return the settings that it was called with."""
    calls: list[tuple[DreamSettings, OutputSettings]] = []

    def fake(source: Path, target: Path, dream: Any, output: Any, **more: Any) -> RenderSummary:
        calls.append((dream, output))
        more["on_report"](FrameReport(0, {"ascent": 0.5}, 1.5, 0.0))
        return RenderSummary(target, 1, 2.0, {"ascent": 0.5}, "in.mp4 is cut short")

    monkeypatch.setattr("stream_dream.render.render", fake)
    return calls


def test_every_setting_has_its_option(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("render", "--help") == 0
    shown = capsys.readouterr().out
    for name, field in (DreamSettings.model_fields | OutputSettings.model_fields).items():
        assert "--" + name.replace("_", "-") in shown
        assert field.description is not None
        assert field.description.split()[0] in shown
    assert "[1 to 12; default: 3]" in " ".join(shown.split())


def test_options_win_over_the_preset(run: Run, rendered: Sequence[Any]) -> None:
    options = "--preset eyes --octaves 2 --layer block5 --layer block6:3=0.5 --no-cuts --end 1:02"
    assert run("render", "in.mp4", "out.mp4", *options.split()) == 0
    dream, output = rendered[0]
    assert dream.octaves == 2
    assert [str(layer) for layer in dream.layer] == ["block5", "block6:3=0.5"]
    assert dream.cuts is False
    assert dream.step_size == load_preset("eyes").dream.step_size
    assert output.end == 62
    assert output.audio is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--octaves", "99"], "--octaves cannot be"),
        (["--octaves", "many"], "--octaves cannot be"),
        (["--size", "axb"], "WIDTHxHEIGHT"),
        (["--start", "noon"], "mm:ss"),
        (["--preset", "cats"], "no preset 'cats'"),
        (["--bogus"], "--bogus"),
    ],
)
def test_wrong_options(
    run: Run, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert run("render", "in.mp4", "out.mp4", *options) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert shown.startswith("stream-dream: error: ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NetworkError("no such layer"), 2),
        (Interrupted("interrupted: 3 frames"), 130),
        (MemoryError("too\nlarge"), 1),
    ],
)
def test_errors_take_one_line(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("stream_dream.render.render", fail)
    assert run("render", "in.mp4", "out.mp4") == code
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "Traceback" not in shown
    monkeypatch.setenv("STREAM_DREAM_DEBUG", "0")
    assert run("render", "in.mp4", "out.mp4", "--debug") == code
    assert "Traceback" in capsys.readouterr().err


def test_what_is_printed(
    run: Run, rendered: Sequence[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run("render", "in.mp4", "out.mp4")
    shown = capsys.readouterr()
    assert shown.out == "out.mp4: 1 frames in 2.0 s, 0.5 fps (side by side: ascent 0.5 s)\n"
    assert shown.err == "stream-dream: warning: in.mp4 is cut short\n"
    run("render", "in.mp4", "out.mp4", "--quiet")
    assert capsys.readouterr().out == ""
    run("render", "in.mp4", "out.mp4", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["loss"] == 1.5
    assert report["seconds"] == {"ascent": 0.5}


def test_lists(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("presets") == 0
    assert "spirals" in capsys.readouterr().out
    assert run("networks") == 0
    assert "efficientnet_lite0" in capsys.readouterr().out
    assert run("networks", "efficientnet_lite0") == 0
    assert "block10" in capsys.readouterr().out
    assert run("networks", "nothing") == 2
    assert run("--version") == 0
