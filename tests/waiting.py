"""Waits for events, however long they take."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 300
"""Longer than a busy machine needs, short enough to notice what hangs."""


def wait_for(reached: Callable[[], object]) -> None:
    """Wait until the condition holds; fail after ``SECONDS``."""
    late = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < late, "waited in vain"
        time.sleep(0.005)
