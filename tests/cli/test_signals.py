"""Ctrl-C and closed terminals, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable

import pytest
from fake_render import FakeRender
from waiting import SECONDS

Run = Callable[..., tuple[int, str, str]]


def test_an_unhandled_ctrl_c_stops_at_once(run: Run, fake: FakeRender) -> None:
    fake.error = KeyboardInterrupt()
    assert run("render", "a.mp4", "b.mp4") == (130, "", "stream-dream: stopped\n")


def signalled(body: str) -> tuple[int, str]:
    """Run the command with ``body`` as its render; return exit code and standard error."""
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


@pytest.mark.slow
@pytest.mark.stops
def test_a_library_that_fails_because_of_ctrl_c_is_no_error() -> None:
    body = (
        "try:\n"
        "    interrupt()\n"
        "except KeyboardInterrupt:\n"
        "    raise KeyError('registered twice') from None"
    )
    assert signalled(body) == (130, "stream-dream: stopped\n")


@pytest.mark.slow
@pytest.mark.stops
def test_an_error_after_ctrl_c_is_told() -> None:
    body = (
        "try:\n"
        "    interrupt()\n"
        "except KeyboardInterrupt:\n"
        "    pass\n"
        "raise KeyError('something else')"
    )
    code, err = signalled(body)
    assert code == 1
    assert "KeyError: 'something else'" in err


@pytest.mark.slow
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


INTERRUPTED = "raise stream_dream.errors.Interrupted('interrupted: all is kept')"


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_after_the_end_was_told_changes_nothing() -> None:
    body = (
        "import atexit\n"
        "atexit.register(interrupt)\n"
        "class Last:\n"
        "    def __del__(self, interrupt=signal.raise_signal, number=signal.SIGINT):\n"
        "        interrupt(number)\n"
        "globals()['last'] = Last()  # goes when Python has restored its handlers\n"
        "stream_dream.cli.json_lines.parsed(as_json=True)\n"
        "stream_dream.cli.json_lines._write = lambda line: interrupt()\n" + INTERRUPTED
    )
    assert signalled(body) == (130, "stream-dream: interrupted: all is kept\n")


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_twice_ends_an_exit_that_hangs() -> None:
    body = (
        "def hang():\n"
        "    while stream_dream.cli.json_lines.exit_code() is None:\n"
        "        time.sleep(0.01)\n"
        "    interrupt()\n"
        "    interrupt()\n"
        "    time.sleep(10**6)\n"
        "threading.Thread(target=hang).start()\n" + INTERRUPTED
    )
    assert signalled(body) == (130, "stream-dream: interrupted: all is kept\n")


@pytest.mark.slow
@pytest.mark.stops
def test_a_closed_terminal_interrupts_in_good_order() -> None:
    body = (
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\n"
        "except KeyboardInterrupt:\n"
        "    print('kept', file=sys.stderr)\n"
        "    raise"
    )
    assert signalled(body) == (130, "kept\nstream-dream: stopped\n")


@pytest.mark.stops
@pytest.mark.parametrize(
    ("command", "sent", "code"),
    [
        ("live", signal.SIGINT, -signal.SIGINT),
        ("live", signal.SIGTERM, 0),
        ("plan", signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_an_early_signal_shows_no_traceback(command: str, sent: signal.Signals, code: int) -> None:
    program = (
        "import os, runpy, sys\n"
        "class Interrupting:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'stream_dream.cli.app':\n"
        f"            os.kill(os.getpid(), {sent:d})\n"
        "sys.meta_path.insert(0, Interrupting)\n"
        "runpy.run_module('stream_dream', run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command], capture_output=True, text=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (code, "")
