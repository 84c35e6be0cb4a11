"""Ctrl-C and its relatives: once to stop in good order, twice to stop at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

# What a second Ctrl-C leaves to clean up in; a busy main thread is not waited for longer.
_GRACE_SECONDS = 1.0


def stop_at_once() -> NoReturn:
    """End the process; threads that still work are not waited for."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the cursor, which a progress bar has hidden
    sys.stderr.write("stream-dream: stopped\n")
    sys.stderr.flush()
    os._exit(130)


def leave(code: int) -> NoReturn:
    """End the process with threads that cannot be stopped: TensorFlow would abort on them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class StopNow(BaseException):
    """A second Ctrl-C: give up at once, and what was done so far with it."""


class Signals:
    """Answers Ctrl-C, SIGTERM and a closed terminal: once to stop in good order, twice at once.

    Python answers a signal only between two calls of its main thread, and a call of TensorFlow may
    take seconds: two signals in it would count as one. A thread counts them as they arrive.
    """

    def __init__(self) -> None:
        """Answer from now on."""
        self._answered = 0
        self._twice = False
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        threading.Thread(target=self._count, args=(reader,), daemon=True).start()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            # Ignored: started with nohup, or in the background of a script.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._answer)

    def _answer(self, number: int, frame: FrameType | None) -> NoReturn:
        # A render answers the first by keeping what was done; the second it does not catch.
        self._answered += 1
        raise StopNow if self._twice or self._answered > 1 else KeyboardInterrupt

    def _count(self, reader: int) -> None:
        os.read(reader, 1)
        os.read(reader, 1)
        self._twice = True
        time.sleep(_GRACE_SECONDS)
        stop_at_once()
