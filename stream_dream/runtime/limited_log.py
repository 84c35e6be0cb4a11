"""A log that a flood cannot fill."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

_MOST_LINES = 10
_LONGEST_LINE = 240


class LimitedLog:
    """Logs up to ten warnings a second, or in a longer time, and counts the rest.

    What strangers send is logged as one line of printable characters, of bounded length.
    """

    def __init__(
        self,
        log: logging.Logger,
        what: str,
        *,
        seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write to a log.

        Args:
            log: The log.
            what: What the lines are about, for the line that counts the rest: ``osc: messages``.
            seconds: Time in which ten lines are logged.
            clock: Returns the time in seconds.
        """
        self._log, self._what, self._seconds, self._clock = log, what, seconds, clock
        self._begun = -math.inf
        self._lines = 0
        self._left_out = 0

    @property
    def has_room(self) -> bool:
        """True if the next line is logged, not just counted."""
        return self._lines < _MOST_LINES or self._clock() - self._begun >= self._seconds

    def warn(self, line: str, *, trace: bool = False) -> None:
        """Log a line, or count it above the limit; ``trace`` adds the exception being handled."""
        self.sum_up()
        now = self._clock()
        if now - self._begun >= self._seconds:
            self._begun, self._lines = now, 0
        self._lines += 1
        if self._lines > _MOST_LINES:
            self._left_out += 1
            return
        line = "".join(sign if sign.isprintable() else "?" for sign in line[:_LONGEST_LINE])
        self._log.warning("%s", line, exc_info=trace)

    def sum_up(self) -> None:
        """Log how many lines were left out, once its time is over."""
        if self._left_out and self._clock() - self._begun >= self._seconds:
            self._log.warning("%s: %d more were refused", self._what, self._left_out)
            self._left_out = 0
