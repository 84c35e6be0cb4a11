"""The command line: what is printed where, and exit codes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from commands import one_line
from fake_render import FakeRender
from rich.console import Console
from waiting import SECONDS

from stream_dream.cli.film_progress import FilmBar
from stream_dream.cli.progress import PictureBar
from stream_dream.errors import Interrupted, NetworkError, SinkError, StreamDreamError
from stream_dream.settings.presets import DEFAULT_PRESET

Run = Callable[..., tuple[int, str, str]]


def test_the_last_line_says_what_was_done(run: Run, fake: FakeRender) -> None:
    code, out, err = run("render", "a.mp4", "b.mp4")
    assert (code, err) == (0, "")
    line = one_line(out)
    for part in ("b.mp4", "2 frames", "0.5 s", "4.0 fps", "flow 0.1 s", "ascent 0.4 s"):
        assert part in line


def test_json_prints_reports_and_nothing_else(run: Run, fake: FakeRender) -> None:
    code, out, err = run("render", "a.mp4", "b.mp4", "--json")
    assert (code, err) == (0, "")
    events = [json.loads(line) for line in out.splitlines()]
    assert events[0]["event"] == "started"
    assert events[-1]["event"] == "finished"
    lines = [event for event in events if event["event"] == "frame"]
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
        "from stream_dream.cli.displays import display\n"
        "from stream_dream.runtime.quiet import hushed\n"
        "import os, sys\n"
        "from pathlib import Path\n"
        "with display(Path(), Path(), quiet=False, as_json=False) as shown:\n"
        "    with hushed():\n"
        "        os.write(2, b'chatter')\n"
        "        shown.started(StreamInfo((4, 4), Fraction(25), frame_count=7))\n"
        "        shown.advanced(FrameReport(0, {}, 1.25, 1.0))\n"
        "        sys.stdin.readline()\n"
        "        os._exit(0)\n"  # before the bar is drawn again
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
            except OSError:  # on Linux: the other end is closed
                break
            if not data:
                break
            shown += data
            if b"loss 1.25" in shown and process.stdin is not None:
                process.stdin.close()  # everything has been read
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


@pytest.mark.slow
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


@pytest.mark.parametrize("command", ["presets", "networks", "help"])
def test_commands_that_print_can_show_where_an_error_is(run: Run, command: str) -> None:
    code, out, err = run(command, "--debug")
    assert (code, err) == (0, "")
    assert out


def test_work_goes_on_when_the_reader_of_the_reports_has_left() -> None:
    code = (
        "import os, sys\n"
        "from stream_dream.frame import FrameReport\n"
        "from pathlib import Path\n"
        "from stream_dream.cli import json_lines\n"
        "from stream_dream.cli.event_displays import JsonLines\n"
        "from stream_dream.runtime.standard_streams import secure_streams\n"
        "reader, writer = os.pipe()\n"
        "os.close(reader)\n"
        "os.dup2(writer, 1)\n"
        "secure_streams()\n"
        "json_lines.begin(['render', '--json'])\n"
        "for index in range(3):\n"
        "    JsonLines(Path(), Path()).advanced(FrameReport(index, {}, 1.0, 1.0))\n"
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


def test_an_interruption_is_no_error(run: Run, fake: FakeRender) -> None:
    fake.error = Interrupted("interrupted: the first 3 frames are in b.interrupted.mp4")
    assert run("render", "a.mp4", "b.mp4") == (130, "", f"stream-dream: {fake.error}\n")
