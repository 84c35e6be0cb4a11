"""Undo and redo."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST = 200
# Seconds between two changes of a series that count as one: a slider that is being moved.
_TOGETHER = 1.0


class History(Generic[T]):
    """States before and after the present one. It has no clock: callers pass the time (seconds)."""

    def __init__(self) -> None:
        """Start without any."""
        self._past: list[T] = []
        self._future: list[T] = []
        self._series: dict[object, float] = {}  # the time of each one's last change

    @property
    def can_undo(self) -> bool:
        """True if there is a state to go back to."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """True if there is a state to return to."""
        return bool(self._future)

    def record(self, state: T, now: float, series: object = None) -> None:
        """Record the state before a change.

        Fast changes of a series are recorded once, also where several are under way: two sliders
        that are moved by two hands.

        Args:
            state: The state.
            now: The time.
            series: What is being moved; None for a change that stands alone.
        """
        self._future.clear()
        if series is None:
            self._series.clear()
        else:
            recent = {what: at for what, at in self._series.items() if now - at < _TOGETHER}
            self._series = {**recent, series: now}
            if series in recent:
                return
        self._past.append(state)
        del self._past[:-_MOST]

    def amend(self, change: Callable[[T], T], present: T) -> None:
        """Make a change in all states: undo and redo leave it as it is.

        Args:
            change: Makes the change.
            present: The present state, changed already.
        """
        self._past = _distinct(map(change, reversed(self._past)), present)
        self._future = _distinct(map(change, reversed(self._future)), present)

    def undo(self, present: T) -> T | None:
        """Return the state before the last change; None if there is none."""
        return self._go(self._past, self._future, present)

    def redo(self, present: T) -> T | None:
        """Return the state that was undone last; None if there is none."""
        return self._go(self._future, self._past, present)

    def _go(self, there: list[T], back: list[T], present: T) -> T | None:
        self._series.clear()
        if not there:
            return None
        back.append(present)
        return there.pop()


def _distinct(states: Iterable[T], present: T) -> list[T]:
    """Return states, given from the present one outwards, without those that equal the one before.

    The outermost comes first.
    """
    kept = [present]
    for state in states:
        if state != kept[-1]:
            kept.append(state)
    return kept[:0:-1]
