"""NDI source for other programs in the network, through cyndilib."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from typing import Any

import cv2
import numpy as np

from stream_dream.errors import SettingsError
from stream_dream.frame import Image8
from stream_dream.live.output.frame_sender import Device, FrameSender


class NdiOutput(FrameSender):
    """Shows the dream as an NDI source."""

    def __init__(self, name: str) -> None:
        """Start the thread.

        Args:
            name: Name of the source in the network.

        Raises:
            SettingsError: cyndilib is missing, or the name is empty.
        """
        if not name.strip():
            raise SettingsError("--out ndi: has no name: give one, such as ndi:dream")
        try:
            import cyndilib.sender  # noqa: F401
        except ImportError:
            raise SettingsError(
                "--out ndi: needs the extra ndi: pip install 'stream-dream[ndi]'"
            ) from None
        self._source = name
        super().__init__(f"ndi:{name}")

    def open(self, size: tuple[int, int], fps: float) -> AbstractContextManager[Device]:
        """Announce the source."""
        return self._announced(size, fps)

    @contextmanager
    def _announced(self, size: tuple[int, int], fps: float) -> Iterator[Device]:
        from cyndilib.sender import Sender
        from cyndilib.video_frame import VideoSendFrame
        from cyndilib.wrapper.ndi_structs import FourCC

        frame = VideoSendFrame()
        frame.set_resolution(*size)
        frame.set_frame_rate(Fraction(fps).limit_denominator(1001))
        frame.set_fourcc(FourCC.RGBX)
        sender = Sender(self._source)
        sender.set_video_frame(frame)
        with sender:
            yield _Source(sender)


class _Source:
    """Sends frames to whoever has connected."""

    def __init__(self, sender: Any) -> None:
        self._sender = sender

    def send(self, image: Image8) -> None:
        self._sender.write_video(np.ravel(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)))
