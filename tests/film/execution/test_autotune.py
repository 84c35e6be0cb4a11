"""The rate of a film, measured from a few frames of workers that only pretend to dream."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import films
import pytest
import shows
from fake_workers import FakeWorkers, record_of, task_of

from stream_dream.automation.program import Program
from stream_dream.errors import SourceError
from stream_dream.film.execution import autotune
from stream_dream.film.execution.autotune import estimated_seconds, measured_fps, sample_of
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.chunk_reader import Mismatch, Reader, SourceExcerpt
from stream_dream.film.plan.plan import make_plan
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.validation import validated

pytestmark = pytest.mark.stops

_FRAME_SECONDS, _START_SECONDS, _WARM_UP = 0.03, 0.3, 4


class PretendingWorkers(FakeWorkers):
    """Takes time for the start, a warm-up and each frame; may end early."""

    def __init__(self, clock: shows.Clock, slots: int = 1, *, gives: int = 1000) -> None:
        """Create workers with ``places`` slots, each of which dreams at most ``gives`` frames."""
        super().__init__(slots)
        self.clock, self.gives = clock, gives
        self.begun_at: dict[int, float] = {}
        self.futures: dict[int, tuple[ChunkTask, Future[ChunkRecord]]] = {}

    def submit(self, task: ChunkTask, slot: int) -> Future[ChunkRecord]:
        """Start a chunk."""
        assert task.folder.is_dir()
        self.begun_at[slot], future = self.clock.now, Future[ChunkRecord]()
        self.futures[slot] = task, future
        return future

    def dreamed(self, slot: int) -> int:
        """Return the number of dreamed frames."""
        passed = self.clock.now - self.begun_at[slot] - _START_SECONDS
        frames = int(passed / _FRAME_SECONDS + 1e-6) - _WARM_UP
        return max(0, min(frames, self.gives, self.futures[slot][0].chunk.frames))

    def pass_time(self, seconds: float) -> None:
        """Advance the clock and finish the chunks that are done by then."""
        self.clock.now += seconds
        for slot, (task, future) in self.futures.items():
            if not future.done() and self.dreamed(slot) == min(self.gives, task.chunk.frames):
                future.set_result(record_of(task.chunk))


MakeWorkers = Callable[..., PretendingWorkers]


@pytest.fixture
def make_workers(monkeypatch: pytest.MonkeyPatch) -> MakeWorkers:
    """Return a function that creates workers whose clock runs only while they are waited for."""
    clock = shows.Clock()
    monkeypatch.setattr(autotune, "time", clock)

    def make(*arguments: Any, **named: Any) -> PretendingWorkers:
        workers = PretendingWorkers(clock, *arguments, **named)
        monkeypatch.setattr(autotune, "wait", lambda futures, seconds: workers.pass_time(seconds))
        return workers

    return make


def task_with(frames: int) -> ChunkTask:
    chunk = replace(films.plan_with([frames]).chunks[0], source=None)
    dream = validated(DreamSettings, {"warm_up": _WARM_UP})
    return replace(task_of(chunk), program=Program((dream,)))


@pytest.mark.parametrize(
    ("shots", "first", "frames"),
    [
        ([[250, 250], [40]], 0, 30),
        ([[40], [5] * 20, [60]], 40, 30),  # the longest shot has the shortest chunks
        ([[4], [5], [3], [6]], 0, 18),
        ([[10], [20], [9]], 0, 30),
        ([[1]], 0, 1),
    ],
)
def test_a_sample_does_not_depend_on_the_length_of_chunks(
    shots: list[list[int]], first: int, frames: int
) -> None:
    plan = films.plan_with(*shots)
    sample = sample_of(plan)
    assert (sample.first, sample.frames) == (first, frames)
    assert (sample.continues, sample.continued) == (False, False)


@pytest.mark.parametrize("frames", [2, 3, 6, 7, 15])
def test_the_rate_is_measured_from_few_frames(make_workers: MakeWorkers, frames: int) -> None:
    assert measured_fps(make_workers(), task_with(frames)) == pytest.approx(
        1 / _FRAME_SECONDS, rel=0.4
    )


def test_one_frame_is_measured_with_the_start(make_workers: MakeWorkers) -> None:
    workers = make_workers()
    begun = workers.clock.now
    fps = measured_fps(workers, task_with(1))
    taken = workers.clock.now - begun
    estimated = estimated_seconds(films.plan_with([1]), _WARM_UP, fps)
    assert _START_SECONDS < estimated <= taken + 1e-6


@pytest.mark.parametrize("gives", [1, 4, 20])
def test_fewer_frames_than_expected_end_the_measurement(
    make_workers: MakeWorkers, gives: int
) -> None:
    assert 0 < measured_fps(make_workers(gives=gives), task_with(30)) < 60


def test_the_rates_of_slots_add_up(make_workers: MakeWorkers) -> None:
    workers = make_workers(2)
    fps = measured_fps(workers, task_with(10))
    assert fps == pytest.approx(2 / _FRAME_SECONDS, rel=0.2)
    assert [workers.dreamed(slot) for slot in (0, 1)] == [10, 10]


def test_an_error_ends_the_measurement() -> None:
    class Failing(FakeWorkers):
        def submit(self, task: ChunkTask, slot: int) -> Future[ChunkRecord]:
            future = Future[ChunkRecord]()
            future.set_exception(SourceError("gone"))
            return future

    with pytest.raises(SourceError, match="gone"):
        measured_fps(Failing(1), task_with(10))


def test_a_sample_that_is_cut_short_is_noticed(tmp_path: Path) -> None:
    with VideoSource(films.make_film(tmp_path / "film.mp4")) as source:
        plan, excerpt = make_plan(source, 6, cuts=True), SourceExcerpt.of(source)
    sample = sample_of(plan)
    assert sample.frames == 30
    reader = Reader(excerpt)
    assert len(list(reader.read(sample))) == 30
    with pytest.raises(Mismatch):
        list(reader.read(replace(sample, frames=44)))
    reader.close()
