"""What is known of a finished chunk, and whether it is still true."""

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
    """Where the files of a chunk are.

    Attributes:
        folder: The folder of the job, or of a worker that shares no disk with it.
        number: The number of the chunk.
    """

    folder: Path
    number: int

    @property
    def picture(self) -> Path:
        """The encoded frames."""
        return self.folder / f"{self.number:06d}.mp4"

    @property
    def state(self) -> Path:
        """The state of the dream after the last frame, where the shot goes on."""
        return self.folder / f"{self.number:06d}.npz"

    @property
    def record(self) -> Path:
        """The record, whose presence says that the chunk is finished."""
        return self.folder / f"{self.number:06d}.json"

    def part(self) -> Path:
        """Return a name for what is not complete, which nobody else gets."""
        return self.folder / f"{self.number:06d}.{uuid.uuid4().hex}.part"


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A finished chunk.

    Attributes:
        number: Its number.
        frames: How many frames it has.
        picture: SHA-256 of the encoded frames.
        state: SHA-256 of the state behind them; None where the shot ends.
        checksums: Of each dreamed frame before encoding, CRC-32.
        losses: Of each frame; None where nothing ascended.
        seconds: What it took.
        worker: Who did it: machine and process.
        attempts: How many times it was begun.
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
        """Write it down: from here on the chunk is finished.

        Args:
            folder: The folder of the job.
            job: The key of the job.

        Raises:
            SinkError: It cannot be written.
        """
        write_json(ChunkFiles(folder, self.number).record, asdict(self) | {"job": job})

    @classmethod
    def read(cls, folder: Path, chunk: Chunk, job: str) -> Self | None:
        """Read the record of a chunk; None if the job has none that can be read."""
        try:
            data: Any = json.loads(ChunkFiles(folder, chunk.number).record.read_text("utf-8"))
            if data.pop("job", None) != job:
                return None
            record = cls(**data)
            fits = record.number == chunk.number and record.frames == chunk.frames
            return record if fits and len(record.checksums) == chunk.frames else None
        except (OSError, ValueError, TypeError, AttributeError):
            return None
