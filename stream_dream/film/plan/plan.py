"""The plan of a film: its shots, and the chunks that they are dreamed in.

A cut resets the dream, so shots do not depend on each other. The chunks of one shot follow each
other: each begins with the state that the one before has left.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Self

import numpy as np

from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.media.read.video import VideoSource
from stream_dream.runtime.stage_threads import prefetched
from stream_dream.temporal.cuts import mark_cuts

# One row in so many tells frames apart, in a tenth of the time.
_ROWS = 16
# Frames that are decoded while cuts are looked for.
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a shot.

    Attributes:
        number: Its place in the film, from 0.
        shot: The number of its shot, from 0.
        first: The number of its first frame, counted from the first frame rendered.
        frames: How many it has.
        source: Checksum of its source frames: whoever reads them makes sure to have the same. None
            where that does not matter.
        begins: Checksum of the first of them.
        continues: True if the shot goes on from the chunk before.
        continued: True if the shot goes on in the next chunk.
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
        """True if the first frame is behind a cut."""
        return not self.continues and self.first > 0

    def __str__(self) -> str:
        """Name it as messages do, by its first and its last frame."""
        return f"frames {self.first} to {self.first + self.frames - 1}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The chunks of a film, in order.

    Attributes:
        chunks: Its chunks.
        shortfall: One line on what of the source could not be read; None if all was.
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

    def to_json(self) -> dict[str, Any]:
        """Return what ``from_json`` takes."""
        return {"shortfall": self.shortfall, "chunks": [asdict(chunk) for chunk in self.chunks]}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read a plan. Raises ``KeyError``, ``TypeError`` or ``ValueError`` if it is none."""
        chunks = tuple(Chunk(**chunk) for chunk in data["chunks"])
        ends = accumulate(chunk.frames for chunk in chunks)
        if not chunks or [chunk.first for chunk in chunks] != [0, *ends][:-1]:
            raise ValueError("its chunks do not follow each other")
        return cls(chunks, data["shortfall"])


def frame_checksum(image: Image8) -> int:
    """Return a checksum that tells source frames apart."""
    return zlib.crc32(np.ascontiguousarray(image[::_ROWS]).data)


def joined_checksum(checksums: list[int]) -> int:
    """Return the checksum of several frames, from those of each."""
    return zlib.crc32(np.array(checksums, "<u4").data)


def frames_in(seconds: float, info: StreamInfo) -> int:
    """Return the number of frames that a chunk of so many seconds has at the most."""
    return max(1, round(seconds * info.fps))


def make_plan(
    source: VideoSource,
    chunk_frames: int,
    *,
    cuts: bool,
    on_frame: Callable[[Frame], None] = lambda frame: None,
) -> Plan:
    """Read a film once, and plan how it is dreamed; memory does not grow with its length.

    Args:
        source: The film.
        chunk_frames: Most frames of a chunk. A shot's chunks are as long as each other.
        cuts: True to look for cuts; else it is all one shot.
        on_frame: Called with each frame.

    Raises:
        SourceError: If it cannot be read.
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
    """Cut a shot, given by its frames' checksums, into chunks of the same length."""
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
