"""Reads video files: upright RGB frames at a constant rate."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Self

from stream_dream.errors import SourceError
from stream_dream.frame import Frame, Image, Image8, StreamInfo
from stream_dream.image import to_8bit, to_16bit
from stream_dream.media.read.frame_rate import ConstantRate, picture_rate
from stream_dream.media.read.open_decoder import open_decoder
from stream_dream.media.read.standard_input import STANDARD_INPUT, StandardInputDecoder
from stream_dream.runtime.cancel import waited_for
from stream_dream.settings.output import Excerpt
from stream_dream.settings.values import RawVideo, rgb

_LOOK_AHEAD = 10
"""Pictures whose time stamps determine the rate."""


class VideoSource:
    """Yields the frames of a video file in order; each iteration starts anew.

    Where a file's rate varies, pictures are repeated or dropped so that each appears within one
    frame of its time stamp. A file of constant rate yields each picture once.

    Attributes:
        path: The file.
        info: Properties of the stream; ``frame_count`` counts from ``start`` to ``end``.
        start: Time of the first frame, in seconds from the file's first picture.
        first: Number of the first frame, counted from the file's first picture.
        end: Where to stop, in seconds from the file's first picture; None for the whole file.
        background: Colour behind transparent pixels, RGB, 0..255.
        shortfall: After iterating: one line on frames that could not be read; None without any.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        start: float | None = None,
        end: float | None = None,
        background: tuple[int, int, int] = (0, 0, 0),
        deep: bool = False,
        hdr: bool = False,
        fps: Fraction | None = None,
        raw: RawVideo | None = None,
    ) -> None:
        """Open a file and decode its first pictures.

        Args:
            path: A file that OpenCV or ffmpeg decodes, or a sequence of pictures: a folder, a
                pattern such as ``frames/%05d.exr``, or a wildcard such as ``frames/*.png``; or
                ``-`` for standard input, which can be iterated once.
            start: Where to begin, in seconds from the first picture; moved to the nearest frame.
            end: Where to stop, in seconds from the first picture; moved to the nearest frame.
            background: Colour behind transparent pixels, RGB, 0..255.
            deep: True to keep more than 8 bits a channel, where the file has them.
            hdr: True to keep HDR as well; else it is tone-mapped to SDR.
            fps: Frames per second of a sequence; None for 25.
            raw: Size and rate of raw frames on standard input; None if it tells them.

        Raises:
            SourceError: If the file does not exist, no picture in it can be decoded, or none lies
                between ``start`` and ``end``.
            StreamDreamError: If ffmpeg cannot be run or does not answer.
        """
        self.path = path = Path(path)
        self.background = background
        self.shortfall: str | None = None
        self._closed = False
        self._decoder = decoder = open_decoder(
            path, background, deep=deep, hdr=hdr, fps=fps, raw=raw
        )
        self._file = file = decoder.file
        try:
            pictures = islice(decoder.pictures(), _LOOK_AHEAD)
            begun = waited_for(lambda: list(pictures), stop=self.stop)
            if not begun:
                raise SourceError(self._unreadable)
            fps = picture_rate(file.rate, [stamp for _, stamp in begun])
            self.first, self._stop = self._frame_range(start, end, fps)
        except BaseException:
            self._decoder.close()
            raise
        self.start = float(self.first / fps)
        self.end = None if self._stop is None else float(self._stop / fps)
        height, width = begun[0][0].shape[:2]
        if decoder.hdr is not None:
            height //= 2
        self.info = StreamInfo(
            size=(width, height),
            fps=fps,
            pixel_aspect=file.pixel_aspect,
            frame_count=self._expected(fps),
            bits=file.bits if decoder.deep else 8,
            hdr=decoder.hdr,
        )

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()

    @property
    def deep(self) -> bool:
        """True if frames keep more than 8 bits."""
        return self._decoder.deep

    @property
    def hdr(self) -> bool:
        """True if frames keep HDR."""
        return self._decoder.hdr is not None

    @property
    def tone_mapped(self) -> bool:
        """True if the file is HDR and frames are not."""
        return self._file.hdr is not None and self._decoder.hdr is None

    @property
    def is_piped(self) -> bool:
        """True if it comes from standard input."""
        return self.path == STANDARD_INPUT

    @property
    def is_sequence(self) -> bool:
        """True if it is a sequence of pictures."""
        return bool(self._file.files)

    @property
    def is_seekable(self) -> bool:
        """True if a late start is reached by seeking; else all before it is decoded."""
        return self._file.length is not None

    def close(self) -> None:
        """Release the file; safe to call twice and from another thread."""
        self._closed = True
        self._decoder.close()

    def stop(self) -> None:
        """End a wait for pictures from standard input, which may never come."""
        if self.is_piped:
            self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            SourceError: If no frame can be read from ``start`` on.
        """
        self.shortfall = None
        fps = self.info.fps
        pace = ConstantRate(fps, self.start, self._file.length)
        for image in self._steady(pace):
            index = pace.slots - 1
            yield self._frame(image, index)
            if self._stop is not None and self.first + pace.slots >= self._stop:
                return
        if pace.slots == 0:
            raise SourceError(
                f"nothing can be read of {self.path} from {self.start:.2f} s on: start earlier"
            )

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image8, float]]:
        """Yield the file's own pictures and time stamps; see ``Decoder.pictures``."""
        for image, time in self._decoder.pictures(start):
            yield self._frame(image).image, time

    def _frame(self, image: Image, index: int = 0) -> Frame:
        """Return an image of the decoder as a frame."""
        deep = to_16bit(image) if self.deep else None
        if deep is not None and self.hdr:  # HDR lies above SDR
            height = len(deep) // 2
            image, deep = deep[height:], deep[:height]
        time = float(index / self.info.fps)
        return Frame(to_8bit(image), index, time, deep=deep, hdr=self.info.hdr)

    @property
    def _unreadable(self) -> str:
        """Return what to tell if no picture can be decoded."""
        name, hint = str(self.path), "if the file is complete, convert it to H.264"
        if self.is_piped:
            name, hint = "standard input", "if it is complete, send y4m, MPEG-TS or Matroska"
        return f"no picture of {name} ({self._file.video}) can be decoded: {hint}"

    def _steady(self, pace: ConstantRate) -> Iterator[Image]:
        """Yield images at the constant rate, the last one for its whole duration."""
        yield from pace.frames(self._decoder.pictures(self.start))
        if isinstance(self._decoder, StandardInputDecoder) and not self._closed:
            problem = self._decoder.problem
            self.shortfall = problem and f"standard input could not be read to its end: {problem}"
        missing = (self._expected(self.info.fps) or 0) - pace.slots
        if missing <= 0 or self._closed:
            return
        # A long last picture looks like a truncated file, unless all pictures came or others were
        # as long; and a regular file that is one frame short of its header is complete.
        if 1.5 < pace.widest >= missing or self._decoder.is_complete(pace.pictures):
            yield from pace.hold(missing)
        elif missing > 1:
            self.shortfall = (
                f"{self.path} is cut short or damaged: "
                f"{pace.slots} of about {pace.slots + missing} frames could be read"
            )

    def _frame_range(
        self, start: float | None, end: float | None, fps: Fraction
    ) -> tuple[int, int | None]:
        """Convert seconds to the first frame and the one after the last."""
        first = round((start or 0) * fps)
        stop = None if end is None else round(end * fps)
        length, problem = self._file.length, None
        if first < 0:
            problem = f"start is {start:g} s: choose 0 or later"
        elif stop is not None and stop <= first:
            problem = f"end is {end:g} s and start {start or 0:g} s: choose an end after the start"
        elif length is not None and first and first >= round(length * fps):
            problem = f"start is {start:g} s, {self.path} has {length:.2f} s: start earlier"
        if problem:
            raise SourceError(problem)
        return first, stop

    def _expected(self, fps: Fraction) -> int | None:
        """Estimate the number of frames between start and end."""
        length = self._file.length
        if length is None:
            return None if self._stop is None else self._stop - self.first
        last = max(1, round(length * fps))
        return min(last, self._stop or last) - self.first


def excerpt_of(
    path: Path | str,
    excerpt: Excerpt,
    *,
    fps: Fraction | None = None,
    raw: RawVideo | None = None,
    deep: bool = False,
    hdr: bool = False,
) -> VideoSource:
    """Open the part of a file that settings select, over their background.

    Raises as ``VideoSource``.
    """
    return VideoSource(
        path,
        start=excerpt.start,
        end=excerpt.end,
        background=rgb(excerpt.background),
        deep=deep,
        hdr=hdr,
        fps=fps,
        raw=raw,
    )
