"""A camera that is watched and reconnected: its failures never end the show."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

import numpy as np

from stream_dream.errors import StreamDreamError, first_line
from stream_dream.frame import Image8
from stream_dream.live.capture.camera_rate import LOST_AFTER, CameraRate
from stream_dream.live.capture.feed import CapturedFrame, Ended, Feed, Origin
from stream_dream.live.status import CameraState

log = logging.getLogger("stream_dream.live")

# Pictures without anything brighter, but for one pixel in a hundred, are dark; a lens cap is not
# quite black.
_DARK, _LIT_PERCENTILE = 24, 99
_DARK_AFTER = 10.0
# A stalled connection stays open while another one is tried, up to this many in all, as those that
# hang in a driver cannot be closed.
_MOST_CONNECTIONS = 4
_STUCK_AFTER = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 6.0  # back well within ten seconds of the camera's return


class Camera:
    """Keeps the newest frame of a source, whatever happens to the source.

    Each connection is opened and read by its own thread: a driver that hangs blocks nothing else.

    Attributes:
        captured: Number of frames so far.
        ended: Set at the end of a file that is not repeated.
    """

    def __init__(self, connect: Callable[[], Feed], *, name: str = "camera") -> None:
        """Start to connect.

        Args:
            connect: Opens the source; raises ``StreamDreamError`` if it cannot at the moment.
            name: What the log calls it.
        """
        self._name = name
        self.ended = threading.Event()
        self._connect = connect
        self._changed = threading.Condition()
        self._newest: CapturedFrame | None = None
        self.captured = 0
        self._rate = CameraRate()
        self._lit_at = 0.0
        self._current: _Connection | None = None
        self._guest: _Connection | None = None
        self._connections: list[_Connection] = []
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="camera", daemon=True)
        self._watcher.start()

    @property
    def state(self) -> CameraState:
        """``connecting`` before the first frame, ``lost`` without one, ``dark`` or ``ok``."""
        newest, now = self._newest, time.monotonic()
        if newest is None:
            return "connecting"
        if now - newest.time >= self._rate.lost_after:
            return "lost"
        return "ok" if now - self._lit_at < _DARK_AFTER else "dark"

    @property
    def is_missing(self) -> bool:
        """True when three frames in a row have not come, as before the first one."""
        newest = self._newest
        return newest is None or time.monotonic() - newest.time >= self._rate.missing_after

    @property
    def period(self) -> float | None:
        """Mean time between its frames, in seconds; None before it is known."""
        return self._rate.period

    def wait(self, after: int, seconds: float) -> CapturedFrame | None:
        """Return the newest frame after number ``after``; None if none arrives in time."""
        with self._changed:
            self._changed.wait_for(lambda: self.captured > after or self._closed.is_set(), seconds)
            return self._newest if self.captured > after else None

    def close(self) -> None:
        """Close the source; connections that hang in a driver are abandoned."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        self._watcher.join(2)
        connections = [*self._connections, *filter(None, [self._guest])]
        for connection in connections:
            connection.given_up = True
        deadline = time.monotonic() + 0.5
        for connection in connections:
            connection.join(max(0.0, deadline - time.monotonic()))

    def take_over(self, feed: Feed) -> None:
        """Use the frames of another feed, in place of the source's, until that feed ends.

        The source stays connected, and is back as soon as the feed has ended.
        """
        if self._guest is not None:
            self._guest.given_up = True
        self._guest = _Connection(self, lambda: feed)
        self._guest.start()

    def take(self, connection: _Connection, image: Image8) -> bool:
        """Accept a frame from a connection; return False if that connection is no longer needed."""
        now, guest = time.monotonic(), self._guest
        with self._changed:
            current = self._current
            if connection is not guest and connection is not current:
                working = current is not None and current.is_alive() and self._sends(current)
                if connection.given_up or working:
                    return False
                self._current = connection
            connection.newest_at = now
            if connection is guest:
                self._show(image, now, Origin.GUEST)
            elif guest is None or not guest.is_alive():
                self._show(image, now, Origin.SOURCE)
        return not (connection.given_up or self._closed.is_set())

    def _show(self, image: Image8, now: float, origin: Origin) -> None:
        """Make a picture the newest frame, and measure the time since the last one."""
        if self._newest is not None:
            self._rate.add(now - self._newest.time)
        if self._newest is None or not _is_dark(image) or self.state == "lost":
            self._lit_at = now
        self.captured += 1
        self._newest = CapturedFrame(image, self.captured, now, origin=origin)
        self._changed.notify_all()

    def _watch(self) -> None:
        """Connect, and reconnect whenever no frames arrive."""
        pause, told = _FIRST_PAUSE, None
        while not self._closed.is_set():
            self._connections = [c for c in self._connections if c.is_alive()]
            current = self._current
            if current is not None and current.is_alive() and self._sends(current):
                self._watch_over(current)  # it stalled and has recovered
            elif len(self._connections) < _MOST_CONNECTIONS:
                connection = _Connection(self, self._connect)
                self._connections.append(connection)
                connection.start()
                worked = self._watch_over(connection)
                if worked:
                    pause = _FIRST_PAUSE
                if connection.problem not in (None, told):
                    log.warning("%s: %s; trying again", self._name, connection.problem)
                told = None if worked else connection.problem
            if self.ended.is_set() or self._closed.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _sends(self, connection: _Connection) -> bool:
        return time.monotonic() - connection.newest_at < self._rate.lost_after

    def _watch_over(self, connection: _Connection) -> bool:
        """Wait until a connection ends or stalls; return True if it gave frames."""
        worked = False
        began = time.monotonic()
        while connection.is_alive() and not self._closed.is_set():
            connection.join(0.1)
            now = time.monotonic()
            if self._current is connection and connection.newest_at >= began:
                if not worked:
                    log.info("%s: connected", self._name)
                    for other in self._connections:
                        other.given_up = other is not connection
                worked = True
            last = connection.newest_at if worked else began
            stuck_after = max(_STUCK_AFTER, self._rate.lost_after)
            if now - last > stuck_after + (0 if worked else LOST_AFTER):
                connection.problem = "no picture comes"
                return worked
        return worked


def _is_dark(image: Image8) -> bool:
    few = image[:: max(1, image.shape[0] // 32), :: max(1, image.shape[1] // 32)]
    return bool(np.percentile(few, _LIT_PERCENTILE) < _DARK)


class _Connection(threading.Thread):
    """Reads one connection until it ends.

    Attributes:
        newest_at: When its last frame came, in seconds; minus infinity before the first.
        given_up: Set when its frames are no longer wanted.
        problem: Why it ended; None while it runs.
    """

    def __init__(self, camera: Camera, connect: Callable[[], Feed]) -> None:
        super().__init__(name="capture", daemon=True)
        self.given_up = False
        self.newest_at = -math.inf
        self.problem: str | None = None
        self._camera = camera
        self._connect = connect

    def run(self) -> None:
        try:
            feed = self._connect()
        except Exception as error:
            self.problem = first_line(error)
            if not isinstance(error, StreamDreamError):
                log.debug("camera", exc_info=True)
            return
        try:
            while (image := feed.read()) is not None:
                if not self._camera.take(self, image):
                    return
            self.problem = "the connection has ended"
        except Ended:
            self._camera.ended.set()
        except Exception as error:  # whatever a driver throws: the show goes on
            self.problem = first_line(error)
        finally:
            feed.close()
