"""Standard streams that are missing, full or not UTF-8 lose no work and damage no file."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import pytest

from stream_dream.media.read.probe import probe_video
from stream_dream.runtime.standard_streams import forgiving

Run = Callable[..., tuple[int, str, str]]
FULL = Path("/dev/full")
SECURE = "import os, sys\nfrom stream_dream.runtime.standard_streams import *\nsecure_streams()\n"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
needs_shell = pytest.mark.skipif(os.name != "posix", reason="there is no shell")


def sh(redirections: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with some of its streams redirected or closed."""
    command = ["sh", "-c", f'exec "$0" "$@" {redirections}', sys.executable, *arguments]
    env = {**os.environ, **variables}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=env
    )


@needs_shell
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_output_to_a_missing_stream_reaches_no_file(tmp_path: Path, closed: str) -> None:
    path = tmp_path / "film"
    program = f"""
with open({str(path)!r}, 'w') as film:
    for descriptor in 1, 2:
        os.write(descriptor, b'chatter')
    print('figures')
    sys.stderr.write('a line')
    sys.stdin.read()
    film.write('frames')
    sys.exit(0 if sys.stderr.isatty() or film.fileno() > 2 else 3)
"""
    assert sh(closed, "-c", SECURE + program).returncode == 0
    assert path.read_text() == "frames"


@needs_full
@needs_shell
def test_figures_that_cannot_be_printed_are_dropped_and_reported_once() -> None:
    program = "for _ in range(3): print('figures', flush=True)\nsys.exit(5 if failure() else 0)"
    done = sh(">/dev/full", "-c", SECURE + program)
    assert done.returncode == 5
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("stream-dream: warning: standard output takes nothing (No space")
    program = "print('no', file=sys.stderr)\nprint('figures')"
    done = sh("2>/dev/full", "-c", SECURE + program)
    assert (done.returncode, done.stdout) == (0, "figures\n")
    assert sh(">/dev/full 2>/dev/full", "-c", SECURE + program).returncode == 0


class _Disk(io.RawIOBase):
    """A file on a disk that is full for one write."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self._full = [OSError(errno.ENOSPC, "No space left on device")]

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._full:
            raise self._full.pop()
        self.kept.append(bytes(data))
        return len(data)


def test_a_log_goes_on_when_a_full_disk_has_room_again() -> None:
    disk = _Disk()
    log = forgiving(disk, encoding="utf-8")
    for line in ("lost", "kept"):
        print(line, file=log)
    assert disk.kept == [b"kept\n"]
    disk, told = _Disk(), []
    figures = forgiving(disk, encoding="utf-8", on_failure=told.append)
    for line in ("lost", "lost as well"):
        print(line, file=figures)
    assert disk.kept == []
    assert len(told) == 1


@needs_shell
def test_a_reader_that_has_left_is_not_reported() -> None:
    program = "import time\nwhile not is_abandoned(): print('figures', flush=True)\n"
    program += "print('more')\nsys.exit(5 if failure() else 0)"
    done = sh("| true", "-c", SECURE + program)
    assert (done.returncode, done.stderr) == (0, "")


@needs_shell
def test_a_pipe_that_is_full_for_now_is_waited_for() -> None:
    program = "os.set_blocking(1, False)\nprint('x' * 300_000)"
    done = sh("| (sleep 0.1; wc -c)", "-c", SECURE + program)
    assert (done.stdout.strip(), done.stderr) == ("300001", "")


@pytest.mark.parametrize(
    ("alphabet", "shown"),
    [("latin-1", r"ä \u65e5 \udcff"), ("ascii", r"\xe4 \u65e5 \udcff"), ("utf-8", "ä 日 \\udcff")],
)
def test_characters_that_a_terminal_lacks_are_written_as_escapes(alphabet: str, shown: str) -> None:
    program = (
        SECURE + r"for stream in sys.stdout, sys.stderr: print('ä \u65e5 \udcff', file=stream)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": alphabet},
        check=True,
    )
    assert done.stdout.decode(alphabet).splitlines() == [shown]
    assert done.stderr.decode(alphabet).splitlines() == [shown]


@pytest.mark.parametrize(("columns", "kept"), [("0", None), ("00", None), ("80", "80")])
def test_a_terminal_width_of_zero_is_ignored(columns: str, kept: str | None) -> None:
    program = SECURE + "print(os.environ.get('COLUMNS'))"
    assert sh("", "-c", program, COLUMNS=columns).stdout.strip() == str(kept)


@pytest.mark.parametrize("columns", ["5", "60", "200"])
def test_tables_keep_every_word_at_every_width(
    run: Run, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    code, out, err = run("presets")
    assert (code, err) == (0, "")
    assert out.isascii()
    assert {"dogs", "caterpillars"} <= {line.split()[0] for line in out.splitlines()}


@pytest.mark.slow
@needs_full
@needs_shell
def test_commands_that_only_print_have_failed_where_nothing_can_be_printed() -> None:
    for command in ("presets",), ("presets", "dogs"), ("networks",):
        done = sh(">/dev/full", "-m", "stream_dream", *command)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert sh(">&-", "-m", "stream_dream", *command).returncode == 0
        done = sh("", "-m", "stream_dream", *command, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "Dogs" in done.stdout or "vgg16" in done.stdout


@pytest.mark.slow
@needs_full
@needs_shell
@pytest.mark.parametrize(
    "redirections", [">/dev/full", "2>/dev/full", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"]
)
@pytest.mark.parametrize("options", [("--json",), ("--chunk-seconds", "0.2")])
def test_no_film_is_lost_to_the_streams(
    tmp_path: Path, redirections: str, options: tuple[str, ...]
) -> None:
    source = clips.make(tmp_path / "a.mp4", seconds=0.4)
    target = tmp_path / "日本.mp4"
    command = ("-m", "stream_dream", "render", str(source), str(target), "--dream-size", "48")
    done = sh(redirections, *command, *options, PYTHONIOENCODING="latin-1")
    assert done.returncode == 0, done.stderr
    # A slow machine tells its progress as well.
    told = [line for line in done.stderr.splitlines() if not line.startswith("frame ")]
    assert len(told) == (redirections == ">/dev/full")
    assert probe_video(target).video == "h264"
