"""Notify systemd when the show is ready, alive and stopping."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Mapping

from stream_dream.live.status import LiveStatus


class ServiceManager:
    """The service manager that started the process; without one, nothing happens.

    Called with the status after each frame. Messages follow sd_notify(3), the watchdog follows
    sd_watchdog_enabled(3). No method raises or blocks.
    """

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the socket and the watchdog's timeout from the environment.

        Args:
            environment: ``NOTIFY_SOCKET`` is a path, or ``@`` and an abstract name;
                ``WATCHDOG_USEC`` the timeout in microseconds after which the service is restarted;
                ``WATCHDOG_PID``, if set, the process that it applies to.
            clock: Returns the time in seconds.
        """
        self._clock = clock
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval = _interval(environment)
        self._due = -math.inf if self._interval else math.inf
        self._ready = False
        self._dreamed = 0

    def __call__(self, status: LiveStatus) -> None:
        """Send READY once, and WATCHDOG at most every half of the timeout.

        A show whose frames do not advance sends nothing and is restarted, unless it is frozen.
        """
        if status.dreamed <= self._dreamed and not status.frozen:
            return
        self._dreamed = status.dreamed
        # A message that could not be sent is retried with the next frame.
        self._ready = self._ready or self._send("READY=1")
        now = self._clock()
        if now >= self._due and self._send("WATCHDOG=1"):
            self._due = now + self._interval

    def stopping(self) -> None:
        """Report that the show is stopping."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> bool:
        if self._address is None:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
        except OSError:  # gone, full or forbidden
            return False
        return True


def _address(given: str) -> str | None:
    """Return the address for ``sendto``; None if there is none."""
    if not hasattr(socket, "AF_UNIX") or given[:1] not in ("/", "@") or "\0" in given:
        return None
    return "\0" + given[1:] if given.startswith("@") else given


def _interval(environment: Mapping[str, str]) -> float:
    """Return the seconds between two watchdog messages; 0 if none are wanted."""
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
        process = int(environment.get("WATCHDOG_PID", os.getpid()))
    except ValueError:
        return 0.0
    return max(0, microseconds) / 2e6 if process == os.getpid() else 0.0
