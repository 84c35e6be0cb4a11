"""What the render of a film tells: as it goes, and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stream_dream.film.execution.scheduler import FilmProgress
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.plan import Chunk, Plan


@dataclass(frozen=True, slots=True)
class FilmSummary:
    """What the render of a film did.

    Attributes:
        target: The file that was made.
        plan: The plan of it.
        records: What was done, chunk by chunk, in this run and in earlier ones.
        seconds: Wall time of this run.
        stages: Of that, by stage, as far as there was something to do: "prepare", "plan", "check",
            "dream" and "join".
        fps: Frames per second while chunks were dreamed; 0 where none was.
        retries: Chunks that had to be begun again in this run.
        warning: One line on what of the source could not be read, or what an earlier sequence of
            pictures has left; None where there is nothing to say.
    """

    target: Path
    plan: Plan
    records: tuple[ChunkRecord, ...]
    seconds: float
    stages: dict[str, float]
    fps: float
    retries: int
    warning: str | None


@dataclass(frozen=True, slots=True)
class FilmEvents:
    """Who is told how the render of a film goes, from the thread that renders.

    Attributes:
        planning: Called with the frames looked at so far, and the number expected or None.
        checking: Called with the finished chunks that were checked so far, and their number.
        progress: Called several times a second while chunks are dreamed.
        done: Called with each chunk that is done.
        measured: Called with a number of workers that was tried, and their frames per second.
        joining: Called when the chunks are joined.
        note: Called with a line on what went wrong and was mended.
    """

    planning: Callable[[int, int | None], None] = lambda frames, total: None
    checking: Callable[[int, int], None] = lambda chunks, total: None
    progress: Callable[[FilmProgress], None] = lambda progress: None
    done: Callable[[Chunk, ChunkRecord], None] = lambda chunk, record: None
    measured: Callable[[int, float], None] = lambda workers, fps: None
    joining: Callable[[], None] = lambda: None
    note: Callable[[str], None] = lambda line: None
