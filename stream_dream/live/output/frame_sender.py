"""Views that hand frames to a library that other programs take them from."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack
from typing import Protocol

from stream_dream.errors import first_line
from stream_dream.frame import Image8
from stream_dream.image import resize
from stream_dream.live.output.reconnecting_view import ReconnectingView
from stream_dream.live.status import LiveStatus
from stream_dream.runtime.latest_value import LatestValue

_DEFAULT_FPS = 25.0
# The last frame is repeated: programs give up a source that sends nothing for seconds.
_REPEAT_SECONDS = 0.5


class Device(Protocol):
    """Something that takes frames."""

    def send(self, image: Image8) -> None:
        """Send a frame, uint8 RGB (height, width, 3); may wait."""


class FrameSender(ReconnectingView):
    """A view whose thread sends the newest frame and leaves out those it has no time for.

    What is sent has the size of the first frame, rounded down to even: other programs cannot follow
    a change. Later frames are resized to it.
    """

    def __init__(self, name: str) -> None:
        """Start the thread; the device, by this name in messages, opens with the first frame."""
        self._frames: LatestValue[tuple[Image8, float]] = LatestValue()
        self._newest: tuple[Image8, float] | None = None
        self._size: tuple[int, int] | None = None
        super().__init__(name)

    @abstractmethod
    def open(self, size: tuple[int, int], fps: float) -> AbstractContextManager[Device]:
        """Open the device for frames of a (width, height), both even; may raise anything."""

    def remedy(self) -> str:
        """Return what to do where the device cannot be opened."""
        return "it cannot be opened"

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), in place of one that still waits."""
        self._frames.put((image, status.target_fps))

    def transmit(self) -> str | None:
        """Send frames until the end or an error; return why the device cannot be opened."""
        newest = self._newest = self._frames.take(_REPEAT_SECONDS) or self._newest
        if newest is None or self._closed.is_set():
            return None
        image, fps = newest
        size = self._size = self._size or _even(image)
        with ExitStack() as stack:
            try:
                device = stack.enter_context(self.open(size, fps or _DEFAULT_FPS))
            except Exception as error:  # drivers may raise anything
                return f"{self.remedy()} ({first_line(error)})"
            begun = time.monotonic()
            while not self._closed.is_set():
                device.send(resize(image, size))
                self.taken(time.monotonic() - begun)
                image, _ = self._newest = self._frames.take(_REPEAT_SECONDS) or (image, fps)
        return None


def _even(image: Image8) -> tuple[int, int]:
    """Return (width, height), rounded down to even: cameras share colours among four pixels."""
    height, width = image.shape[:2]
    return max(2, width - width % 2), max(2, height - height % 2)
