"""Undo and redo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST = 200
# Seconds between two changes of the same thing that count as one: a slider that is being moved.
_TOGETHER = 1.0


class History(Generic[T]):
    """States before and after the present one. It has no clock: callers pass the time (seconds)."""

    def __init__(self) -> None:
        """Start without any."""
        self._past: list[T] = []
        self._future: list[T] = []
        self._last: tuple[object, float] = (None, 0.0)

    @property
    def can_undo(self) -> bool:
        """True if there is a state to go back to."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """True if there is a state to return to."""
        return bool(self._future)

    def record(self, state: T, what: object, now: float) -> None:
        """Record the state before a change of something, which a fast series records once."""
        last, at = self._last
        self._last = what, now
        self._future.clear()
        if what == last and now - at < _TOGETHER:
            return
        self._past.append(state)
        del self._past[:-_MOST]

    def amend(self, change: Callable[[T], T]) -> None:
        """Make a change in all states: undo and redo leave it as it is."""
        self._past = [change(state) for state in self._past]
        self._future = [change(state) for state in self._future]

    def undo(self, present: T) -> T | None:
        """Return the state before the last change; None if there is none."""
        return self._go(self._past, self._future, present)

    def redo(self, present: T) -> T | None:
        """Return the state that was undone last; None if there is none."""
        return self._go(self._future, self._past, present)

    def _go(self, there: list[T], back: list[T], present: T) -> T | None:
        self._last = None, 0.0
        while there:
            if (state := there.pop()) != present:  # as ``amend`` may have made it
                back.append(present)
                return state
        return None
