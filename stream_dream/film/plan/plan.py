"""The plan of a film: its shots and their chunks.

A cut resets the dream, so shots are independent. Within a shot, each chunk starts from the state
saved by the chunk before.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from stream_dream.film.journey_source import JourneySource
from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.media.read.video import VideoSource
from stream_dream.runtime.stage_threads import prefetched
from stream_dream.temporal.cuts import mark_cuts

# Checksum every 16th row only: enough to tell frames apart, in a tenth of the time.
_ROWS = 16
# Frames decoded ahead of the search for cuts.
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a shot.

    Attributes:
        number: Number of the chunk in the film, from 0.
        shot: Number of its shot, from 0.
        first: Number of its first frame, counted from the first frame rendered.
        frames: Number of frames.
        source: Checksum of its source frames, verified when they are read; None to skip that.
        begins: Checksum of its first source frame.
        continues: True if the chunk before belongs to the same shot.
        continued: True if the next chunk belongs to the same shot.
    """

    number: int
    shot: int
    first: int
    frames: int
    source: int | None
    begins: int
    continues: bool
    continued: bool

    @property
    def cut(self) -> bool:
        """True if the first frame follows a cut."""
        return not self.continues and self.first > 0

    def __str__(self) -> str:
        """Return the name used in messages: the first and the last frame."""
        return f"frames {self.first} to {self.first + self.frames - 1}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The chunks of a film, in order.

    Attributes:
        chunks: The chunks.
        shortfall: One line on frames of the source that could not be read; None if all were.
    """

    chunks: tuple[Chunk, ...]
    shortfall: str | None = None

    @property
    def frames(self) -> int:
        """The number of frames."""
        last = self.chunks[-1]
        return last.first + last.frames

    @property
    def shots(self) -> int:
        """The number of shots."""
        return self.chunks[-1].shot + 1

    @property
    def begins(self) -> tuple[int, ...]:
        """Number of the first frame of each shot."""
        return tuple(chunk.first for chunk in self.chunks if not chunk.continues)

    def __post_init__(self) -> None:
        """Raise ``ValueError`` if a chunk does not follow the one before."""
        ends = accumulate(chunk.frames for chunk in self.chunks)
        if not self.chunks or [chunk.first for chunk in self.chunks] != [0, *ends][:-1]:
            raise ValueError("its chunks do not follow each other")


def frame_checksum(image: Image8) -> int:
    """Return a CRC-32 that tells source frames apart."""
    return zlib.crc32(np.ascontiguousarray(image[::_ROWS]).data)


def joined_checksum(checksums: list[int]) -> int:
    """Return the combined CRC-32 of the checksums of several frames."""
    return zlib.crc32(np.array(checksums, "<u4").data)


def frames_in(seconds: float, info: StreamInfo) -> int:
    """Return the maximum number of frames of a chunk of ``seconds``."""
    return max(1, round(seconds * info.fps))


def make_plan(
    source: VideoSource | JourneySource,
    chunk_frames: int,
    *,
    cuts: bool,
    on_frame: Callable[[Frame], None] = lambda frame: None,
) -> Plan:
    """Plan a film in one pass over its frames, none of which is kept in memory.

    Args:
        source: The film.
        chunk_frames: Maximum frames of a chunk. The chunks of a shot have equal lengths.
        cuts: True to detect cuts; False for a single shot.
        on_frame: Called with each frame.

    Raises:
        SourceError: The source cannot be read.
    """
    chunks: list[Chunk] = []
    checksums: list[int] = []

    def close_shot() -> None:
        chunks.extend(_chunks_of(checksums, chunk_frames, chunks[-1] if chunks else None))
        checksums.clear()

    with closing(prefetched(source, _DEPTH)) as frames:
        for frame in mark_cuts(frames, source.info.fps) if cuts else frames:
            if frame.cut:
                close_shot()
            checksums.append(frame_checksum(frame.image))
            on_frame(frame)
    close_shot()
    return Plan(tuple(chunks), source.shortfall)


def _chunks_of(checksums: list[int], chunk_frames: int, before: Chunk | None) -> Iterator[Chunk]:
    """Divide a shot, given by its frames' checksums, into chunks of equal length."""
    count = max(1, -(-len(checksums) // chunk_frames))
    ends = [len(checksums) * n // count for n in range(count + 1)]
    number, shot, first = (
        (0, 0, 0)
        if before is None
        else (before.number + 1, before.shot + 1, before.first + before.frames)
    )
    for place in range(count):
        begin, end = ends[place], ends[place + 1]
        yield Chunk(
            number=number + place,
            shot=shot,
            first=first + begin,
            frames=end - begin,
            source=joined_checksum(checksums[begin:end]),
            begins=checksums[begin],
            continues=place > 0,
            continued=place + 1 < count,
        )
