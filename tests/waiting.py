"""Waits for events, however long they take."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 300
"""A busy machine may take its time; what hangs has to be noticed."""


def wait_for(reached: Callable[[], object]) -> None:
    """Return when something has come about; that it never does is an error."""
    late = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < late, "waited in vain"
        time.sleep(0.005)
