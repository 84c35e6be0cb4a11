"""What a show tells while it runs: its log, and its status as events or in the log."""

from __future__ import annotations

import logging
import os
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


class _LogEvents(logging.Handler):
    """Prints the log as events."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line of the log."""
        mark = "warning: " if record.levelno >= logging.WARNING else ""
        json_lines.tell(f"{mark}{' '.join(record.getMessage().split())}")


def set_up_log(*, quiet: bool) -> None:
    """Write the log to standard error, the journal under systemd, and as events."""
    json_lines.print_in_background()  # a show goes on when nobody reads its events
    handler = logging.StreamHandler()
    under_systemd = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(
        logging.Formatter("%(message)s" if under_systemd else "%(asctime)s %(message)s", "%H:%M:%S")
    )
    log.handlers[:] = [handler, _LogEvents()]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.DEBUG if debugging() else logging.INFO)


def report(show: Show, as_json: bool) -> None:
    """Print the status: an event a second, or a line in the log a minute.

    Run it in a thread.
    """
    pause, last, ended = 0.02, 0.0, False
    while not ended:
        ended = show.ended.wait(pause)
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
