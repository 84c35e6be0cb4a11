"""A feed whose frames are pushed: the camera of a phone that has the page open."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import cv2
import numpy as np

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.live.capture.feed import Feed

LARGEST_BYTES = 4 * 2**20
"""Largest picture that is accepted."""

LARGEST_SIDE = 4096
"""Longest side that is accepted, in pixels."""

_ENDS_AFTER = 3.0


class PushedFeed:
    """Frames that any thread pushes and one reads; the newest wins.

    Attributes:
        begin: Called with the feed when pictures begin to come, as ``Camera.take_over``: it must
            have the feed read and, when that has ended, closed. None while nobody wants them.
    """

    def __init__(self) -> None:
        """Start without a picture."""
        self.begin: Callable[[Feed], None] | None = None
        self._changed = threading.Condition()
        self._newest: bytes | None = None
        self._is_read = False

    def push(self, jpeg: bytes) -> None:
        """Pass on a picture, at once: it is decoded by the thread that reads.

        Args:
            jpeg: A JPEG file of at most 4 MiB and 4096 pixels a side; empty when the device that
                sends them has left, which ends the feed at once.

        Raises:
            SourceError: It is something else.
        """
        if jpeg:
            _check(jpeg)
        with self._changed:
            begin = self.begin  # the end of the show sets it to None
            if begin is None or not (jpeg or self._is_read):
                return
            self._newest = jpeg
            self._changed.notify_all()
            begins, self._is_read = not self._is_read, True
        if begins:
            begin(self)

    def read(self) -> Image8 | None:
        """Wait for the next picture, uint8 RGB.

        Returns None when the device has left, or sends nothing for three seconds.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None, _ENDS_AFTER)
                jpeg, self._newest = self._newest, None
            if not jpeg:
                return None
            image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
            if image is not None:  # damaged ones are left out
                return np.asarray(image, np.uint8)

    def close(self) -> None:
        """Drop what is left; the next picture begins anew."""
        with self._changed:
            self._newest, self._is_read = None, False


def nobody_sends() -> Feed:
    """Stand in for the source of a show that waits for a page's camera.

    Raises ``SourceError``, always: that camera comes by itself.
    """
    raise SourceError("no page sends its camera: open the page on a phone and switch it on there")


def _check(jpeg: bytes) -> None:
    """Refuse what is no JPEG, or too large, by its header: decoding takes memory and time."""
    from PIL import Image

    if len(jpeg) > LARGEST_BYTES:
        raise SourceError(
            f"a picture of {len(jpeg)} bytes is too large: send {LARGEST_BYTES} at most"
        )
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise SourceError("what was sent is no picture: send JPEG files") from None
    if max(width, height) > LARGEST_SIDE:
        raise SourceError(
            f"a picture of {width}x{height} is too large: send {LARGEST_SIDE} pixels a side at most"
        )
