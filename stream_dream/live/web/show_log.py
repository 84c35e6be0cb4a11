"""The last lines of a show's log, for pages that are opened later."""

from __future__ import annotations

import logging
from typing import NamedTuple

MOST_LINES = 100


class LogLine(NamedTuple):
    """A line of the log.

    Attributes:
        time: When it was written, in seconds since 1970.
        warns: True for a warning or an error.
        text: The line, without its time.
    """

    time: float
    warns: bool
    text: str


class ShowLog(logging.Handler):
    """Keeps the last lines that a logger has written.

    Lines of its child loggers are left out.

    Attributes:
        lines: The lines, oldest first; replaced, never modified.
    """

    def __init__(self, log: logging.Logger) -> None:
        """Follow a logger until ``close``."""
        super().__init__(logging.INFO)
        self.lines: tuple[LogLine, ...] = ()
        self._log = log
        self.addFilter(lambda record: record.name == log.name)
        log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        line = LogLine(record.created, record.levelno >= logging.WARNING, record.getMessage())
        self.lines = (*self.lines[1 - MOST_LINES :], line)

    def close(self) -> None:
        """Follow the logger no more."""
        self._log.removeHandler(self)
        super().close()
