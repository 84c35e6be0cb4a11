"""The files of a chunk, and the record that marks it as finished."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from stream_dream.film.job.durable_files import write_json
from stream_dream.film.plan.plan import Chunk


@dataclass(frozen=True, slots=True)
class ChunkFiles:
    """Paths of a chunk's files in the job's folder, or in that of a worker without shared disk."""

    folder: Path
    number: int

    @property
    def picture(self) -> Path:
        """The encoded frames."""
        return self.folder / f"{self.number:06d}.mp4"

    @property
    def state(self) -> Path:
        """The state of the dream after the last frame, if the shot continues."""
        return self.folder / f"{self.number:06d}.npz"

    @property
    def record(self) -> Path:
        """The record, whose presence marks the chunk as finished."""
        return self.folder / f"{self.number:06d}.json"

    def part(self) -> Path:
        """Return a unique path for an incomplete file."""
        return self.folder / f"{self.number:06d}.{uuid.uuid4().hex}.part"


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A finished chunk.

    Attributes:
        number: Number of the chunk.
        frames: Number of frames.
        picture: SHA-256 of the encoded frames.
        state: SHA-256 of the state after them; None if the shot ends.
        checksums: CRC-32 of each dreamed frame before encoding.
        losses: Loss of each frame; None for a frame without ascent.
        seconds: Wall time of the chunk.
        worker: Machine and process id, ``node:pid``.
        attempts: Number of attempts, the successful one included.
    """

    number: int
    frames: int
    picture: str
    state: str | None
    checksums: list[int]
    losses: list[float | None]
    seconds: float
    worker: str
    attempts: int = 1

    def write(self, folder: Path, job: str) -> None:
        """Write the record with the job's key, which marks the chunk as finished.

        Raises ``SinkError``.
        """
        write_json(ChunkFiles(folder, self.number).record, asdict(self) | {"job": job})

    @classmethod
    def read(cls, folder: Path, chunk: Chunk, job: str) -> Self | None:
        """Return the record of a chunk; None if it is missing, invalid or of another job."""
        try:
            data: Any = json.loads(ChunkFiles(folder, chunk.number).record.read_text("utf-8"))
            if data.pop("job", None) != job:
                return None
            record = cls(**data)
            fits = record.number == chunk.number and record.frames == chunk.frames
            return record if fits and len(record.checksums) == chunk.frames else None
        except (OSError, ValueError, TypeError, AttributeError):
            return None
