"""A log that a flood cannot fill."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

_LINES_A_SECOND = 10
_LONGEST_LINE = 240


class LimitedLog:
    """Logs warnings up to a number of lines a second, and counts the rest.

    What strangers send is logged as one line of printable characters, of bounded length.
    """

    def __init__(
        self,
        log: logging.Logger,
        what: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write to a log.

        Args:
            log: The log.
            what: What the lines are about, for the line that counts the rest: ``osc: messages``.
            clock: Returns the time in seconds.
        """
        self._log, self._what, self._clock = log, what, clock
        self._begun = -math.inf
        self._lines = 0
        self._left_out = 0

    @property
    def has_room(self) -> bool:
        """True if the next line is logged, not just counted."""
        return self._lines < _LINES_A_SECOND or self._clock() - self._begun >= 1

    def warn(self, line: str, *, trace: bool = False) -> None:
        """Log a line, or count it above the limit; ``trace`` adds the exception being handled."""
        self.sum_up()
        now = self._clock()
        if now - self._begun >= 1:
            self._begun, self._lines = now, 0
        self._lines += 1
        if self._lines > _LINES_A_SECOND:
            self._left_out += 1
            return
        line = "".join(sign if sign.isprintable() else "?" for sign in line[:_LONGEST_LINE])
        self._log.warning("%s", line, exc_info=trace)

    def sum_up(self) -> None:
        """Log how many lines were left out, once the second is over."""
        if self._left_out and self._clock() - self._begun >= 1:
            self._log.warning("%s: %d more were refused", self._what, self._left_out)
            self._left_out = 0
