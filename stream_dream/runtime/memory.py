"""How much memory is free."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Return the bytes that a process may still take without swapping; None if that is unknown.

    Limits of containers count. Systems other than Linux do not tell.
    """
    found = [free for free in (_of_machine(), _of_container()) if free is not None]
    return min(found, default=None)


def _of_machine() -> int | None:
    with suppress(OSError):
        told = re.search(r"MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text())
        if told is not None:
            return int(told[1]) * 1024
    return None


def _of_container() -> int | None:
    with suppress(OSError, ValueError):  # "max" is no limit
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        # Files that were read and may be dropped count as used.
        told = re.search(r"^inactive_file (\d+)$", (_CGROUP / "memory.stat").read_text(), re.M)
        return max(0, limit - used + (int(told[1]) if told else 0))
    return None
