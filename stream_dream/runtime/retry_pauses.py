"""Pauses between the tries of something that may come back."""

from __future__ import annotations


class RetryPauses:
    """Pauses that grow: each is twice as long as the one before, up to a limit."""

    def __init__(self, first: float, longest: float) -> None:
        """Start at ``first`` and grow to ``longest``, both in seconds."""
        self._first, self._longest = first, longest
        self._next = first

    def next(self) -> float:
        """Return the pause before the next try, in seconds."""
        pause, self._next = self._next, min(2 * self._next, self._longest)
        return pause

    def reset(self) -> None:
        """Return to the first pause, after a try that has worked for a while."""
        self._next = self._first
