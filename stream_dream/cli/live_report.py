"""What a show tells while it runs: its log, and its status as events or in the log."""

from __future__ import annotations

import logging
import os
import queue
from dataclasses import fields
from typing import TYPE_CHECKING

from stream_dream.cli import json_lines
from stream_dream.cli.events import StatusEvent
from stream_dream.runtime.quiet import debugging

if TYPE_CHECKING:
    from stream_dream.live.engine.show import Show

log = logging.getLogger("stream_dream.live")
# Not kept for pages, which show them all the time.
figures = logging.getLogger("stream_dream.live.figures")

_LOGGED_SECONDS = 60.0


class LogEvents(logging.Handler):
    """Prints the log as events: at once before the show, then in the thread that reports.

    A show goes on when a reader of the output stops reading.
    """

    def __init__(self) -> None:
        """Create the handler; it prints nothing unless ``--json`` is given."""
        super().__init__()
        self.waits = False
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        """Print or queue a line of the log."""
        mark = "warning: " if record.levelno >= logging.WARNING else ""
        self._waiting.put(f"{mark}{' '.join(record.getMessage().split())}")
        if not self.waits:
            self.print_waiting()

    def print_waiting(self) -> None:
        """Print the lines that wait."""
        while not self._waiting.empty():
            json_lines.tell(self._waiting.get())


def set_up_log(*, quiet: bool) -> LogEvents:
    """Write the log to standard error, the journal under systemd; return who makes events of it."""
    handler, told = logging.StreamHandler(), LogEvents()
    under_systemd = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(
        logging.Formatter("%(message)s" if under_systemd else "%(asctime)s %(message)s", "%H:%M:%S")
    )
    log.handlers[:] = [handler, told]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.DEBUG if debugging() else logging.INFO)
    return told


def report(show: Show, told: LogEvents, as_json: bool) -> None:
    """Print the status: an event a second, or a line in the log a minute.

    Run it in a thread: the show goes on when a reader of the output stops reading.
    """
    pause, last, ended = 0.02, 0.0, False
    while not ended:
        ended = show.ended.wait(pause)
        told.print_waiting()
        status = show.status
        pause = 0.02
        if status.uptime <= last or not status.fps:  # no frame was shown since
            continue
        last, pause = status.uptime, 1.0 if as_json else _LOGGED_SECONDS
        if as_json:
            values = {field.name: getattr(status, field.name) for field in fields(status)}
            json_lines.emit(StatusEvent(**values))
        elif not ended:
            figures.info(
                "%.1f fps, %s at %d px, latency %.0f ms, camera %s, %d of %d captured dropped",
                *(status.fps, status.preset, status.dream_size, status.latency_ms),
                *(status.camera, status.dropped, status.captured),
            )
    told.print_waiting()
