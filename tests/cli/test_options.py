"""Options of the command line: help, headings, completion, precedence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import typer
from fake_render import FakeRender
from pydantic import BaseModel, Field
from waiting import SECONDS

from stream_dream.cli.options import with_options
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, fact, typed_name
from stream_dream.settings.film import FilmSettings, PlanSettings
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings
from stream_dream.settings.presets import DEFAULT_PRESET, load_preset
from stream_dream.settings.values import LayerTarget

Run = Callable[..., tuple[int, str, str]]
FILM_SETTINGS = {**DreamSettings.model_fields, **OutputSettings.model_fields}
COMMANDS = ("render", "image", "presets", "live", "looks", "loop", "networks", "plan")
SETTINGS: tuple[type[BaseModel], ...] = (
    *(DreamSettings, OutputSettings, FilmSettings, PlanSettings, StillSettings, LoopSettings),
    *(LiveSettings, ShowParameters),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILM_SETTINGS)
def test_help_names_every_setting(run: Run, name: str) -> None:
    code, out, _ = run("render", "--help")
    assert code == 0
    words = " ".join(out.split())
    assert "--" + typed_name(DreamSettings, name).replace("_", "-") in words
    description = FILM_SETTINGS[name].description
    assert description
    assert description in words


def test_a_new_field_is_a_new_option(capsys: pytest.CaptureFixture[str]) -> None:
    class Model(BaseModel):
        wave_length: float = Field(2.5, ge=1, le=9, description="How long.")
        soft_edges: bool = Field(True, description="Whether soft.")
        shape: Literal["round", "square"] = Field("round", description="Which.")
        limit: float | None = Field(None, gt=0, description="How much.")

    taken: dict[str, Any] = {}

    @with_options(Model)
    def command(**options: Any) -> None:
        taken.update(options)

    app = typer.Typer(rich_markup_mode=None)
    app.command()(command)
    app(["--wave-length", "3", "--no-soft-edges"], standalone_mode=False)
    assert taken == {"wave_length": "3", "soft_edges": False, "shape": None, "limit": None}
    app(["--help"], standalone_mode=False)
    words = " ".join(capsys.readouterr().out.split())
    assert "How long. [1 to 9; default: 2.5]" in words
    assert "--soft-edges / --no-soft-edges" in words
    assert "Whether soft. [default: on]" in words
    assert "Which. [round | square; default: round]" in words
    assert "How much. [above 0; default: none]" in words


@pytest.mark.parametrize("command", COMMANDS)
def test_more_than_twenty_options_are_listed_under_headings(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", out, re.MULTILINE)
    assert len(options) == len(set(options))
    headings = re.findall(r"^(\w[\w ]*):$", out, re.MULTILINE)
    if len(options) <= 20:
        assert headings[-1] == "Options"
        return
    assert "Options" not in headings
    listed = [heading for heading in headings if heading != "Arguments"]
    assert listed == [heading for heading in Heading if heading in listed]
    assert 5 <= len(listed) <= 12
    general = out[out.index("\nGeneral:\n") :]
    assert {"--overwrite", "--quiet", "--debug", "--help"} <= set(re.findall(r"--\w+", general))


def test_every_setting_has_a_heading_of_its_own() -> None:
    for model in SETTINGS:
        for name, field in model.model_fields.items():
            assert fact(field, "heading") in set(Heading) - {Heading.GENERAL}, name


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("re",), ["render", "recipe"]),
        (("render", "--sched"), ["--schedule"]),
        (("render", "--schedule", "re"), ["restore"]),
        (("image", "--preset", "surp"), ["surprise"]),
        (("live", "--preset", "spir"), ["spirals"]),
        (("loop", "--presets", "dogs,spir"), ["dogs,spirals"]),
        (("presets", "spir"), ["spirals"]),
        (("presets", "surp"), []),
        (("looks", "a.png", "b.png", "--only", "dogs,spir"), ["dogs,spirals"]),
        (("looks", "a.png", "b.png", "--only", "surp"), []),
        (("render", "--guide", ""), []),
    ],
)
def test_bash_completes_commands_options_and_their_values(
    tmp_path: Path, words: tuple[str, ...], found: list[str]
) -> None:
    command = tmp_path / "stream-dream"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stream_dream "$@"\n')
    command.chmod(0o755)
    script = (
        'source <(stream-dream --show-completion)\nCOMP_WORDS=(stream-dream "$@")\n'
        "COMP_CWORD=$#\n_stream_dream_completion stream-dream\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (done.stdout.split(), done.stderr) == (found, "")


def test_nothing_given_means_the_default_preset(run: Run, fake: FakeRender) -> None:
    run("render", "a.mp4", "b.mp4")
    assert fake.asked["dream"] == load_preset(DEFAULT_PRESET).dream
    assert fake.asked["output"] == OutputSettings()
    assert (fake.asked["source"], fake.asked["target"]) == (Path("a.mp4"), Path("b.mp4"))
    assert fake.asked["overwrite"] is False


def test_options_win_over_the_preset_and_the_preset_over_the_defaults(
    run: Run, fake: FakeRender, tmp_path: Path
) -> None:
    preset = tmp_path / "my.toml"
    preset.write_text('layer = ["block5", "block7"]\noctaves = 5\njitter = 3\ncuts = false\n')
    run("render", "a.mp4", "b.mp4", "--preset", str(preset), "--octaves", "2")
    dream = fake.asked["dream"]
    assert [layer.name for layer in dream.layer] == ["block5", "block7"]
    assert (dream.octaves, dream.jitter, dream.cuts) == (2, 3, False)
    assert dream.steps == DreamSettings().steps


def test_every_kind_of_option_arrives(run: Run, fake: FakeRender) -> None:
    options = (
        "--layer block10:4,5=0.5 --layer block3 --step-size 0.01 --schedule rotate --no-cuts "
        "--start 1:05 --end 90 --size 640x360 --crf 30 --no-audio --compare --overwrite"
    )
    assert run("render", "a.mp4", "b.mp4", *options.split())[0] == 0
    dream, output = fake.asked["dream"], fake.asked["output"]
    assert dream.layer == (
        LayerTarget(name="block10", weight=0.5, channels=(4, 5)),
        LayerTarget(name="block3"),
    )
    assert (dream.step_size, dream.schedule, dream.cuts) == (0.01, "rotate", False)
    assert (output.start, output.end, output.size) == (65, 90, (640, 360))
    assert (output.crf, output.audio, output.compare) == (30, False, True)
    assert fake.asked["overwrite"] is True
