"""Measures how fast a film can be dreamed here, on a few of its frames."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stream_dream.film.chunk import Task
from stream_dream.film.crew import Crew, Processes
from stream_dream.film.plan import Chunk, Plan

_FRAMES = 30
# The first frames wait for others than themselves.
_SKIPPED = 5
_LOOK_SECONDS = 0.01
# More workers for less than this are not worth their memory.
_WORTH = 1.03


def sample_of(plan: Plan) -> Chunk:
    """Choose the frames that are measured: the beginning of the longest chunk."""
    longest = max(plan.chunks, key=lambda chunk: chunk.frames)
    frames = min(longest.frames, _FRAMES)
    return replace(longest, frames=frames, source=None, continues=False, continued=False)


def measured_fps(crew: Crew, task: Task) -> float:
    """Return the frames per second of a crew, all its places at work on the same few frames.

    Raises:
        StreamDreamError: They cannot be dreamed.
    """
    with tempfile.TemporaryDirectory(prefix="stream-dream-") as folder:
        running = []
        for place in range(crew.places):
            room = Path(folder, str(place))
            room.mkdir()
            running.append(crew.submit(replace(task, folder=room), place))
        skipped = min(_SKIPPED, task.chunk.frames - 1)
        begun: dict[int, float] = {}
        seconds: dict[int, float] = {}
        while len(seconds) < crew.places:
            time.sleep(_LOOK_SECONDS)
            for place, future in enumerate(running):
                if future.done():
                    future.result()
                now, frames = time.monotonic(), crew.dreamed(place)
                if frames > skipped:
                    begun.setdefault(place, now)
                if frames >= task.chunk.frames:
                    seconds.setdefault(place, now - begun[place])
        for future in running:
            future.result()
    frames = max(1, task.chunk.frames - skipped - 1)
    return sum(frames / max(taken, 1e-3) for taken in seconds.values())


def estimated_seconds(plan: Plan, warm_up: int, fps: float) -> float:
    """Estimate what a film takes; a round of a shot's warm-up takes as long as a frame."""
    return (plan.frames + plan.shots * warm_up) / fps


def fastest_count(
    task: Task, most: int, *, on_measured: Callable[[int, float], None] = lambda count, fps: None
) -> int:
    """Find out how many processes are fastest.

    Args:
        task: What is measured.
        most: More are not tried.
        on_measured: Called with a number of processes and the frames per second of all of them.
    """
    cores = os.cpu_count() or 1
    best, best_fps = 1, 0.0
    for count in sorted({*(2**n for n in range(cores.bit_length())), cores}):
        if count > most:
            break
        crew = Processes(count)
        try:
            fps = measured_fps(crew, replace(task, threads=crew.threads))
        finally:
            crew.close(wait=False)
        on_measured(count, fps)
        if fps < _WORTH * best_fps:
            break
        best, best_fps = count, fps
    return best
