"""Reads a film from standard input: once, and without knowing its length."""

from __future__ import annotations

import math
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path

from stream_dream.errors import SinkError, SourceError
from stream_dream.frame import Image
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.read.ffmpeg_decoder import FFmpegDecoder
from stream_dream.media.read.ffmpeg_report import Probe, parse, run_on
from stream_dream.runtime.cancel import LOOK_SECONDS, wait_readable
from stream_dream.settings.values import RawVideo

STANDARD_INPUT = Path("-")
"""The name of standard input."""

_HEAD_BYTES = 5_000_000
"""How much ffmpeg reads to find out what a stream is."""

_BLOCK = 1 << 18


def read_head(raw: RawVideo | None) -> tuple[bytes, Probe]:
    """Read the beginning of standard input.

    Args:
        raw: Size and rate of raw frames, uint8 RGB; None for a stream that tells what it is.

    Returns:
        What was read, and the properties of the film.

    Raises:
        SourceError: It is a terminal, ends at once, or is nothing that ffmpeg reads.
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    if os.isatty(0):
        raise SourceError("standard input is a terminal: send it a film, as in: ffmpeg ... | ")
    if raw is not None:
        found = Probe(video="rawvideo", pixels="rgb24", size=raw.size, rate=float(raw.fps))
        return b"", replace(found, path=STANDARD_INPUT, container="rawvideo", why_ffmpeg=_WHY)
    head = _read_beginning()
    if not head:
        raise SourceError("standard input is empty: has the program before it failed?")
    result = run_on(STANDARD_INPUT, ["-frames:v", "1", "-f", "null", "-"], head=head)
    found = parse(result.stderr.decode(errors="replace"))
    if found.video in (None, "tty"):
        raise SourceError(
            "standard input is no film that can be read from a pipe: send y4m, MPEG-TS or "
            "Matroska, or give --raw WIDTHxHEIGHT@FPS for raw frames"
        )
    return head, replace(found, path=STANDARD_INPUT, duration=None, why_ffmpeg=_WHY)


_WHY = "it comes from a pipe"


def _read_beginning() -> bytes:
    """Return as much of standard input as tells what it is, or all if it ends before."""
    blocks: list[bytes] = []
    try:
        os.set_blocking(0, True)  # another program may have made it otherwise
        while sum(map(len, blocks)) < _HEAD_BYTES:
            wait_readable(0)
            if not (block := os.read(0, _BLOCK)):
                break
            blocks.append(block)
            if blocks[0].startswith(b"YUV4MPEG2 ") and b"\n" in block:
                break  # its first line tells all
    except OSError as error:
        raise SourceError(f"standard input cannot be read: {error.strerror}") from error
    return b"".join(blocks)


class StandardInputDecoder(FFmpegDecoder):
    """Decodes standard input; see ``Decoder``. Nothing can be read twice but what was read first.

    The second call of ``pictures`` yields the pictures of the first one again, and goes on.

    Attributes:
        problem: Why it could not be read to its end; None if it was.
    """

    def __init__(
        self,
        file: Probe,
        head: bytes,
        raw: RawVideo | None,
        background: tuple[int, int, int],
        *,
        deep: bool,
        hdr: bool,
    ) -> None:
        """Store what is known; ``head`` is what was read already."""
        super().__init__(file, background, deep=deep, hdr=hdr)
        self._head, self._raw = head, raw
        self.problem: str | None = None
        self._stream: Iterator[tuple[Image, float]] | None = None
        self._begun: list[tuple[Image, float]] = []

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image, float]]:
        """Yield the pictures; those before ``start`` too."""
        if self._stream is None:
            self._stream = self._decoded()
            return self._remembered(self._stream)
        begun, self._begun = self._begun, []
        return chain(begun, self._stream)

    def is_complete(self, pictures: int) -> bool:
        """Return True: where a stream ends is its end."""
        return True

    def _remembered(self, stream: Iterator[tuple[Image, float]]) -> Iterator[tuple[Image, float]]:
        for picture in stream:
            self._begun.append(picture)
            yield picture

    def _given(self, start: float | None) -> list[str]:
        if self._raw is None:
            return super()._given(start)
        width, height = self._raw.size
        known = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{width}x{height}"]
        return [*known, "-framerate", str(self._raw.fps)]

    def _feed(self, process: FFmpeg) -> None:
        """Pass standard input on until either end is closed, at whatever pace the dream takes."""
        try:
            if self._head:
                process.write(memoryview(self._head), patience=math.inf)
            self._head = b""
            while not self._closed and (block := self._block()):
                process.write(memoryview(block), patience=math.inf)
        except SinkError as error:
            self.problem = str(error)
        except OSError as error:
            self.problem = error.strerror or str(error)
        with suppress(OSError):
            process.close_input()

    def _block(self) -> bytes:
        """Return what comes next; b"" at the end, or once the decoder is closed."""
        if sys.platform != "win32":  # where only sockets can be waited for
            while not select.select([0], [], [], LOOK_SECONDS)[0]:
                if self._closed:
                    return b""
        return os.read(0, _BLOCK)

    @property
    def _source(self) -> str:
        return "pipe:0"

    def _launch(self, arguments: Sequence[str], on_message: Callable[[str], bool]) -> FFmpeg:
        process = FFmpeg(arguments, fed=True, read=True, stepping_back=False, on_message=on_message)
        threading.Thread(
            target=self._feed, args=(process,), name="standard-input", daemon=True
        ).start()
        return process
