"""Workers of this machine: closed, killed, frozen, and failing with any error."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import films
import pytest
from gates import Gate
from waiting import SECONDS, wait_for

from stream_dream.automation.program import Program
from stream_dream.errors import Interrupted
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.workers import OwnProcess, Worker, WorkerEnded, WorkerProcesses
from stream_dream.film.plan.chunk_reader import SourceExcerpt
from stream_dream.film.plan.plan import make_plan
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


@pytest.mark.slow
@pytest.mark.stops
def test_closing_without_waiting_stops_the_chunk_at_work(
    gate: Gate, tiny: Make, source: Path, tmp_path: Path
) -> None:
    gate.hold(0)
    workers = OwnProcess()
    with VideoSource(source) as opened:
        plan = make_plan(opened, 99, cuts=False)
        task = ChunkTask(
            plan.chunks[0],
            SourceExcerpt.of(opened),
            opened.info,
            tmp_path / "a.mp4",
            Program((tiny(),)),
            OutputSettings(),
            tmp_path,
        )
    future = workers.submit(task, 0)
    wait_for(lambda: workers.dreamed(0) or future.done())
    workers.close(wait=False)
    gate.open()
    with pytest.raises(Interrupted):
        future.result(SECONDS)
    assert workers.dreamed(0) < plan.frames
    assert not list(tmp_path.iterdir())


def first_chunks(source: Path, folder: Path, network: Path, count: int) -> list[ChunkTask]:
    with VideoSource(source) as opened:
        plan = make_plan(opened, 99, cuts=True)
        info, excerpt = opened.info, SourceExcerpt.of(opened)
    program, output = Program((films.dream_of(network),)), OutputSettings()
    return [
        ChunkTask(chunk, excerpt, info, folder / "a.mp4", program, output, folder)
        for chunk in plan.chunks[:count]
    ]


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_worker_takes_no_other_with_it(
    gate: Gate, network: Path, source: Path, tmp_path: Path, killed: int
) -> None:
    gate.hold(0, 1)
    tasks, other = first_chunks(source, tmp_path, network, 2), 1 - killed
    workers = WorkerProcesses(2)
    try:
        futures = {killed: workers.submit(tasks[killed], killed)}
        (worker,) = films.worker_processes()
        futures[other] = workers.submit(tasks[other], other)
        wait_for(lambda: workers.dreamed(0) and workers.dreamed(1))
        os.kill(worker, signal.SIGKILL)
        assert isinstance(futures[killed].exception(SECONDS), WorkerEnded)
        assert not futures[other].done()
        gate.open()
        assert workers.submit(tasks[killed], killed).result(SECONDS).number == killed
        assert futures[other].result(SECONDS).number == other
        assert len(films.worker_processes().keys() - {worker}) == 2
    finally:
        workers.close(wait=True)


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.parametrize("wait", [False, True])
def test_a_frozen_worker_is_killed_on_close(
    gate: Gate, network: Path, source: Path, tmp_path: Path, wait: bool
) -> None:
    gate.hold(0)
    workers = WorkerProcesses(1)
    future = workers.submit(first_chunks(source, tmp_path, network, 1)[0], 0)
    wait_for(lambda: workers.dreamed(0) or future.done())
    (worker,) = films.worker_processes().values()
    os.kill(worker.pid or 0, signal.SIGSTOP)
    workers.close(wait=wait)
    assert isinstance(future.exception(SECONDS), WorkerEnded)
    worker.join(SECONDS)
    assert worker.exitcode == -signal.SIGKILL


def failing(text: str, count: Callable[[int], None]) -> None:
    """Raise an error that cannot be sent between processes."""
    count(3)
    raise Unsent(text, lambda: None)


class Unsent(Exception):
    """An error that cannot be pickled."""

    def __init__(self, text: str, held: object) -> None:
        """Store an object with the error."""
        super().__init__(text)
        self.held = held


@pytest.mark.slow
def test_a_worker_reports_any_error_and_works_on() -> None:
    worker = Worker()
    try:
        for text in ("once", "twice"):
            with pytest.raises(RuntimeError, match=text):
                worker.do(failing, text)
            assert worker.count == 3
        assert not worker.has_ended
    finally:
        worker.end(wait=True)
    assert worker.has_ended
    with pytest.raises(WorkerEnded, match="ended from outside"):
        worker.do(failing, "too late")
