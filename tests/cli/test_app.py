"""The command line: options, precedence, what is printed where, and exit codes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import numpy as np
import pytest
import synthetic
import typer
from pydantic import BaseModel, Field
from rich.console import Console
from waiting import SECONDS

from stream_dream.cli.film_progress import FilmBar
from stream_dream.cli.options import with_options
from stream_dream.cli.progress import PictureBar
from stream_dream.errors import Interrupted, NetworkError, SinkError, StreamDreamError
from stream_dream.film.one_piece import RenderSummary
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, fact, typed_name
from stream_dream.settings.film import FilmSettings, PlanSettings
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings
from stream_dream.settings.presets import DEFAULT_PRESET, load_preset
from stream_dream.settings.values import LayerTarget
from stream_dream.still import batch
from stream_dream.still.batch import StillsSummary

Run = Callable[..., tuple[int, str, str]]
KNOBS = {**DreamSettings.model_fields, **OutputSettings.model_fields}
COMMANDS = ("render", "image", "presets", "live", "looks", "loop", "networks", "plan")
SETTINGS: tuple[type[BaseModel], ...] = (
    *(DreamSettings, OutputSettings, FilmSettings, PlanSettings, StillSettings, LoopSettings),
    *(LiveSettings, ShowParameters),
)
REPORTS = [FrameReport(i, {"ascent": 0.1}, 1.5 if i else None, 0.9) for i in range(2)]


class FakeRender:
    """Stands in for ``render``: remembers what it was asked, reports two frames."""

    def __init__(self) -> None:
        """Start without an error or a warning to give."""
        self.asked: dict[str, Any] = {}
        self.error: BaseException | None = None
        self.warning: str | None = None

    def __call__(
        self, source: Path, target: Path, dream: DreamSettings, output: OutputSettings, **rest: Any
    ) -> RenderSummary:
        """Record the arguments of ``render``."""
        self.asked = {"source": source, "target": target, "dream": dream, "output": output, **rest}
        if self.error is not None:
            raise self.error
        rest["on_start"](StreamInfo(size=(32, 24), fps=Fraction(25), frame_count=2))
        for report in REPORTS:
            rest["on_report"](report)
        return RenderSummary(target, 2, 0.5, 4.0, {"flow": 0.1, "ascent": 0.4}, self.warning)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRender:
    made = FakeRender()
    monkeypatch.setattr("stream_dream.film.one_piece.render", made)
    monkeypatch.setattr("stream_dream.film.in_chunks.is_long", lambda *arguments: False)
    return made


def one_line(text: str) -> str:
    assert text.endswith("\n")
    assert text.count("\n") == 1, text
    return text.strip()


# Options


@pytest.mark.parametrize("name", KNOBS)
def test_help_names_every_setting(run: Run, name: str) -> None:
    code, out, _ = run("render", "--help")
    assert code == 0
    words = " ".join(out.split())
    assert "--" + typed_name(DreamSettings, name).replace("_", "-") in words
    description = KNOBS[name].description
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
    def command(**knobs: Any) -> None:
        taken.update(knobs)

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
    assert 5 <= len(listed) <= 10
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
        (("re",), ["render"]),
        (("render", "--sched"), ["--schedule"]),
        (("render", "--schedule", "re"), ["restore"]),
        (("image", "--preset", "surp"), ["surprise"]),
        (("live", "--preset", "spir"), ["spirals"]),
        (("loop", "--presets", "dogs,spir"), ["dogs,spirals"]),
        (("presets", "spir"), ["spirals"]),
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


# What is printed, and where


def test_the_last_line_says_what_was_done(run: Run, fake: FakeRender) -> None:
    code, out, err = run("render", "a.mp4", "b.mp4")
    assert (code, err) == (0, "")
    line = one_line(out)
    for part in ("b.mp4", "2 frames", "0.5 s", "4.0 fps", "flow 0.1 s", "ascent 0.4 s"):
        assert part in line


def test_json_prints_reports_and_nothing_else(run: Run, fake: FakeRender) -> None:
    code, out, err = run("render", "a.mp4", "b.mp4", "--json")
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["index"] for line in lines] == [0, 1]
    assert [line["loss"] for line in lines] == [None, 1.5]
    assert lines[0]["seconds"] == {"ascent": 0.1}


def test_quiet_prints_nothing(run: Run, fake: FakeRender) -> None:
    assert run("render", "a.mp4", "b.mp4", "--quiet") == (0, "", "")


@pytest.mark.parametrize("flags", [(), ("--quiet",), ("--json",)])
def test_a_warning_is_one_line_on_stderr(
    run: Run, fake: FakeRender, flags: tuple[str, ...]
) -> None:
    fake.warning = "a.mp4 ends early"
    code, _, err = run("render", "a.mp4", "b.mp4", *flags)
    assert code == 0
    assert one_line(err) == "stream-dream: warning: a.mp4 ends early"


@pytest.mark.stops
def test_a_terminal_gets_a_bar_that_moves_while_stderr_is_held_back() -> None:
    code = (
        "from fractions import Fraction\n"
        "from stream_dream.frame import FrameReport, StreamInfo\n"
        "from stream_dream.cli.progress import display\n"
        "from stream_dream.runtime.quiet import hushed\n"
        "import os, sys\n"
        "with display(quiet=False, as_json=False) as shown:\n"
        "    with hushed():\n"
        "        os.write(2, b'chatter')\n"
        "        shown.started(StreamInfo((4, 4), Fraction(25), frame_count=7))\n"
        "        shown.advanced(FrameReport(0, {}, 1.25, 1.0))\n"
        "        sys.stdin.readline()\n"
        "        os._exit(0)\n"  # before anything is drawn anew
    )
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:  # Linux's way of saying that the other end is closed
                break
            if not data:
                break
            shown += data
            if b"loss 1.25" in shown and process.stdin is not None:
                process.stdin.close()  # all is there: it may end
    os.close(master)
    assert process.returncode == 0
    assert b"preparing the network" in shown
    assert b"1/7" in shown
    assert b"loss 1.25" in shown
    assert b"chatter" not in shown


def test_a_bar_shows_how_far_pictures_and_films_are() -> None:
    drawn = io.StringIO()
    console = Console(file=drawn, force_terminal=True, width=120)
    step = SimpleNamespace(
        finished=False, image=np.zeros((30, 40, 3)), octave=1, octaves=4, loss=2.5, share_done=0.5
    )
    with PictureBar(console) as pictures:
        pictures.started("a.png", 2)
        pictures.advanced(cast(Any, step))
        pictures.started("b.png", 2)
        pictures._progress.refresh()
        assert "b.png (2 of 2)" in drawn.getvalue()
        pictures.advanced(cast(Any, step))
        pictures._progress.refresh()
        assert "octave 2 of 4, 40x30, loss 2.5" in drawn.getvalue()
    drawn = io.StringIO()
    with FilmBar(Console(file=drawn, force_terminal=True, width=120)) as film:
        film.planning(3, 10)
        film._progress.refresh()
        assert re.search(
            r"looking for cuts .* 3/10", re.sub(r"\x1b\[[\d;?]*\w", "", drawn.getvalue())
        )


def test_no_command_prints_help(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("Usage: stream-dream ")
    assert "render" in out


def test_version(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert one_line(out).startswith("stream-dream 0.")


def test_presets_are_listed(run: Run) -> None:
    code, out, _ = run("presets")
    assert code == 0
    assert DEFAULT_PRESET in out


def test_networks_and_their_layers_are_listed(run: Run) -> None:
    assert "efficientnet_lite0" in run("networks")[1]
    row = next(
        line for line in run("networks", "efficientnet_lite0")[1].splitlines() if "block10" in line
    )
    assert row.split()[:3] == ["block10", "112", "16"]


# Errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "nope"], "there is no preset 'nope'"),
        (["--octaves", "99"], "--octaves"),
        (["--octaves", "many"], "--octaves"),
        (["--layer", "block10=x"], "not a number"),
        (["--size", "axb"], "WIDTHxHEIGHT"),
        (["--start", "soon"], "mm:ss"),
        (["--schedule", "sometimes"], "--schedule"),
        (["--octavs", "3"], "--octavs"),
        (["--end"], "--end"),
    ],
)
def test_wrong_options_end_in_one_line(
    run: Run, fake: FakeRender, arguments: list[str], message: str
) -> None:
    code, out, err = run("render", "a.mp4", "b.mp4", *arguments)
    assert (code, out) == (2, "")
    assert one_line(err).startswith("stream-dream: error: ")
    assert message in err
    assert not fake.asked


@pytest.mark.parametrize("arguments", [["rendr"], ["render", "a.mp4"], ["networks", "nope"]])
def test_wrong_commands_end_in_one_line(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert one_line(err).startswith("stream-dream: error: ")


def test_a_typo_in_a_preset_file_is_named(run: Run, fake: FakeRender, tmp_path: Path) -> None:
    preset = tmp_path / "my.toml"
    preset.write_text("octavs = 3\n")
    code, _, err = run("render", "a.mp4", "b.mp4", "--preset", str(preset))
    assert code == 2
    assert "did you mean octaves" in one_line(err)
    assert str(preset) in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NetworkError("no layer 'blok10'"), 2),
        (SinkError("the disk is full"), 1),
        (SinkError("b.mp4 exists already", exit_code=2), 2),
    ],
)
def test_known_errors_end_in_one_line_with_their_exit_code(
    run: Run, fake: FakeRender, error: StreamDreamError, code: int
) -> None:
    fake.error = error
    assert run("render", "a.mp4", "b.mp4") == (code, "", f"stream-dream: error: {error}\n")


def test_an_unknown_error_ends_in_one_line_unless_debugging(run: Run, fake: FakeRender) -> None:
    fake.error = RuntimeError("two\nlines")
    code, _, err = run("render", "a.mp4", "b.mp4")
    assert code == 1
    assert one_line(err) == ("stream-dream: error: RuntimeError: two lines (--debug shows where)")
    code, _, err = run("render", "a.mp4", "b.mp4", "--debug")
    assert code == 1
    assert "Traceback" in err
    assert err.endswith("stream-dream: error: RuntimeError: two lines\n")


def test_ctrl_c_that_nobody_handled_stops_at_once(run: Run, fake: FakeRender) -> None:
    fake.error = KeyboardInterrupt()
    assert run("render", "a.mp4", "b.mp4") == (130, "", "stream-dream: stopped\n")


def signalled(body: str) -> tuple[int, str]:
    """Run the command with that body in place of ``render``; return exit code and stderr."""
    code = (
        "import hashlib, os, signal, sys, threading, time\n"
        "import stream_dream.cli.app, stream_dream.film.in_chunks, stream_dream.film.one_piece\n"
        "def interrupt():\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        f"def render(*_, **__):\n{textwrap.indent(body, '    ')}\n"
        "stream_dream.film.one_piece.render = render\n"
        "stream_dream.film.in_chunks.is_long = lambda *_: False\n"
        "sys.argv = ['stream-dream', 'render', 'a.mp4', 'b.mp4']\n"
        "stream_dream.cli.app.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS
    )
    return done.returncode, done.stderr


@pytest.mark.stops
def test_a_second_ctrl_c_is_not_taken_for_the_first() -> None:
    body = (
        "try:\n"
        "    try:\n"
        "        interrupt()\n"
        "    finally:\n"
        "        interrupt()\n"
        "except KeyboardInterrupt:\n"
        "    print('kept', file=sys.stderr)"
    )
    assert signalled(body) == (130, "stream-dream: stopped\n")


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_twice_ends_a_call_that_python_cannot_interrupt() -> None:
    body = (
        "def twice():\n"
        "    time.sleep(0.1)  # the call has begun, as a rule\n"
        "    interrupt()\n"
        "    interrupt()\n"
        "threading.Thread(target=twice).start()\n"
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
    )
    assert signalled(body) == (130, "stream-dream: stopped\n")


@pytest.mark.stops
def test_a_closed_terminal_ends_in_good_order() -> None:
    body = (
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "except KeyboardInterrupt:\n"
        "    print('kept', file=sys.stderr)\n"
        "    raise"
    )
    assert signalled(body) == (130, "kept\nstream-dream: stopped\n")


@pytest.mark.stops
def test_an_early_ctrl_c_shows_no_traceback() -> None:
    code = (
        "import os, runpy, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'stream_dream.cli.app':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting)\n"
        "runpy.run_module('stream_dream', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_reports_that_nobody_reads_any_more_do_not_stop_the_work() -> None:
    code = (
        "import os, sys\n"
        "from stream_dream.frame import FrameReport\n"
        "from stream_dream.cli.progress import JsonLines\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.dup2(writer, 1)\n"
        "for index in range(3):\n"
        "    JsonLines().advanced(FrameReport(index, {}, 1.0, 1.0))\n"
        "print('done', file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (0, "done\n")


def test_a_preset_is_printed(run: Run) -> None:
    code, out, _ = run("presets", "eyes")
    assert code == 0
    assert 'layer = ["block11:90,70"]' in out
    assert run("presets", "nothing")[0] == 2


def test_a_closed_pipe_ends_quietly(run: Run, fake: FakeRender) -> None:
    fake.error = BrokenPipeError()
    assert run("render", "a.mp4", "b.mp4", "--json") == (1, "", "")


def test_an_interruption_is_no_error(run: Run, fake: FakeRender) -> None:
    fake.error = Interrupted("interrupted: the first 3 frames are in b.interrupted.mp4")
    assert run("render", "a.mp4", "b.mp4") == (130, "", f"stream-dream: {fake.error}\n")


# Pictures and networks


def test_image_dreams_with_the_settings_of_a_still(run: Run, tmp_path: Path) -> None:
    synthetic.register_tiny()
    write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "in.png")
    tiny = ("--network", "tiny", "--warm-up", "0", "--octaves", "2")
    code, out, err = run("image", str(tmp_path / "in.png"), str(tmp_path / "out.jpg"), *tiny)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"\S+out.jpg: 1 picture in [\d.]+ s", one_line(out))
    (tmp_path / "bad.png").write_text("nothing")
    inputs = [str(tmp_path / name) for name in ("in.png", "bad.png")]
    code, out, err = run("image", *inputs, str(tmp_path / "new"), *tiny)
    assert code == 1
    assert "bad.png is not a picture" in one_line(err)
    assert one_line(out).startswith(f"{tmp_path / 'new' / 'in.png'}: 1 picture")
    code, out, err = run("image", *inputs, str(tmp_path / "new"), *tiny, "--quiet")
    assert (code, out) == (1, "")
    assert "1 left as they are" in err


def test_image_takes_presets_and_options_at_their_word(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[DreamSettings] = []

    def dream(
        inputs: object, output: object, dream: DreamSettings, *_: object, **__: object
    ) -> Any:
        asked.append(dream)
        return StillsSummary()

    monkeypatch.setattr(batch, "dream_stills", dream)
    mine = tmp_path / "mine.toml"
    mine.write_text("dream_size = 480\n")
    for options in (), ("--preset", str(mine)), ("--schedule", "together"):
        assert run("image", "in.png", "out.png", "--quiet", *options)[0] == 0
    found = [(dream.dream_size, dream.schedule) for dream in asked]
    assert found == [(1536, "all"), (480, "all"), (1536, "together")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in.png",), "give the name of the dream as well"),
        (("no.png", "out.png"), "no.png cannot be opened"),
        (("in.png", "out.gif"), "--out"),
        (("in.png", "out.png", "--layer", "conf2"), "did you mean conv2"),
        (("in.png", "out.png", "--weights", "none.h5"), "none.h5"),
        (("in.png", "out.png", "--network", "none.keras"), "no model file none.keras"),
        (("in.png", "out.png", "--guide", "none.png"), "none.png cannot be opened"),
        (("in.png", "out.png", "--class", "unicorm"), "no ImageNet class 'unicorm'"),
    ],
)
def test_image_refuses_in_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    synthetic.register_tiny()
    monkeypatch.chdir(tmp_path)
    write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "in.png")
    network = () if {"--network", "--weights"} & set(arguments) else ("--network", "tiny")
    code, out, err = run("image", *arguments, *network)
    assert (code, out) == (2, "")
    assert message in one_line(err)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_networks_are_listed_with_where_they_come_from(run: Run) -> None:
    code, out, _ = run("networks")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "embedded" in rows["efficientnet_lite0"]
    assert "stream-dream[lite]" in rows["efficientnet_lite1"]
    assert "download" in rows["inception_v1"]
    assert "download" in rows["vgg16"]


@pytest.mark.slow
def test_layers_are_listed_without_their_parts(run: Run) -> None:
    code, short, _ = run("networks", "vgg16")
    assert code == 0
    assert "block5_conv3" in short
    _, out, _ = run("networks", "inception_v1")
    _, all_parts, _ = run("networks", "inception_v1", "--all")
    assert "Mixed_4c_Concatenated" in out
    assert "Conv2d_1a_7x7_bn" not in out
    assert "Conv2d_1a_7x7_bn" in all_parts


@pytest.mark.slow
def test_a_contact_sheet(run: Run, tmp_path: Path) -> None:
    synthetic.register_tiny()
    sheet = tmp_path / "sheet.png"
    code, out, _ = run("networks", "tiny", "--show", "conv1", "--out", str(sheet))
    assert code == 0
    assert "sheet.png" in one_line(out)
    image = read_picture(sheet).image
    assert image.shape == (2 * 182 + 4, 8 * 164 + 4, 3)  # 12 channels in rows of 8
    assert image[4:164, 4:164].std() > 10
    code, _, err = run("networks", "tiny", "--show", "conv1", "--out", str(sheet))
    assert (code, "exists already" in one_line(err)) == (2, True)
    code, _, err = run("networks", "tiny", "--show", "conv1:3", "--out", str(tmp_path / "b.png"))
    assert (code, "the name of a layer alone" in one_line(err)) == (2, True)
    code, _, err = run("networks", "tiny", "--out", str(tmp_path / "b.png"))
    assert (code, "belong to --show" in one_line(err)) == (2, True)
    code, _, err = run("networks", "--show", "conv1")
    assert (code, "--show needs a network" in one_line(err)) == (2, True)


@pytest.mark.slow
def test_speed_is_measured(run: Run) -> None:
    synthetic.register_tiny()
    code, out, _ = run("networks", "tiny", "--measure")
    assert code == 0
    header, row = out.splitlines()
    assert header.split() == ["network", "weights", "MB", "ms", "speed"]
    assert float(row.split()[-1]) > 0
