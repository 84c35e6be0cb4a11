"""Times at which a source that has no clock of its own gives its frames."""

from __future__ import annotations

import time

# A frame that is this late is not caught up.
_LATE = 0.2


class Pace:
    """Waits until each frame of a source is due.

    Attributes:
        due: When the frame is due that was waited for last, on ``time.monotonic``'s clock.
    """

    def __init__(self) -> None:
        """Start with a frame that is due now."""
        self.due = self._next = time.monotonic()

    def wait(self, interval: float) -> None:
        """Wait for the next frame; the one after it is due ``interval`` seconds later."""
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)
        self.due = self._next if now - self._next < _LATE else now
        self._next = self.due + interval
