"""Measures the speed of dreaming on a few frames of a film, and chooses the number of workers."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from pathlib import Path

from stream_dream.errors import StreamDreamError
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.workers import WorkerEnded, WorkerProcesses, Workers
from stream_dream.film.plan.plan import Chunk, Plan
from stream_dream.runtime.cancel import check_cancelled
from stream_dream.runtime.scheduling import cores

_FRAMES = 30
# The first frames include startup and are not measured.
_SKIPPED = 5
_LOOK_SECONDS = 0.01
# Time of one warm-up round, in frames: its octaves run one after the other, on one core (measured:
# 2.3 on two cores).
_ROUND_FRAMES = 2.3
# Minimum gain in speed that is worth the memory of more workers.
_WORTH = 1.03


def sample_of(plan: Plan) -> Chunk:
    """Return the frames to measure: the start of the longest shot.

    If no shot is long enough, it is the start of the film: dreaming across cuts takes no longer.
    """
    lengths: Counter[int] = Counter()
    for chunk in plan.chunks:
        lengths[chunk.shot] += chunk.frames
    shot, length = lengths.most_common(1)[0]
    begin = next(chunk for chunk in plan.chunks if chunk.shot == shot or length < _FRAMES)
    frames = min(_FRAMES, plan.frames)
    return replace(begin, frames=frames, source=None, continues=False, continued=False)


def measured_fps(workers: Workers, task: ChunkTask) -> float:
    """Return the total frames per second of workers, each slot dreaming the same few frames.

    Raises what a chunk raises, such as ``WorkerEnded``.
    """
    skipped = max(1, min(_SKIPPED, task.chunk.frames - 2))
    with tempfile.TemporaryDirectory(prefix="stream-dream-") as folder:
        watches, running = [], []
        for slot in range(workers.slots):
            room = Path(folder, str(slot))
            room.mkdir()
            watches.append(_Watch(skipped))
            running.append(workers.submit(replace(task, folder=room), slot))
        left = set(range(workers.slots))
        while left:
            check_cancelled()
            wait([running[slot] for slot in left], _LOOK_SECONDS)
            for slot in sorted(left):
                ended = running[slot].done()  # read first, so that no later frame is missed
                watches[slot].look(workers.dreamed(slot))
                if ended:
                    running[slot].result()
                    left.remove(slot)
    return sum(watch.fps(task.program.looks[0].warm_up) for watch in watches)


class _Watch:
    """Measures the frame rate of one slot."""

    def __init__(self, skipped: int) -> None:
        self._skipped = skipped
        self._begun = time.monotonic()
        self._first = self._last = (0, self._begun)

    def look(self, frames: int) -> None:
        """Record the time if the number of frames has grown."""
        if frames <= self._last[0]:
            return
        self._last = (frames, time.monotonic())
        if self._first[0] < self._skipped:
            self._first = self._last

    def fps(self, warm_up: int) -> float:
        """Return the frames per second after the skipped frames; of all if there are no more."""
        (first, begun), (last, ended) = self._first, self._last
        if last == first:  # too low, as it includes startup
            return (max(1, last) + warm_up * _ROUND_FRAMES) / max(
                ended - self._begun, _LOOK_SECONDS
            )
        return max(1, last - first) / max(ended - begun, _LOOK_SECONDS)


def estimated_seconds(plan: Plan, warm_up: int, fps: float) -> float:
    """Estimate the time of dreaming a film, including the warm-up of its shots."""
    return (plan.frames + plan.shots * warm_up * _ROUND_FRAMES) / fps


def fastest_count(
    task: ChunkTask,
    most: int,
    *,
    on_measured: Callable[[int, float], None] = lambda count, fps: None,
) -> int:
    """Return the fastest number of worker processes for a task, at most ``most``.

    ``on_measured`` is called with each number tried, and the total frames per second. Raises
    ``StreamDreamError`` if not even one process can dream.
    """
    best, best_fps = 1, 0.0
    for count in sorted({*(2**n for n in range(cores().bit_length())), cores()}):
        if count > most:
            break
        workers = WorkerProcesses(count)
        try:
            fps = measured_fps(workers, replace(task, threads=workers.threads))
        except WorkerEnded as error:
            if best_fps == 0:
                raise StreamDreamError(str(error)) from error
            break  # not enough memory for `count` processes
        finally:
            workers.close(wait=False)
            workers.join()
        on_measured(count, fps)
        if fps < _WORTH * best_fps:
            break
        best, best_fps = count, fps
    return best
