"""Views that send frames to a receiver, and again whenever it is back."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod

from stream_dream.errors import first_line
from stream_dream.frame import Image8
from stream_dream.live.status import LiveStatus
from stream_dream.runtime.retry_pauses import RetryPauses

log = logging.getLogger("stream_dream.live")

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0
# A connection that lasts this long works; after a failure it must last longer, as some receivers
# take frames for seconds before they fail again.
_WORKS_AFTER, _WORKS_AGAIN_AFTER = 2.0, 5.0
# The pauses begin anew after a connection that lasted this long.
_LASTING_SECONDS = 7.0


class ReconnectingView(ABC):
    """A view whose thread sends frames, and tries again after a pause if that fails.

    A receiver that fails again and again for the same reason is logged once.

    Attributes:
        name: Name of the receiver, without secrets.
        state: ``connecting``, ``sending`` or ``waiting`` for the receiver to come back.
        message: Why it waits, for the operator; "" while it does not.
        problem: None: a receiver is waited for as long as it takes.
    """

    problem: str | None = None

    def __init__(self, name: str, pauses: RetryPauses | None = None) -> None:
        """Start the thread.

        Args:
            name: Name of the receiver, without secrets.
            pauses: Pauses before it is tried again; one second to ten by default.
        """
        self.name, self.state, self.message = name, "connecting", ""
        self._pauses = pauses or RetryPauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._told = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"to {name}", daemon=True)
        self._thread.start()

    @abstractmethod
    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), in place of one that still waits."""

    @abstractmethod
    def transmit(self) -> str | None:
        """Send frames until something fails, and return what; None to be called again at once.

        May raise anything, which is told as well.
        """

    def close(self) -> None:
        """End the thread; calling it again does nothing."""
        self._closed.set()
        self._thread.join(2.0)

    def taken(self, seconds: float) -> None:
        """Report that the receiver has taken frames for so long."""
        if seconds > (_WORKS_AGAIN_AFTER if self.state == "waiting" else _WORKS_AFTER):
            self._tell("sending", "")

    def _work(self) -> None:
        while not self._closed.is_set():
            begun = time.monotonic()
            try:
                problem = self.transmit()
            except Exception as error:  # libraries may raise anything; the show goes on
                problem = first_line(error)
            if problem is None:
                continue
            if time.monotonic() - begun > _LASTING_SECONDS:
                self._pauses.reset()
            self._tell("waiting", problem)
            self._closed.wait(self._pauses.next())

    def _tell(self, state: str, problem: str) -> None:
        """Set the state, and log what has changed."""
        line = f"{self.name}: {problem or state}"
        self.state, self.message = state, line if problem else ""
        if line != self._told and not self._closed.is_set():
            self._told = line
            log.log(logging.WARNING if problem else logging.INFO, "out %s", line)
