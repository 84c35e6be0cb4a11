"""Signal handlers: the first Ctrl-C stops in good order, a second one at once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from functools import partial
from types import FrameType
from typing import NoReturn

from stream_dream.cli import json_lines

# Time to clean up after a second Ctrl-C; then the process ends, whatever the main thread does.
_GRACE_SECONDS = 1.0


def stop_at_once(code: int = 130) -> NoReturn:
    """End the process without waiting for its threads."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # show the cursor, which a progress bar hides
    ending = partial(json_lines.fail, "stopped", code) if code else json_lines.finish
    last = threading.Thread(target=ending, daemon=True)
    last.start()
    last.join(_GRACE_SECONDS)  # whoever reads the events may have stopped
    sys.stderr.write("stream-dream: stopped\n")
    sys.stderr.flush()
    os._exit(code)


def leave(code: int) -> NoReturn:
    """End the process while threads run, which would abort in a regular exit, or hold it up."""
    if not json_lines.is_stuck():
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class StopNow(BaseException):
    """A second Ctrl-C: stop at once and discard what was done so far."""


class Signals:
    """Handles Ctrl-C, SIGTERM and SIGHUP (a closed terminal).

    Python runs handlers between two calls of its main thread only, and a call of TensorFlow may
    take seconds: two signals during it would count as one. A thread counts them as they arrive.

    Once the command has told its end they change nothing but the time that the exit takes.

    Attributes:
        terminated: True once SIGTERM has come, from a service manager say.
    """

    def __init__(self) -> None:
        """Install the handlers."""
        self.terminated = False
        self._answered = 0
        self._twice = False
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        threading.Thread(target=self._count, args=(reader,), daemon=True).start()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            # Keep ignored signals ignored: under nohup, or in the background of a script.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._answer)
                # At its very end Python restores the defaults, which kill.
                atexit.register(signal.signal, number, signal.SIG_IGN)

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if json_lines.exit_code() is not None:
            return
        # A render catches the first and keeps finished work; it does not catch the second.
        self._answered += 1
        self.terminated |= number == signal.SIGTERM
        raise StopNow if self._twice or self._answered > 1 else KeyboardInterrupt

    def _count(self, reader: int) -> None:
        os.read(reader, 1)
        os.read(reader, 1)
        self._twice = True
        time.sleep(_GRACE_SECONDS)
        code = json_lines.exit_code()
        if code is None:
            stop_at_once()
        os._exit(code)  # without a flush, which may be what hangs
