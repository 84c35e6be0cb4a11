"""Progress callbacks and summary of a film's render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stream_dream.film.execution.scheduler import FilmProgress
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.one_piece import RenderSummary
from stream_dream.film.plan.plan import Chunk, Plan
from stream_dream.frame import StreamInfo


@dataclass(frozen=True, slots=True)
class FilmSummary(RenderSummary):
    """Result of a film's render.

    ``seconds`` and ``fps`` are those of this run. Its stages run one after the other: "prepare",
    "plan", "check", "dream", "join"; those that were skipped are absent.

    Attributes:
        plan: Its plan.
        records: Finished chunks, in order, of this run and earlier ones.
        retries: Number of retries in this run.
    """

    plan: Plan
    records: tuple[ChunkRecord, ...]
    retries: int


@dataclass(frozen=True, slots=True)
class FilmEvents:
    """Callbacks for the progress of a film's render, called from the thread that renders.

    Attributes:
        started: Called with the properties of the source, before anything else.
        planning: Called with the frames read so far, and the expected number or None.
        checking: Called with the number of finished chunks checked so far, and their total.
        progress: Called several times a second while chunks are dreamed.
        done: Called with each finished chunk and its record.
        measured: Called with each worker count tried, and its frames per second.
        joining: Called before the chunks are joined.
        note: Called with a one-line message, such as a failure that was recovered from.
    """

    started: Callable[[StreamInfo], None] = lambda info: None
    planning: Callable[[int, int | None], None] = lambda frames, total: None
    checking: Callable[[int, int], None] = lambda chunks, total: None
    progress: Callable[[FilmProgress], None] = lambda progress: None
    done: Callable[[Chunk, ChunkRecord], None] = lambda chunk, record: None
    measured: Callable[[int, float], None] = lambda workers, fps: None
    joining: Callable[[], None] = lambda: None
    note: Callable[[str], None] = lambda line: None
