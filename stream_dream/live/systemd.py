"""Tells systemd how the show is: that it runs, that it dreams, that it ends."""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Callable, Mapping

from stream_dream.live.status import LiveStatus


class ServiceManager:
    """The service manager that started us; where there is none, nothing happens.

    A listener of the show: called with the status after each frame. Messages as in systemd's
    sd_notify(3), the watchdog as in sd_watchdog_enabled(3). No method raises, and none waits: a
    show does not stop because its manager is busy.
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
        self._dreamed = 0

    def __call__(self, status: LiveStatus) -> None:
        """Say once that the show runs, and at most every half of the watchdog's time that it does.

        A show whose frames do not advance falls silent and is restarted, unless it is frozen.
        """
        if status.dreamed <= self._dreamed and not status.frozen:
            return
        self._dreamed = status.dreamed
        # What could not be sent is tried again with the next frame.
        self._ready = self._ready or self._send("READY=1")
        now = self._clock()
        if now >= self._due and self._send("WATCHDOG=1"):
            self._due = now + self._interval

    def stopping(self) -> None:
        """Say that the show ends."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> bool:
        if self._address is None:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(message.encode(), self._address)
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
