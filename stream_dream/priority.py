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
