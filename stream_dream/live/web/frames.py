"""The newest frame of a show, encoded once for all clients, and only on request."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from stream_dream.frame import Image8
from stream_dream.live.status import LiveStatus

JPEG_QUALITY = 85
HISTORY_SECONDS = 60.0


class ShownFrame(NamedTuple):
    """A frame as it was shown.

    Attributes:
        number: Counts frames from 1; 0 while there is none.
        image: uint8 RGB, (height, width, 3).
        status: The show's status after it.
        time: When it arrived, in seconds of the monotonic clock.
    """

    number: int
    image: Image8
    status: LiveStatus
    time: float


_NOTHING = ShownFrame(0, np.zeros((1, 1, 3), np.uint8), LiveStatus(), 0.0)


class RevisedImage(Protocol):
    """What a look makes of the present picture."""

    @property
    def revision(self) -> int:
        """Counts the thumbnails of a look."""

    @property
    def image(self) -> Image8:
        """uint8 RGB, (height, width, 3)."""


class ThumbnailMaker(Protocol):
    """Makes thumbnails of all looks while somebody wants them."""

    @property
    def made(self) -> Mapping[str, RevisedImage]:
        """The thumbnails by look."""

    def want(self) -> None:
        """Keep them up to date for a while."""


class Pictures:
    """Passes frames from the show's thread to the web page's event loop.

    Every request gets the newest frame: slow clients miss some, and nothing is queued.

    Attributes:
        newest: The newest frame; its number is 0 while there is none.
        thumbnails: Makes thumbnails of the looks; None while there are none.
    """

    def __init__(self) -> None:
        """Start without a frame."""
        self.newest = _NOTHING
        self.thumbnails: ThumbnailMaker | None = None
        self._jpeg = 0, b""
        self._lock = threading.Lock()
        self._times: deque[tuple[int, float, float]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._announced = False
        self._encoding = asyncio.Lock()
        # A thread of its own: the event loop serves controls while a frame is encoded.
        self._encoder = ThreadPoolExecutor(1, "web-encoder")

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the event loop that all clients run in."""
        self._loop = loop

    def put(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, from any thread; returns at once."""
        now = time.monotonic()
        shown = ShownFrame(self.newest.number + 1, image, status, now)
        with self._lock:
            self.newest = shown
            self._times.append((shown.number, now, status.frame_ms))
            while self._times[0][1] < now - HISTORY_SECONDS:
                self._times.popleft()
        # One pending announcement is enough, however late the event loop runs it.
        if self._loop is not None and not self._announced:
            self._announced = True
            try:
                self._loop.call_soon_threadsafe(self.announce)
            except RuntimeError:  # the event loop has ended
                self._loop = None

    def announce(self) -> None:
        """Wake up all clients that wait for a frame."""
        self._announced = False
        self._arrived.set()
        self._arrived = asyncio.Event()

    def frame_times(self, after: int) -> list[tuple[float, float]]:
        """Return time (s) and frame time (ms) of the last minute's frames after number ``after``.

        Times are those of the monotonic clock.
        """
        with self._lock:
            # From the newest back: it is called often, mostly for a handful.
            new = []
            for number, when, milliseconds in reversed(self._times):
                if number <= after:
                    break
                new.append((round(when, 3), round(milliseconds, 1)))
            return new[::-1]

    async def wait(self, after: int, seconds: float) -> None:
        """Wait until there is a frame after number ``after``, or for some seconds."""
        arrived = self._arrived
        if self.newest.number <= after:
            try:
                async with asyncio.timeout(seconds):
                    await arrived.wait()
            except TimeoutError:
                return

    async def jpeg(self) -> tuple[int, bytes]:
        """Return number and JPEG of the newest frame, which is encoded once."""
        async with self._encoding:
            shown = self.newest
            if self._jpeg[0] < shown.number:
                self._jpeg = shown.number, await self._encode(".jpg", shown.image)
            return self._jpeg

    async def png(self) -> bytes:
        """Return the newest frame as PNG."""
        return await self._encode(".png", self.newest.image)

    async def thumbnail(self, look: str) -> bytes | None:
        """Return the thumbnail of a look as JPEG; None if there is none yet."""
        made = {} if self.thumbnails is None else self.thumbnails.made
        return await self._encode(".jpg", made[look].image) if look in made else None

    def thumbnail_revisions(self) -> dict[str, int]:
        """Return the revision of each look's thumbnail, for a page that shows them."""
        if self.thumbnails is None:
            return {}
        self.thumbnails.want()
        return {look: thumbnail.revision for look, thumbnail in self.thumbnails.made.items()}

    def close(self) -> None:
        """Stop the encoder, after the frame that it is working on."""
        self._encoder.shutdown(wait=False, cancel_futures=True)

    async def _encode(self, suffix: str, image: Image8) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._encoder, encode, suffix, image)


def encode(suffix: str, image: Image8) -> bytes:
    """Return an RGB image as the bytes of a ``.jpg`` or ``.png`` file."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(suffix, bgr, parameters)[1].tobytes()
