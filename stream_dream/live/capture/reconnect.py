"""A camera that is watched and reconnected: its failures never end the show."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from stream_dream.errors import StreamDreamError, first_line
from stream_dream.frame import Frame, Image8
from stream_dream.live.capture.sources import Ended, Feed
from stream_dream.live.status import CameraState

log = logging.getLogger("stream_dream.live")

# A camera without a frame for this long counts as lost.
LOST_AFTER = 2.0
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

    def __init__(self, connect: Callable[[], Feed]) -> None:
        """Start to connect; ``connect`` raises ``StreamDreamError`` if it cannot at the moment."""
        self.ended = threading.Event()
        self._connect = connect
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self.captured = 0
        self._current: _Connection | None = None
        self._connections: list[_Connection] = []
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="camera", daemon=True)
        self._watcher.start()

    @property
    def state(self) -> CameraState:
        """``connecting`` before the first frame, ``lost`` after two seconds without one."""
        newest = self._newest
        if newest is None:
            return "connecting"
        return "ok" if time.monotonic() - newest.time < LOST_AFTER else "lost"

    def wait(self, after: int, seconds: float) -> Frame | None:
        """Return the newest frame after number ``after``; None if none arrives in time.

        Its ``index`` counts from 1, and its ``time`` is that of ``time.monotonic``.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.captured > after or self._closed.is_set(), seconds)
            return self._newest if self.captured > after else None

    def close(self) -> None:
        """Close the source; connections that hang in a driver are abandoned."""
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        self._watcher.join(2)
        for connection in self._connections:
            connection.given_up = True
        deadline = time.monotonic() + 0.5
        for connection in self._connections:
            connection.join(max(0.0, deadline - time.monotonic()))

    def take(self, connection: _Connection, image: Image8) -> bool:
        """Accept a frame from a connection; return False if that connection is no longer needed."""
        now = time.monotonic()
        with self._changed:
            current, newest = self._current, self._newest
            if connection is not current:
                fresh = newest is not None and now - newest.time < LOST_AFTER
                working = current is not None and current.is_alive() and fresh
                if connection.given_up or working:
                    return False
                self._current = connection
            self.captured += 1
            self._newest = Frame(image, self.captured, now)
            self._changed.notify_all()
        return not (connection.given_up or self._closed.is_set())

    def _watch(self) -> None:
        """Connect, and reconnect whenever no frames arrive."""
        pause, told = _FIRST_PAUSE, None
        while not self._closed.is_set():
            self._connections = [c for c in self._connections if c.is_alive()]
            current = self._current
            if current is not None and current.is_alive() and self.state == "ok":
                self._watch_over(current)  # it stalled and has recovered
            elif len(self._connections) < _MOST_CONNECTIONS:
                connection = _Connection(self, self._connect)
                self._connections.append(connection)
                connection.start()
                worked = self._watch_over(connection)
                if worked:
                    pause = _FIRST_PAUSE
                if connection.problem not in (None, told):
                    log.warning("camera: %s; trying again", connection.problem)
                told = None if worked else connection.problem
            if self.ended.is_set() or self._closed.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _watch_over(self, connection: _Connection) -> bool:
        """Wait until a connection ends or stalls; return True if it gave frames."""
        worked = False
        began = time.monotonic()
        while connection.is_alive() and not self._closed.is_set():
            connection.join(0.1)
            newest, now = self._newest, time.monotonic()
            if self._current is connection and newest is not None and newest.time >= began:
                if not worked:
                    log.info("camera: connected")
                    for other in self._connections:
                        other.given_up = other is not connection
                worked = True
            last = newest.time if worked and newest is not None else began
            if now - last > _STUCK_AFTER + (0 if worked else LOST_AFTER):
                connection.problem = "no picture comes"
                return worked
        return worked


class _Connection(threading.Thread):
    """Reads one connection until it ends.

    Attributes:
        given_up: Set when its frames are no longer wanted.
        problem: Why it ended; None while it runs.
    """

    def __init__(self, camera: Camera, connect: Callable[[], Feed]) -> None:
        super().__init__(name="capture", daemon=True)
        self.given_up = False
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
