"""Passes the newest item between threads."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestValue(Generic[T]):
    """Holds the newest item until it is taken."""

    def __init__(self) -> None:
        """Start empty."""
        self._changed = threading.Condition()
        self._item: T | None = None

    def put(self, item: T) -> None:
        """Replace the item."""
        with self._changed:
            self._item = item
            self._changed.notify_all()

    def take(self, seconds: float = 0.0) -> T | None:
        """Remove and return the item; None if none arrives within ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None, seconds)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def wait_until_empty(self, seconds: float) -> None:
        """Wait until the item is taken, at most ``seconds``."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is None, seconds)
