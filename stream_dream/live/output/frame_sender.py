"""Views that hand frames to a library that other programs take them from."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import Protocol

from stream_dream.errors import first_line
from stream_dream.frame import Image8
from stream_dream.image import resize
from stream_dream.live.status import LiveStatus
from stream_dream.runtime.latest_value import LatestValue

_DEFAULT_FPS = 25.0
# The last frame is repeated: programs give up a source that sends nothing for seconds.
_REPEAT_SECONDS = 0.5


class Device(Protocol):
    """Something that takes frames."""

    def send(self, image: Image8) -> None:
        """Send a frame, uint8 RGB (height, width, 3); may wait."""


class FrameSender(ABC):
    """A view whose thread sends the newest frame and leaves out those it has no time for.

    What is sent has the size of the first frame, rounded down to even: other programs cannot follow
    a change. Later frames are resized to it.

    Attributes:
        problem: One line on why nothing is sent; None while all is well.
    """

    def __init__(self, option: str, what: str) -> None:
        """Start the thread; the device opens with the first frame.

        Args:
            option: The option that asked for it, for messages.
            what: What it is, for the thread's name and messages: ``camera``.
        """
        self._option, self._what = option, what
        self._frames: LatestValue[tuple[Image8, float]] = LatestValue()
        self._closed = threading.Event()
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._work, name=f"to {what}", daemon=True)
        self._thread.start()

    @abstractmethod
    def open(self, size: tuple[int, int], fps: float) -> AbstractContextManager[Device]:
        """Open the device for frames of a (width, height), both even; may raise anything."""

    def remedy(self) -> str:
        """Return what to do where the device cannot be opened."""
        return f"there is no {self._what}"

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), in place of one that still waits."""
        self._frames.put((image, status.target_fps))

    def close(self) -> None:
        """Close the device; calling it again does nothing."""
        self._closed.set()
        self._thread.join(2.0)

    def _work(self) -> None:
        newest = None
        while newest is None:
            newest = self._frames.take(_REPEAT_SECONDS)
            if self._closed.is_set():
                return
        image, fps = newest
        size = _even(image)
        # Drivers may raise anything; the show goes on.
        try:
            opened = self.open(size, fps or _DEFAULT_FPS)
        except Exception as error:
            self.problem = f"{self._option}: {self.remedy()} ({first_line(error)})"
            return
        try:
            with opened as device:
                while not self._closed.is_set():
                    device.send(resize(image, size))
                    image, _ = self._frames.take(_REPEAT_SECONDS) or (image, fps)
        except Exception as error:
            self.problem = f"{self._option}: the {self._what} is gone: {first_line(error)}"


def _even(image: Image8) -> tuple[int, int]:
    """Return (width, height), rounded down to even: cameras share colours among four pixels."""
    height, width = image.shape[:2]
    return max(2, width - width % 2), max(2, height - height % 2)
