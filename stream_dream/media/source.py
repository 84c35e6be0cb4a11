"""Reads video files through OpenCV: upright RGB frames at a constant rate."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from stream_dream.errors import SourceError
from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.media.opening import (
    look_into,
    open_capture,
    picture_length,
    pixel_aspect,
    quiet_decoder,
)
from stream_dream.media.pacing import Pace, picture_rate

_SEEK_FROM = 5.0
"""Starts before this many seconds are reached by decoding: as quick, and exact in any file."""

_SEEK_MARGIN = 1.0
"""Seconds decoded ahead of the start, so that a picture held across it is known."""

_LOOK_AHEAD = 10
"""Pictures whose time stamps are looked at before the rate is chosen."""

_RETRIES = 32
"""Damaged packets in a row that are skipped before the stream counts as over."""

# OpenCV 5.0 converts by a file's colour tags and takes an untagged picture for BT.601 (measured);
# untagged HD is BT.709 by every player's convention. Undoing the one matrix and applying the other
# is one matrix again (0.5 ms at 720p, swapping BGR to RGB included), exact to one level but where
# BT.601 has clipped: the deepest greens and reds, by up to 37 levels.
_BGR601_TO_RGB709 = np.array(
    [
        [-0.01405078, -0.07234922, 1.0864],
        [0.05840218, 0.84505163, 0.09654619],
        [1.0418, -0.02769368, -0.01410632],
    ],
    np.float32,
)


def to_rgb(image: cv2.typing.MatLike, *, untagged_yuv: bool) -> Image8:
    """Convert a picture as OpenCV decodes it, BGR, to RGB.

    Args:
        image: The picture.
        untagged_yuv: True if its file does not tell by which matrix it became YUV.
    """
    height, width = image.shape[:2]
    if untagged_yuv and (width >= 1280 or height >= 720):
        return np.asarray(cv2.transform(image, _BGR601_TO_RGB709), np.uint8)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


class VideoSource:
    """Delivers the frames of a video file in order, anew each time it is iterated over.

    Time stamps decide: where a file's rate varies, pictures are repeated or left out so that each
    appears within one frame of its time. A file of constant rate gives each picture once.

    Attributes:
        path: The file.
        info: What is known of it; ``frame_count`` counts from ``start`` to ``end``.
        start: Where the first frame lies, in seconds from the file's first picture.
        first: The number of the first frame, counted from the file's first picture.
        end: Where to stop, in seconds from the file's first picture; None for the whole file.
        shortfall: After iterating: one line on what could not be read; None if all was.
    """

    def __init__(
        self, path: Path | str, *, start: float | None = None, end: float | None = None
    ) -> None:
        """Open a file and decode its first picture.

        Args:
            path: A file that OpenCV's FFmpeg reads.
            start: Where to begin, in seconds from the first picture; moved to the nearest frame.
            end: Where to stop, in seconds from the first picture; moved to the nearest frame.

        Raises:
            SourceError: If there is no such file, no picture in it can be decoded, or none lies
                between ``start`` and ``end``.
        """
        quiet_decoder()
        self.path = path = Path(path)
        self.shortfall: str | None = None
        self._fresh = True
        self._probe = look_into(path)
        self._lock = threading.Lock()  # OpenCV crashes when released in the middle of a read
        self._capture = open_capture(path)
        image, stamps = self._first_pictures()
        self._origin = stamps[0]
        fps = picture_rate(self._capture.get(cv2.CAP_PROP_FPS), stamps)
        self._length = picture_length(self._probe, self._capture)
        self.first, self._stop = self._frame_range(start, end, fps)
        self.start = float(self.first / fps)
        self.end = None if self._stop is None else float(self._stop / fps)
        self.info = StreamInfo(
            size=(image.shape[1], image.shape[0]),
            fps=fps,
            pixel_aspect=pixel_aspect(self._capture),
            frame_count=self._expected(fps),
        )

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()

    @property
    def is_seekable(self) -> bool:
        """True where a late start is jumped to; else all before it is decoded."""
        return self._length is not None

    def close(self) -> None:
        """Release the file; safe to call twice and from another thread."""
        with self._lock:
            self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            SourceError: If nothing can be read from ``start`` on.
        """
        self._begin_anew()
        self.shortfall = None
        fps = self.info.fps
        pace = Pace(fps, self.start)
        for image in self._steady(pace):
            index = pace.slots - 1
            yield Frame(image, index, float(index / fps))
            if self._stop is not None and self.first + pace.slots >= self._stop:
                return
        if pace.slots == 0:
            raise SourceError(
                f"nothing can be read of {self.path} from {self.start:.2f} s on: start earlier"
            )

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image8, float]]:
        """Give the file's own pictures, at whatever rate; anew each time it is called.

        Args:
            start: In seconds from the first picture. It begins with the picture that is shown then,
                or an earlier one; behind the end, with one of the last.

        Returns:
            Images, uint8 RGB, and their time stamps as they are, in seconds from the first picture.
        """
        self._begin_anew()
        return self._pictures(start)

    def _steady(self, pace: Pace) -> Iterator[Image8]:
        """Yield images at the constant rate, the last one for as long as it is meant to stay."""
        announced = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        yield from pace.frames(self._pictures(self.start))
        missing = (self._expected(self.info.fps) or 0) - pace.slots
        if missing <= 0 or not self._capture.isOpened():
            return
        # A long last picture looks like a truncated file, unless all pictures came or such long
        # ones came before; and a regular file that is one frame short of its header is complete.
        if 0 < announced <= pace.pictures or 1.5 < pace.widest >= missing:
            yield from pace.hold(missing)
        elif missing > 1:
            self.shortfall = (
                f"{self.path} is cut short or damaged: "
                f"{pace.slots} of about {pace.slots + missing} frames could be read"
            )

    def _pictures(self, start: float) -> Iterator[tuple[Image8, float]]:
        decoded = self._seek(start)
        while decoded or self._grab():
            decoded = False
            image = self._retrieve()
            if image is not None:
                yield image, self._time() - self._origin

    def _seek(self, start: float) -> bool:
        """Decode a picture shortly before ``start``; False if all begins with the first one."""
        if start < _SEEK_FROM or self._length is None:
            return False
        target = min(start, self._length) - _SEEK_MARGIN
        self._capture.set(cv2.CAP_PROP_POS_MSEC, (target + self._origin) * 1000)
        if self._grab() and 0 < self._time() - self._origin <= start:
            return True
        self._reopen()
        return False

    def _grab(self) -> bool:
        """Decode the next picture that can be decoded; False at the end."""
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
        return to_rgb(image, untagged_yuv=self._probe.untagged_yuv)

    def _time(self) -> float:
        """Tell the time stamp of the picture decoded last, in seconds."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000

    def _begin_anew(self) -> None:
        """Go back to the beginning if anything was read."""
        if not self._fresh:
            self._reopen()
        self._fresh = False

    def _reopen(self) -> None:
        """Start anew; unlike seeking it works in every format."""
        self.close()
        self._capture = open_capture(self.path)

    def _first_pictures(self) -> tuple[Image8, list[float]]:
        """Decode the first picture, and the time stamps of the first few."""
        image = self._retrieve() if self._grab() else None
        if image is None:
            self.close()
            raise SourceError(
                f"no picture of {self.path} ({self._probe.video}) can be decoded: "
                "if the file is complete, convert it to H.264"
            )
        stamps = [self._time()]
        while len(stamps) < _LOOK_AHEAD and self._grab():
            stamps.append(self._time())
        self._reopen()
        return image, stamps

    def _frame_range(
        self, start: float | None, end: float | None, fps: Fraction
    ) -> tuple[int, int | None]:
        """Turn seconds into the first frame and the one behind the last."""
        first = round((start or 0) * fps)
        stop = None if end is None else round(end * fps)
        problem = None
        if first < 0:
            problem = f"start is {start:g} s: choose 0 or later"
        elif stop is not None and stop <= first:
            problem = f"end is {end:g} s and start {start or 0:g} s: choose an end after the start"
        elif self._length is not None and first and first >= round(self._length * fps):
            problem = f"start is {start:g} s, {self.path} has {self._length:.2f} s: start earlier"
        if problem:
            self.close()
            raise SourceError(problem)
        return first, stop

    def _expected(self, fps: Fraction) -> int | None:
        """Estimate the number of frames between start and end."""
        if self._length is None:
            return None if self._stop is None else self._stop - self.first
        last = max(1, round(self._length * fps))
        return min(last, self._stop or last) - self.first
