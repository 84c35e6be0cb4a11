"""Workers that dream nothing, for tests of the scheduler."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from fractions import Fraction
from pathlib import Path

from stream_dream.automation.program import Program
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.chunk_reader import SourceExcerpt
from stream_dream.film.plan.plan import Chunk
from stream_dream.frame import StreamInfo
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings

Outcome = Callable[[ChunkTask], BaseException | None]


def record_of(chunk: Chunk) -> ChunkRecord:
    zeros = [0] * chunk.frames
    return ChunkRecord(
        chunk.number, chunk.frames, "", None, zeros, [None] * chunk.frames, 0.1, "me"
    )


def task_of(chunk: Chunk) -> ChunkTask:
    return ChunkTask(
        chunk=chunk,
        source=SourceExcerpt(Path("a.mp4"), 0, Fraction(25), None),
        info=StreamInfo((64, 48), Fraction(25)),
        target=Path("b.mp4"),
        program=Program((DreamSettings(),)),
        output=OutputSettings(),
        folder=Path(),
    )


class Broken(Exception):
    """The error of workers that are all lost."""


class FakeWorkers:
    """Finishes chunks one by one, in the order in which they were started."""

    def __init__(self, slots: int, outcome: Outcome = lambda task: None) -> None:
        """Create workers with ``places`` slots; ``outcome`` returns a chunk's error or None."""
        self.slots, self.threads, self.outcome = slots, None, outcome
        self.begun: list[tuple[int, int]] = []
        self.most = self.renewed = 0
        self._waiting: list[tuple[ChunkTask, Future[ChunkRecord]]] = []

    def submit(self, task: ChunkTask, slot: int) -> Future[ChunkRecord]:
        """Start a chunk."""
        future = Future[ChunkRecord]()
        self._waiting.append((task, future))
        self.begun.append((task.chunk.number, task.attempt))
        self.most = max(self.most, len(self._waiting))
        return future

    def step(self) -> None:
        """Finish the oldest chunk; if that breaks the workers, fail all chunks."""
        if not self._waiting:
            return
        task, future = self._waiting.pop(0)
        error = self.outcome(task)
        if error is None:
            future.set_result(record_of(task.chunk))
            return
        future.set_exception(error)
        while isinstance(error, Broken) and self._waiting:
            self._waiting.pop()[1].set_exception(error)

    def dreamed(self, slot: int) -> int:
        """Report one frame."""
        return 1

    def lost(self, error: BaseException) -> bool:
        """Return whether all workers are lost."""
        return isinstance(error, Broken)

    def renew(self) -> None:
        """Count the renewals."""
        assert not self._waiting
        self.renewed += 1

    def close(self, *, wait: bool) -> None:
        """Do nothing."""
