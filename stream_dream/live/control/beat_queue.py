"""Changes that wait for the beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class _Waiting(NamedTuple, Generic[T]):
    """A change, the number of the beat that it waits for, what was asked for, and by whom."""

    beat: float
    asked: T
    act: Callable[[], None]
    by_hand: bool


class BeatQueue(Generic[T]):
    """Changes that wait for the beat, by what they change: the last of each counts.

    It has no clock, and no lock: callers pass the number of beats, and hold theirs.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: dict[str, _Waiting[T]] = {}

    @property
    def asked(self) -> dict[str, T]:
        """What was asked for and has not happened yet, by what it changes."""
        return {what: waiting.asked for what, waiting in self._waiting.items()}

    @property
    def by_hand(self) -> set[str]:
        """What waits to be changed by somebody, not by a timer."""
        return {what for what, waiting in self._waiting.items() if waiting.by_hand}

    def put(
        self, what: str, asked: T, act: Callable[[], None], beat: float, *, by_hand: bool = True
    ) -> None:
        """Put a change off until a beat, in place of one that waits to change the same.

        Args:
            what: What it changes.
            asked: What was asked for.
            act: Makes the change.
            beat: The number of the beat.
            by_hand: False for a timer's change.
        """
        self.remove(what)  # the last one is made last
        self._waiting[what] = _Waiting(beat, asked, act, by_hand)

    def remove(self, what: str) -> None:
        """Forget what waits to change something, if anything does."""
        self._waiting.pop(what, None)

    def take(self, beats: float) -> list[Callable[[], None]]:
        """Remove and return the changes that are due at a number of beats, in their order."""
        due = [what for what, waiting in self._waiting.items() if waiting.beat <= beats]
        return [self._waiting.pop(what).act for what in due]

    def withdraw(self) -> None:
        """Forget all changes but those of timers."""
        self._waiting = {what: at for what, at in self._waiting.items() if not at.by_hand}
