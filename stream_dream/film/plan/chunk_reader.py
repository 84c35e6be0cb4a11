"""Reads the source frames of a chunk, and makes sure that they are those of the plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Protocol

from stream_dream.errors import SourceError
from stream_dream.film.plan.plan import Chunk, frame_checksum, joined_checksum
from stream_dream.frame import Frame
from stream_dream.media.read.video import VideoSource


class Mismatch(Exception):
    """The frames that were read are not those of the plan."""


class Opened(Protocol):
    """What frames are read from."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield them."""

    def close(self) -> None:
        """Close it."""


def changed(path: Path, chunk: Chunk) -> SourceError:
    """Say that a source does not have the frames of the plan."""
    return SourceError(
        f"{path} is not what it was when the film was planned, or it is decoded otherwise now: "
        f"{chunk} differ"
    )


@dataclass(frozen=True, slots=True)
class SourceExcerpt:
    """What of a file is rendered.

    Attributes:
        path: The file.
        first: The number of the first frame rendered, counted from the file's first.
        fps: The rate of the file.
        end: Where to stop, in seconds from the file's first picture; None for the whole file.
        seekable: False where a late frame is reached by decoding all before it.
        background: What shows through where the file is transparent, RGB, 0..255.
    """

    path: Path
    first: int
    fps: Fraction
    end: float | None
    seekable: bool = field(default=True, kw_only=True)
    background: tuple[int, int, int] = field(default=(0, 0, 0), kw_only=True)

    @classmethod
    def of(cls, source: VideoSource) -> SourceExcerpt:
        """Describe what an opened source delivers."""
        known = (source.path, source.first, source.info.fps, source.end)
        return cls(*known, seekable=source.is_seekable, background=source.background)

    def open(self, frame: int) -> Opened:
        """Open it at the frame with this number, counted from the first one rendered."""
        start = float((self.first + frame) / self.fps)
        return VideoSource(self.path, start=start, end=self.end, background=self.background)


class Reader:
    """Reads chunks of one excerpt; those that follow each other without opening the file anew."""

    def __init__(self, excerpt: SourceExcerpt) -> None:
        """Read nothing yet."""
        self.excerpt = excerpt
        self._source: Opened | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next = -1

    def read(self, chunk: Chunk, *, exactly: bool = False) -> Iterator[Frame]:
        """Yield the frames of a chunk, numbered as in the film.

        Args:
            chunk: The chunk.
            exactly: True to decode everything from the first frame on. Jumping to the chunk is
                quick, but in a damaged file, or one whose time stamps do not advance, it may lead
                elsewhere.

        Raises:
            Mismatch: They are others than when the film was planned.
            SourceError: The file cannot be read.
        """
        skipped = chunk.first - self._next
        if exactly or not self.leads_to(chunk):
            self._open(0 if exactly else chunk.first)
            skipped = chunk.first if exactly else 0
        for _ in islice(self._frames, skipped):
            pass
        self._next = -1  # whoever stops in the middle opens it anew
        checksums: list[int] = []
        for place, frame in enumerate(islice(self._frames, chunk.frames)):
            checksums.append(frame_checksum(frame.image))
            if place == 0 and checksums[0] != chunk.begins:
                raise Mismatch
            number = chunk.first + place
            time = float(number / self.excerpt.fps)
            yield Frame(frame.image, number, time, cut=place == 0 and chunk.cut)
        if len(checksums) < chunk.frames:
            raise Mismatch
        if chunk.source is not None and joined_checksum(checksums) != chunk.source:
            raise Mismatch
        self._next = chunk.first + chunk.frames

    def leads_to(self, chunk: Chunk) -> bool:
        """Return whether a chunk is read without opening the file anew."""
        if self.excerpt.seekable:
            return self._next == chunk.first
        return 0 <= self._next <= chunk.first  # anew, all before it would be decoded again

    def close(self) -> None:
        """Close the file."""
        if self._source is not None:
            self._source.close()

    def _open(self, frame: int) -> None:
        self.close()
        self._frames, self._next = iter(()), -1
        try:
            self._source = self.excerpt.open(frame)
        except SourceError:
            # Its start may lie behind what the header tells; then it has to be counted to.
            if frame == 0:
                raise
            with suppress(SourceError):
                self._source = self.excerpt.open(0)
            raise Mismatch from None
        self._frames = iter(self._source)
