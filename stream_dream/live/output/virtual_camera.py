"""Virtual camera for other programs, through pyvirtualcam."""

from __future__ import annotations

import sys
import threading
from typing import Any

from stream_dream.errors import SettingsError, first_line
from stream_dream.frame import Image8
from stream_dream.image import resize
from stream_dream.live.status import LiveStatus
from stream_dream.runtime.latest_value import LatestValue

_DEFAULT_FPS = 25.0
# The last frame is repeated: programs give up a camera that sends nothing for seconds.
_REPEAT_SECONDS = 0.5


class VirtualCamera:
    """A view whose thread sends the newest frame and leaves out those it has no time for.

    The camera has the size of the first frame, rounded down to even: other programs cannot follow
    a change. Later frames are resized to it.

    Attributes:
        problem: One line on why there is no camera; None while all is well.
    """

    def __init__(self) -> None:
        """Start the thread; the camera opens with the first frame.

        Raises ``SettingsError`` if pyvirtualcam is missing.
        """
        try:
            import pyvirtualcam
        except ImportError:
            raise SettingsError(
                "--virtual-camera needs the extra virtual-camera: "
                "pip install 'stream-dream[virtual-camera]'"
            ) from None
        self._module: Any = pyvirtualcam
        self._frames: LatestValue[tuple[Image8, float]] = LatestValue()
        self._closed = threading.Event()
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._work, name="virtual camera", daemon=True)
        self._thread.start()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), in place of one that still waits."""
        self._frames.put((image, status.target_fps))

    def close(self) -> None:
        """Remove the camera; calling it again does nothing."""
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
            camera = self._module.Camera(*size, fps or _DEFAULT_FPS)
        except Exception as error:
            self.problem = f"--virtual-camera: {_remedy()} ({first_line(error)})"
            return
        try:
            with camera:
                while not self._closed.is_set():
                    camera.send(resize(image, size))
                    image, _ = self._frames.take(_REPEAT_SECONDS) or (image, fps)
        except Exception as error:
            self.problem = f"--virtual-camera: the camera is gone: {first_line(error)}"


def _even(image: Image8) -> tuple[int, int]:
    """Return (width, height), rounded down to even: cameras share colours among four pixels."""
    height, width = image.shape[:2]
    return max(2, width - width % 2), max(2, height - height % 2)


def _remedy() -> str:
    if sys.platform == "linux":
        return "there is no virtual camera: install v4l2loopback and run sudo modprobe v4l2loopback"
    return "there is no virtual camera: install OBS Studio and start its virtual camera once"
