"""Virtual camera for other programs, through pyvirtualcam."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.live.output.frame_sender import Device, FrameSender


class VirtualCamera(FrameSender):
    """Shows the dream as a camera."""

    def __init__(self) -> None:
        """Start the thread. Raises ``SettingsError`` if pyvirtualcam is missing."""
        try:
            import pyvirtualcam
        except ImportError:
            raise SettingsError(
                "--virtual-camera needs the extra virtual-camera: "
                "pip install 'stream-dream[virtual-camera]'"
            ) from None
        self._module: Any = pyvirtualcam
        super().__init__("virtual camera")

    def open(self, size: tuple[int, int], fps: float) -> AbstractContextManager[Device]:
        """Open the camera."""
        camera: AbstractContextManager[Device] = self._module.Camera(*size, fps)
        return camera

    def remedy(self) -> str:
        """Return how to get a virtual camera on this system."""
        if sys.platform == "linux":
            how = "install v4l2loopback and run sudo modprobe v4l2loopback"
        else:
            how = "install OBS Studio and start its virtual camera once"
        return f"there is no virtual camera: {how}"
