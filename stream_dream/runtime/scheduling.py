"""Lets what runs beside the dream wait for it, not the other way round."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

# A tenth of what the dream gets on the same core. At 19 a render of 720p was a little faster still,
# but seven times as slow beside two busy programs; at 10 it is 1.5 times as slow there as at 0
# (measured).
_NICENESS = 10

# Longer waits are no gain: a dream that takes so long for a frame hardly notices the rest.
_LONGEST_WAIT = 0.25


class SpareTime:
    """When the dream leaves a core to others: what runs beside it does best to wait for that.

    Niceness alone does not keep it out of the dream's way: Linux lets it finish its turn, up to
    4 ms each time, and spreads it over all cores. On two cores a render takes 4 to 6 % less time
    with both than with niceness alone (measured).
    """

    def __init__(self) -> None:
        """Start while nothing is dreamed: all time is spare."""
        self._spare = threading.Event()
        self._spare.set()

    def begin(self) -> None:
        """Release the threads that wait for spare time."""
        self._spare.set()

    def end(self) -> None:
        """Make threads wait from now on."""
        self._spare.clear()

    def wait(self) -> None:
        """Wait for spare time, but not for long."""
        self._spare.wait(_LONGEST_WAIT)


def step_back(pid: int | None = None) -> None:
    """Lower the priority of a process, or of the thread that calls; does nothing where it cannot.

    Linux alone has priorities of single threads.

    Args:
        pid: A child process; None for the calling thread.
    """
    if sys.platform == "win32" or (pid is None and sys.platform != "linux"):
        return
    number = threading.get_native_id() if pid is None else pid
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, number, _NICENESS)
