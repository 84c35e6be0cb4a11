"""Tells systemd how the show is: that it runs, that it dreams, that it ends."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Mapping


class ServiceManager:
    """The service manager that started us; where there is none, nothing happens.

    Messages as in systemd's sd_notify(3), the watchdog as in sd_watchdog_enabled(3). No method
    raises, and none waits: a show does not stop because its manager is busy.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read from the environment where to send, and how often the watchdog wants to hear.

        Args:
            environment: ``NOTIFY_SOCKET`` is a path, or ``@`` and an abstract name;
                ``WATCHDOG_USEC`` the microseconds after which silence means a restart;
                ``WATCHDOG_PID`` the process that is meant, if it is there.
            clock: Tells the time in seconds.
        """
        self._clock = clock
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval = _interval(environment)
        self._due = -math.inf if self._interval else math.inf
        self._ready = False

    def ready(self) -> None:
        """Say that the show runs; only the first time counts."""
        if not self._ready:
            self._ready = self._send("READY=1")

    def frame(self) -> None:
        """Say that a frame was dreamed, at most every half of the watchdog's time.

        Only whoever dreams may call it: a show that is stuck then falls silent and is restarted.
        """
        now = self._clock()
        # What could not be sent is tried again with the next frame.
        if now >= self._due and self._send("WATCHDOG=1"):
            self._due = now + self._interval

    def status(self, text: str) -> None:
        """Give the line that ``systemctl status`` shows."""
        self._send("STATUS=" + " ".join(text.split()))

    def stopping(self) -> None:
        """Say that the show ends."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> bool:
        if self._address is None:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(errors="replace"), self._address)
        except OSError:  # gone, full or forbidden: the manager's loss
            return False
        return True


def _address(given: str) -> str | None:
    """Return the address as ``sendto`` takes it; None where there is none to send to."""
    if not hasattr(socket, "AF_UNIX") or given[:1] not in ("/", "@") or "\0" in given:
        return None
    return "\0" + given[1:] if given.startswith("@") else given


def _interval(environment: Mapping[str, str]) -> float:
    """Return the seconds between two signs of life; 0 where none is wanted."""
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
        process = int(environment.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return 0.0
    return max(0, microseconds) / 2e6 if process == os.getpid() else 0.0
