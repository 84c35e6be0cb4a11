"""Schedules the chunks of a film, each after the one before it in its shot."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace

from stream_dream.errors import (
    DiskFull,
    Interrupted,
    NetworkError,
    SettingsError,
    SinkError,
    StreamDreamError,
    first_line,
)
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.workers import Workers
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.plan import Chunk, Plan
from stream_dream.runtime.cancel import Cancelled, check_cancelled

ATTEMPTS = 3
"""Maximum number of attempts for a chunk."""

_LOOK_SECONDS = 0.25
# Errors that a retry would not change.
_HOPELESS = (DiskFull, SettingsError, NetworkError)


@dataclass(frozen=True, slots=True)
class FilmProgress:
    """Progress of a film's render.

    Attributes:
        frames: Frames done, including those of running chunks and of earlier runs.
        total: Frames of the film.
        chunks_done: Finished chunks.
        chunks: Chunks of the film.
        retries: Number of retries in this run.
        fps: Frames per second of this run; 0 until known.
        seconds_left: Estimated remaining time; None until known.
        working: Running chunks.
        stopping: True if no further chunks are started.
        failure: One line on the failure that stops the run; None if there is none.
    """

    frames: int
    total: int
    chunks_done: int
    chunks: int
    retries: int
    fps: float
    seconds_left: float | None
    working: int = 0
    stopping: bool = False
    failure: str | None = None


class ChunkFailed(StreamDreamError):
    """A chunk could not be dreamed; finished chunks are kept."""


class Scheduler:
    """Runs the unfinished chunks of a plan on workers."""

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        make_task: Callable[[Chunk], ChunkTask],
        finished: dict[int, ChunkRecord],
        *,
        on_record: Callable[[ChunkRecord], None],
        on_progress: Callable[[FilmProgress], None] = lambda progress: None,
        on_retry: Callable[[Chunk, str], None] = lambda chunk, reason: None,
        in_order: bool = False,
    ) -> None:
        """Create a scheduler.

        Args:
            plan: Plan of the film.
            workers: Workers that dream the chunks.
            make_task: Returns the task for a chunk.
            finished: Records of finished chunks, by number; new ones are added.
            on_record: Called with the record of each chunk when it is finished.
            on_progress: Called several times a second.
            on_retry: Called with each chunk that is retried, and the reason.
            in_order: True to dream chunks in the order of the film, for sources that cannot seek;
                False to start with the shots that have most frames left.
        """
        self._plan, self._workers, self._make_task = plan, workers, make_task
        self._finished = finished
        self._on_record, self._on_progress, self._on_retry = on_record, on_progress, on_retry
        self._in_order = in_order
        self._running: dict[Future[ChunkRecord], tuple[ChunkTask, int]] = {}
        self._free = list(range(workers.slots))
        self._attempts: dict[int, int] = {}
        self._retries = 0
        self._stopping = self._broken = False
        self._failure: ChunkFailed | None = None
        self._begun: float | None = None
        self._at_begin = self._done_frames()
        self._left = [0] * plan.shots
        for chunk in plan.chunks:
            if chunk.number not in finished:
                self._left[chunk.shot] += chunk.frames
        self._ready: list[tuple[int, int]] = []
        for chunk in plan.chunks:
            ready = not chunk.continues or chunk.number - 1 in finished
            if ready and chunk.number not in finished:
                self._add(chunk)

    def work(self) -> None:
        """Dream all unfinished chunks.

        Raises:
            ChunkFailed: A chunk failed three times, or with an error that a retry would not change.
            Interrupted: Ctrl-C; raised once the running chunks are finished.
            KeyboardInterrupt: A second Ctrl-C, or ``Cancelled``; raised at once.
        """
        while self._running or (self._ready and not self._stopping):
            try:
                check_cancelled()
                self._hand_out()
                done, _ = wait(self._running, _LOOK_SECONDS, FIRST_COMPLETED)
                for future in done:
                    self._take(future)
                self._on_progress(self.progress())
            except KeyboardInterrupt as stop:
                if self._stopping or isinstance(stop, Cancelled):
                    raise
                self._stopping = True
                self._on_progress(self.progress())
        if self._failure is not None:
            raise self._failure
        if self._stopping:
            raise Interrupted("interrupted")

    def progress(self) -> FilmProgress:
        """Return the current progress."""
        frames = self._done_frames()
        frames += sum(self._workers.dreamed(slot) for _, slot in self._running.values())
        new, total = frames - self._at_begin, self._plan.frames
        if self._begun is None and new > 0:
            # The first frame includes startup and tracing, and would distort the rate.
            self._begun, self._at_begin, new = time.monotonic(), frames, 0
        seconds = time.monotonic() - self._begun if self._begun is not None else 0.0
        fps = new / seconds if new > 0 and seconds > 0 else 0.0
        return FilmProgress(
            frames=frames,
            total=total,
            chunks_done=len(self._finished),
            chunks=len(self._plan.chunks),
            retries=self._retries,
            fps=fps,
            seconds_left=(total - frames) / fps if fps > 0 else None,
            working=len(self._running),
            stopping=self._stopping,
            failure=None if self._failure is None else str(self._failure),
        )

    def _hand_out(self) -> None:
        if self._broken:
            if self._running:
                return
            self._workers.renew()
            self._broken = False
        # A cluster may have added slots.
        self._free.extend(range(len(self._free) + len(self._running), self._workers.slots))
        while self._ready and self._free and not self._stopping:
            _, number = heapq.heappop(self._ready)
            chunk = self._plan.chunks[number]
            attempt = self._attempts[number] = self._attempts.get(number, 0) + 1
            task = replace(self._make_task(chunk), attempt=attempt)
            slot = self._free.pop()
            self._running[self._workers.submit(task, slot)] = (task, slot)

    def _take(self, future: Future[ChunkRecord]) -> None:
        """Handle the result of a chunk."""
        task, slot = self._running[future]
        error = future.exception()
        if error is None:
            try:
                self._accept(task.chunk, future.result())
            except SinkError as unwritten:
                error = unwritten
        # Only now: after a Ctrl-C above, the result is handled once more.
        del self._running[future]
        self._free.append(slot)
        if error is not None:
            self._try_again(task, error)

    def _try_again(self, task: ChunkTask, error: BaseException) -> None:
        """Queue a failed chunk again, or stop the run."""
        self._broken = self._broken or self._workers.lost(error)
        reason = first_line(error)
        hopeless = isinstance(error, _HOPELESS) or not isinstance(error, Exception)
        if hopeless or task.attempt >= ATTEMPTS:
            times = "" if task.attempt == 1 else f" {task.attempt} times"
            failure = ChunkFailed(f"{task.chunk} failed{times}: {reason}")
            failure.__cause__ = error
            self._failure = self._failure or failure
            self._stopping = True
            return
        self._add(task.chunk)
        if not self._stopping:
            self._retries += 1
            self._on_retry(task.chunk, reason)

    def _accept(self, chunk: Chunk, record: ChunkRecord) -> None:
        """Record a finished chunk and queue the next one of its shot; idempotent."""
        self._on_record(record)
        if chunk.number in self._finished:
            return
        self._finished[chunk.number] = record
        self._left[chunk.shot] -= chunk.frames
        if chunk.continued:
            following = self._plan.chunks[chunk.number + 1]
            if following.number not in self._finished:
                self._add(following)

    def _add(self, chunk: Chunk) -> None:
        """Queue a chunk; chunks of the shots with most frames left come first."""
        left = 0 if self._in_order else self._left[chunk.shot]
        heapq.heappush(self._ready, (-left, chunk.number))

    def _done_frames(self) -> int:
        return sum(record.frames for record in self._finished.values())
