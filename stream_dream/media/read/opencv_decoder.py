"""Decodes ordinary files with OpenCV."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from stream_dream.errors import SourceError
from stream_dream.frame import Hdr, Image8
from stream_dream.media.read.decoder import SEEK_FROM, SEEK_MARGIN
from stream_dream.media.read.ffmpeg_report import Probe
from stream_dream.runtime.quiet import debugging

CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""Environment variable of the options with which OpenCV opens any file with FFmpeg."""

_RETRIES = 32
"""Damaged packets in a row after which the stream counts as ended."""

# OpenCV 5.0 follows a file's colour tags and reads untagged pictures as BT.601 (measured); players
# read untagged HD as BT.709. One matrix undoes BT.601, applies BT.709 and swaps BGR to RGB (0.5 ms
# at 720p), exact to one level but where BT.601 has clipped: the deepest greens and reds, by up to
# 37 levels.
_BGR601_TO_RGB709 = np.array(
    [
        [-0.01405078, -0.07234922, 1.0864],
        [0.05840218, 0.84505163, 0.09654619],
        [1.0418, -0.02769368, -0.01410632],
    ],
    np.float32,
)


class OpenCVDecoder:
    """Decodes a file with OpenCV, in 8 bits; see ``Decoder``."""

    deep = False
    hdr: Hdr | None = None

    def __init__(self, file: Probe) -> None:
        """Open a file.

        Raises:
            SourceError: OpenCV has no decoder for it.
        """
        self.file = file
        self._lock = threading.Lock()  # OpenCV crashes when released during a read
        self._capture = open_capture(file.path)
        self._fresh, self._closed = True, False
        self._origin: float | None = None
        self._count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image8, float]]:
        """Yield the pictures from ``start`` on."""
        if self._closed:
            return iter(())
        if not self._fresh:
            self._reopen()
        self._fresh = False
        return self._pictures(start)

    def is_complete(self, pictures: int) -> bool:
        """Return whether the file announces no more pictures than were read."""
        return 0 < self._count <= pictures

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._closed = True
            self._capture.release()

    def _pictures(self, start: float) -> Iterator[tuple[Image8, float]]:
        decoded = self._seek(start)
        while decoded or self._grab():
            decoded = False
            time = self._time()
            if self._origin is None:
                self._origin = time
            image = self._retrieve()
            if image is not None:
                yield image, time - self._origin

    def _seek(self, start: float) -> bool:
        """Decode a picture just before ``start``; False to begin with the first picture."""
        if start < SEEK_FROM or self.file.length is None or self._origin is None:
            return False
        target = min(start, self.file.length) - SEEK_MARGIN
        with self._lock:
            self._capture.set(cv2.CAP_PROP_POS_MSEC, (target + self._origin) * 1000)
        if self._grab() and 0 < self._time() - self._origin <= start:
            return True
        self._reopen()
        return False

    def _grab(self) -> bool:
        """Decode the next picture, skipping damaged packets; False at the end."""
        for _ in range(_RETRIES):
            with self._lock:
                if self._capture.grab():
                    return True
        return False

    def _retrieve(self) -> Image8 | None:
        """Convert the picture decoded last to RGB; None if it is damaged."""
        with self._lock:
            ok, image = self._capture.retrieve()
        if not ok:
            return None
        height, width = image.shape[:2]
        if self.file.untagged_yuv and (width >= 1280 or height >= 720):
            return np.asarray(cv2.transform(image, _BGR601_TO_RGB709), np.uint8)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)

    def _time(self) -> float:
        """Return the time stamp of the picture decoded last, in seconds."""
        with self._lock:
            return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    def _reopen(self) -> None:
        """Reopen the file, unless it was closed: unlike seeking, this works in every format."""
        with self._lock:
            self._capture.release()
            if not self._closed:
                self._capture = open_capture(self.file.path)


def quiet_decoder() -> None:
    """Silence OpenCV and its FFmpeg, unless STREAM_DREAM_DEBUG=1."""
    if debugging():
        return
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # AV_LOG_QUIET; read at each opening
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def open_capture(path: Path) -> cv2.VideoCapture:
    """Open a file with OpenCV. Raises ``SourceError`` if it has no decoder for it."""
    # The user's options are meant for cameras; many files cannot be decoded with them.
    options = os.environ.pop(CAPTURE_OPTIONS, None)
    try:
        # An absolute path cannot be mistaken for a protocol, as "take:2.mp4" would be.
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        if options is not None:
            os.environ[CAPTURE_OPTIONS] = options
    if not capture.isOpened():
        raise SourceError(f"OpenCV cannot decode {path}: convert it to H.264 in .mp4")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture
