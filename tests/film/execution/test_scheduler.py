"""The order in which chunks are started, and failures; with workers that dream nothing."""

from __future__ import annotations

from collections.abc import Callable

import films
import pytest
from fake_workers import Broken, FakeWorkers, record_of, task_of

from stream_dream.errors import DiskFull, Interrupted, SourceError
from stream_dream.film.execution import scheduler as module
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.scheduler import ChunkFailed, FilmProgress, Scheduler
from stream_dream.film.execution.workers import WorkerEnded
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.plan import Plan


def work(
    plan: Plan,
    workers: FakeWorkers,
    monkeypatch: pytest.MonkeyPatch,
    finished: dict[int, ChunkRecord] | None = None,
    on_progress: Callable[[FilmProgress], None] = lambda progress: None,
    *,
    on_record: Callable[[ChunkRecord], None] = lambda record: None,
    in_order: bool = False,
) -> tuple[Scheduler, films.Notes]:
    """Run a scheduler; one chunk ends each time that it waits."""
    wait = module.wait

    def step(*arguments: object) -> object:
        workers.step()
        return wait(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "wait", step)
    notes = films.Notes()
    scheduler = Scheduler(
        plan,
        workers,
        task_of,
        {} if finished is None else finished,
        on_record=on_record,
        on_progress=on_progress,
        on_retry=lambda chunk, reason: notes(f"{chunk.number}: {reason}"),
        in_order=in_order,
    )
    scheduler.work()
    return scheduler, notes


def test_long_shots_come_first_and_chunks_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = films.plan_with([5], [5, 5, 5], [6, 6])
    workers = FakeWorkers(1)
    scheduler, _ = work(plan, workers, monkeypatch)
    assert [number for number, _ in workers.begun] == [1, 4, 2, 5, 0, 3]
    progress = scheduler.progress()
    assert (progress.frames, progress.total, progress.chunks_done, progress.chunks) == (
        32,
        32,
        6,
        6,
    )


def test_chunks_are_dreamed_in_their_order_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    for in_order in (False, True):
        workers = FakeWorkers(1)
        work(films.plan_with([5], [5, 5, 5], [6, 6]), workers, monkeypatch, in_order=in_order)
        begun.append([number for number, _ in workers.begun])
    assert begun == [[1, 4, 2, 5, 0, 3], [0, 1, 2, 3, 4, 5]]


def test_only_shots_are_dreamed_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = FakeWorkers(4)
    work(films.plan_with([5, 5, 5], [4, 4]), workers, monkeypatch)
    assert workers.most == 2
    assert sorted(workers.begun) == [(number, 1) for number in range(5)]


def test_workers_that_gain_slots_get_more_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = FakeWorkers(1)

    def grow(progress: FilmProgress) -> None:
        workers.slots = 3

    work(films.plan_with([5], [4], [3], [2]), workers, monkeypatch, None, grow)
    assert workers.most == 3


def test_finished_chunks_are_not_dreamed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = films.plan_with([5, 5, 5], [4, 4], [3])
    finished = {n: record_of(plan.chunks[n]) for n in (0, 2, 5)}
    workers = FakeWorkers(2)
    work(plan, workers, monkeypatch, finished)
    assert sorted(number for number, _ in workers.begun) == [1, 3, 4]
    assert sorted(finished) == list(range(6))


def test_a_chunk_is_tried_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(task: ChunkTask) -> BaseException | None:
        return (
            SourceError("gone\nand more") if task.chunk.number == 1 and task.attempt < 3 else None
        )

    workers = FakeWorkers(1, twice)
    scheduler, notes = work(films.plan_with([5, 5], [5]), workers, monkeypatch)
    assert [attempt for number, attempt in workers.begun if number == 1] == [1, 2, 3]
    assert notes.lines == ["1: gone", "1: gone"]
    assert scheduler.progress().retries == 2


@pytest.mark.parametrize(
    ("error", "attempts", "message"),
    [
        (SourceError("gone"), 3, r"frames 5 to 9 failed 3 times: gone"),
        (DiskFull("no room"), 1, r"frames 5 to 9 failed: no room"),
    ],
)
def test_a_chunk_that_keeps_failing_ends_the_work_and_keeps_the_rest(
    monkeypatch: pytest.MonkeyPatch, error: Exception, attempts: int, message: str
) -> None:
    finished: dict[int, ChunkRecord] = {}
    workers = FakeWorkers(2, lambda task: error if task.chunk.number == 1 else None)
    with pytest.raises(ChunkFailed, match=message):
        work(films.plan_with([5, 5, 5], [4, 4, 4, 4, 4]), workers, monkeypatch, finished)
    assert [attempt for number, attempt in workers.begun if number == 1][-1] == attempts
    begun = {number for number, _ in workers.begun}
    assert set(finished) == begun - {1}  # chunks at work at the time are finished and kept


def test_workers_that_break_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    finished: dict[int, ChunkRecord] = {}
    workers = FakeWorkers(3, lambda task: Broken("killed") if task.attempt == 1 else None)
    _, notes = work(films.plan_with([5], [4], [3], [2]), workers, monkeypatch, finished)
    assert sorted(finished) == [0, 1, 2, 3]
    assert workers.renewed == 2
    assert "killed" in notes


@pytest.mark.stops
def test_ctrl_c_waits_for_the_chunks_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    finished: dict[int, ChunkRecord] = {}
    workers = FakeWorkers(2)
    seen: list[FilmProgress] = []

    def stop(progress: FilmProgress) -> None:
        seen.append(progress)
        if progress.chunks_done == 1 and not progress.stopping:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        work(films.plan_with([5], [4], [3], [2]), workers, monkeypatch, finished, stop)
    assert sorted(finished) == [0, 1]
    assert [number for number, _ in workers.begun] == [0, 1]
    assert seen[-1].stopping


@pytest.mark.stops
def test_ctrl_c_loses_no_chunk_that_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    finished: dict[int, ChunkRecord] = {}
    taken: list[int] = []

    def interrupted(record: ChunkRecord) -> None:
        taken.append(record.number)
        if len(taken) == 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        work(
            films.plan_with([5], [4]), FakeWorkers(1), monkeypatch, finished, on_record=interrupted
        )
    assert taken == [0, 0]
    assert sorted(finished) == [0]


def test_chunks_at_work_are_reported_when_another_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = FakeWorkers(2, lambda task: DiskFull("no room") if task.chunk.number == 0 else None)
    seen: list[FilmProgress] = []
    with pytest.raises(ChunkFailed):
        work(films.plan_with([5], [4], [3]), workers, monkeypatch, None, seen.append)
    told = [(p.working, p.failure) for p in seen if p.stopping]
    assert told == [(1, "frames 0 to 4 failed: no room"), (0, "frames 0 to 4 failed: no room")]


@pytest.mark.stops
def test_ctrl_c_twice_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    finished: dict[int, ChunkRecord] = {}
    looks: list[bool] = []

    def stop(progress: FilmProgress) -> None:
        looks.append(progress.stopping)
        if len(looks) in (1, 3):  # the second reports that it is stopping
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(films.plan_with([5], [4], [3], [2]), FakeWorkers(4), monkeypatch, finished, stop)
    assert looks == [False, True, True]
    assert sorted(finished) == [0, 1]


def test_a_chunk_whose_worker_ended_three_times_ends_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished: dict[int, ChunkRecord] = {}
    ended = WorkerEnded(-9)
    workers = FakeWorkers(2, lambda task: ended if task.chunk.number == 0 else None)
    with pytest.raises(ChunkFailed, match="frames 0 to 4 failed 3 times: its worker was ended"):
        work(films.plan_with([5], [4], [3]), workers, monkeypatch, finished)
    assert [attempt for number, attempt in workers.begun if number == 0] == [1, 2, 3]
    assert sorted(finished) == [1, 2]
    assert workers.renewed == 0
