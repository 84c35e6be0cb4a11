"""Reads the source frames of a chunk and verifies them against the plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from stream_dream.errors import SourceError
from stream_dream.film.journey_source import JourneySource, open_journey
from stream_dream.film.plan.plan import Chunk, frame_checksum, joined_checksum
from stream_dream.frame import Frame
from stream_dream.media.read.sequence import is_sequence
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.journey import JourneySettings


class Mismatch(Exception):
    """Frames that differ from those of the plan."""


def changed(path: Path, chunk: Chunk) -> SourceError:
    """Return the error for a source whose frames differ from the plan."""
    return SourceError(
        f"{path} is not what it was when the film was planned, or it is decoded otherwise now: "
        f"{chunk} differ"
    )


@dataclass(frozen=True, slots=True)
class SourceExcerpt:
    """The part of a file that is rendered.

    Attributes:
        path: The file.
        first: Number of the first frame rendered, counted from the file's first.
        fps: Frame rate of the file.
        end: End in seconds from the file's first frame; None for the end of the file.
        seekable: False if reaching a frame means decoding all frames before it.
        background: Colour behind transparent pixels, RGB in 0..255.
        deep: True if frames keep more than 8 bits.
        hdr: True if they keep HDR.
        journey: Settings of the journey that begins with the file; None for a film.
        seed: Start of the random numbers of a journey's noise.
    """

    path: Path
    first: int
    fps: Fraction
    end: float | None
    seekable: bool = field(default=True, kw_only=True)
    background: tuple[int, int, int] = field(default=(0, 0, 0), kw_only=True)
    deep: bool = field(default=False, kw_only=True)
    hdr: bool = field(default=False, kw_only=True)
    journey: JourneySettings | None = field(default=None, kw_only=True)
    seed: int = field(default=0, kw_only=True)

    @classmethod
    def of(cls, source: VideoSource | JourneySource) -> SourceExcerpt:
        """Return the excerpt that an opened source delivers."""
        known = (source.path, source.first, source.info.fps, source.end)
        if isinstance(source, JourneySource):
            return cls(*known, journey=source.settings, seed=source.seed)
        return cls(
            *known,
            seekable=source.is_seekable,
            background=source.background,
            deep=source.deep,
            hdr=source.hdr,
        )

    def open(self, frame: int) -> VideoSource | JourneySource:
        """Open the file at a frame, counted from the first one rendered."""
        if self.journey is not None:
            return open_journey(self.path, self.journey, seed=self.seed, first=frame)
        start = float((self.first + frame) / self.fps)
        return VideoSource(
            self.path,
            start=start,
            end=self.end,
            background=self.background,
            deep=self.deep,
            hdr=self.hdr,
            fps=self.fps if is_sequence(self.path) else None,
        )


class Reader:
    """Reads chunks of one excerpt; consecutive chunks without opening the file again."""

    def __init__(self, excerpt: SourceExcerpt) -> None:
        """Create a reader; the file is opened by the first ``read``."""
        self.excerpt = excerpt
        self._source: VideoSource | JourneySource | None = None
        self._frames: Iterator[Frame] = iter(())
        self._next = -1

    def read(self, chunk: Chunk, *, exactly: bool = False) -> Iterator[Frame]:
        """Yield the frames of a chunk, numbered as in the film.

        Args:
            chunk: The chunk.
            exactly: True to decode from the first frame on. Seeking is quicker, but may land
                elsewhere in a damaged file or one whose time stamps do not advance.

        Raises:
            Mismatch: The frames differ from those of the plan.
            SourceError: The file cannot be read.
        """
        skipped = chunk.first - self._next
        if exactly or not self.leads_to(chunk):
            self._open(0 if exactly else chunk.first)
            skipped = chunk.first if exactly else 0
        for _ in islice(self._frames, skipped):
            pass
        self._next = -1  # after a partial read the next one opens the file again
        checksums: list[int] = []
        for place, frame in enumerate(islice(self._frames, chunk.frames)):
            checksums.append(frame_checksum(frame.image))
            if place == 0 and checksums[0] != chunk.begins:
                raise Mismatch
            number = chunk.first + place
            time = float(number / self.excerpt.fps)
            yield replace(frame, index=number, time=time, cut=place == 0 and chunk.cut)
        if len(checksums) < chunk.frames:
            raise Mismatch
        if chunk.source is not None and joined_checksum(checksums) != chunk.source:
            raise Mismatch
        self._next = chunk.first + chunk.frames

    def leads_to(self, chunk: Chunk) -> bool:
        """Return whether a chunk can be read without opening the file again."""
        if self.excerpt.seekable:
            return self._next == chunk.first
        return 0 <= self._next <= chunk.first  # opened again, it would decode all before the chunk

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
            # The header may give a duration that ends before this frame: count from the first.
            if frame == 0:
                raise
            with suppress(SourceError):
                self._source = self.excerpt.open(0)
            raise Mismatch from None
        self._frames = iter(self._source)
