"""Makes background work wait for the dream, not the other way round."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

# A tenth of the dream's share of a core. At 19 a render of 720p was a little faster still, but
# seven times as slow beside two busy programs; at 10 it is 1.5 times as slow there as at 0
# (measured).
_NICENESS = 10

# Seconds. Longer waits gain nothing: a dream this slow hardly notices other work.
_LONGEST_WAIT = 0.25


class SpareTime:
    """Signals background threads while the dream leaves a core idle.

    Niceness alone is not enough: Linux lets a thread finish its time slice, up to 4 ms, and spreads
    threads over all cores. On two cores a render takes 4 to 6 % less time with both (measured).
    """

    def __init__(self) -> None:
        """Start with spare time: nothing is dreamed yet."""
        self._spare = threading.Event()
        self._spare.set()

    def begin(self) -> None:
        """Release the threads that wait for spare time."""
        self._spare.set()

    def end(self) -> None:
        """Make threads wait until the next spare time."""
        self._spare.clear()

    def wait(self) -> None:
        """Wait for spare time, at most a quarter of a second."""
        self._spare.wait(_LONGEST_WAIT)


def cores() -> int:
    """Return the number of cores that this process may use: fewer than there are in a cpuset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def step_back(pid: int | None = None) -> None:
    """Lower the priority of child process ``pid``, or of the calling thread, where possible.

    Only Linux has priorities of single threads.
    """
    if sys.platform == "win32" or (pid is None and sys.platform != "linux"):
        return
    number = threading.get_native_id() if pid is None else pid
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, number, _NICENESS)
