"""Who of a cluster's workers gets which chunk, and when the connection ends; without a Ray."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from waiting import SECONDS, wait_for

from stream_dream.film.cluster import connection, crew, hiring
from stream_dream.film.cluster.connection import Cluster, ClusterLost
from stream_dream.film.cluster.hiring import Hired, Staff
from stream_dream.film.cluster.shares import Share
from stream_dream.film_settings import FilmSettings

pytestmark = pytest.mark.stops

pytest.importorskip("ray", reason="Ray is not installed: it is in the extra test")


class FakeRay:
    """Hires workers that begin when they are told to."""

    def __init__(self) -> None:
        """Create a cluster without workers."""
        self.asked: list[dict[str, Any]] = []
        self.begun: list[Future[tuple[str, str]]] = []
        self.killed: list[int] = []
        self.let_go: list[int] = []
        self.calls: list[str] = []
        self.dead: list[str] = []

    def is_initialized(self) -> bool:
        """Return that nobody has connected."""
        return False

    def init(self, **settings: Any) -> None:
        """Connect."""
        self.calls.append("init")

    def shutdown(self) -> None:
        """Disconnect."""
        self.calls.append("shutdown")

    def remote(self, worker: type) -> Any:
        """Store what is to be run."""
        return SimpleNamespace(options=self._options)

    def _options(self, **options: Any) -> Any:
        def hire(seats: int = 0) -> Any:
            number, begun = len(self.begun), Future[tuple[str, str]]()
            self.asked.append(options)
            self.begun.append(begun)
            ending = SimpleNamespace(remote=lambda: self.let_go.append(number))
            beginning = SimpleNamespace(remote=lambda: begun)
            return SimpleNamespace(number=number, begin=beginning, __ray_terminate__=ending)

        return SimpleNamespace(remote=hire)

    def hired(self, count: int) -> None:
        """Wait until so many are hired: later chunks would take seats at those that have begun."""
        wait_for(lambda: len(self.begun) >= count)

    def begin(self, number: int, node: str | None = None) -> None:
        """Start a worker."""
        self.hired(number + 1)
        self.begun[number].set_result(("host", node or f"node {number}"))

    def wait(self, references: list[Future[Any]], timeout: float) -> tuple[list[Any], list[Any]]:
        """Wait for a worker."""
        try:
            references[0].exception(timeout)
        except TimeoutError:
            return [], references
        return references, []

    def get(self, reference: Future[Any]) -> Any:
        """Return what came of it."""
        return reference.result()

    def kill(self, actor: Any) -> None:
        """End a worker."""
        self.killed.append(actor.number)

    def nodes(self) -> list[dict[str, Any]]:
        """Return the machines."""
        return [
            {"NodeID": node, "Alive": node not in self.dead, "Resources": {"CPU": 8.0, "GPU": 8.0}}
            for node in (f"{number:056x}" for number in range(2))
        ]

    def get_runtime_context(self) -> Any:
        """Return on which machine we are."""
        return SimpleNamespace(get_node_id=lambda: f"{0:056x}")


@contextmanager
def staff(workers: int, seats: int) -> Iterator[tuple[FakeRay, Staff, Callable[..., Any]]]:
    """Give a staff, and what asks for a seat in a thread of its own."""
    ray, pool = FakeRay(), ThreadPoolExecutor(16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "_imported", lambda: ray)
        cluster = Cluster("auto")
    made = Staff(cluster, Share(workers, 1, 1), seats)
    try:
        yield ray, made, lambda chunk: pool.submit(made.seat, chunk)
    finally:
        made.forget()
        pool.shutdown()
        cluster.close(wait=True)


def seat_of(future: Future[Hired]) -> int:
    """Return the number of the worker at which a chunk got its seat."""
    number: int = future.result(SECONDS).actor.number
    return number


def seated(futures: list[Future[Hired]], count: int) -> list[int]:
    """Wait until so many of them have seats, and return the numbers of their workers."""
    wait_for(lambda: sum(future.done() for future in futures) >= count)
    return sorted(seat_of(future) for future in futures if future.done())


def test_each_worker_gets_one_chunk_before_any_gets_two() -> None:
    with staff(workers=2, seats=2) as (ray, _, ask):
        futures = [ask(0), ask(1)]
        ray.hired(2)
        ray.begin(0)
        assert seated(futures, 1) == [0]
        ray.begin(1)
        assert seated(futures, 2) == [0, 1]
        futures += [ask(2), ask(3), ask(4)]
        assert seated(futures, 4) == [0, 0, 1, 1]
        assert len(ray.asked) == 2
        assert ray.asked[0]["max_concurrency"] == 2


def test_who_leaves_makes_room() -> None:
    with staff(workers=1, seats=1) as (ray, made, ask):
        first, second = ask(0), ask(1)
        ray.begin(0)
        assert seated([first, second], 1) == [0]
        made.leave((first if first.done() else second).result())
        assert seated([first, second], 2) == [0, 0]


def test_a_worker_for_which_there_is_no_room_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hiring, "_PATIENCE_SECONDS", 0.0)
    with staff(workers=3, seats=2) as (ray, _, ask):
        futures = [ask(number) for number in range(3)]
        ray.hired(3)
        ray.begin(1)
        assert seated(futures, 2) == [1, 1]
        ray.begin(0)
        assert seated(futures, 3) == [0, 1, 1]


def test_a_chunk_that_failed_is_dreamed_elsewhere() -> None:
    with staff(workers=2, seats=2) as (ray, made, ask):
        futures = [ask(0), ask(1)]
        ray.hired(2)
        ray.begin(0, f"{0:056x}")
        ray.begin(1, f"{1:056x}")
        assert seated(futures, 2) == [0, 1]
        lost = next(future.result() for future in futures if seat_of(future) == 0)
        made.avoid(0, lost)
        made.dismiss(lost)
        made.leave(lost)
        assert ray.killed == [0]
        futures = [ask(0)]
        wait_for(lambda: len(ray.asked) == 3)
        assert ray.asked[2]["scheduling_strategy"].node_id == f"{1:056x}"
        ray.begin(2, f"{0:056x}")  # the other machine has no room for a second worker
        assert seated(futures, 1) == [1]


def test_a_worker_that_cannot_begin_is_told_to_its_chunk() -> None:
    with staff(workers=1, seats=1) as (ray, _, ask):
        first = ask(0)
        wait_for(lambda: len(ray.begun) == 1)
        ray.begun[0].set_exception(OSError("no"))
        with pytest.raises(OSError, match="no"):
            first.result(SECONDS)
        second = ask(0)
        ray.begin(1)
        assert seat_of(second) == 1


def test_who_has_nothing_to_do_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with staff(workers=2, seats=1) as (ray, made, ask):
        futures = [ask(0), ask(1)]
        ray.hired(2)
        ray.begin(0)
        ray.begin(1)
        assert seated(futures, 2) == [0, 1]
        made.leave(futures[0].result())
        made.release()
        assert ray.let_go == []
        monkeypatch.setattr(hiring, "_IDLE_SECONDS", 0.0)
        time.sleep(0.01)
        made.release()
        assert ray.let_go == [seat_of(futures[0])]
        third = ask(2)  # hired anew
        ray.begin(2)
        assert seat_of(third) == 2


def test_nobody_waits_when_the_work_was_ended() -> None:
    with staff(workers=1, seats=1) as (ray, made, ask):
        first = ask(0)
        wait_for(lambda: len(ray.begun) == 1)
        made.forget()
        with pytest.raises(ClusterLost):
            first.result(SECONDS)
        assert ray.killed == []


@pytest.mark.parametrize("end", [Cluster.renew, lambda cluster: cluster.close(wait=False)])
def test_a_connection_that_is_used_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch, end: Callable[[Cluster], None]
) -> None:
    ray, told = FakeRay(), threading.Event()
    monkeypatch.setattr(connection, "_imported", lambda: ray)
    monkeypatch.setattr(connection, "_LEAVE_SECONDS", SECONDS)
    cluster = Cluster("auto")

    def use(number: int) -> None:
        told.wait(SECONDS)
        time.sleep(0.05)
        ray.calls.append(f"use {number}")

    for number in range(2):
        cluster.use(use, number)
    told.set()
    end(cluster)
    assert sorted(ray.calls[1:3]) == ["use 0", "use 1"]
    assert ray.calls[3] == "shutdown"


def test_who_still_waits_does_not_call_ray_when_the_work_was_ended() -> None:
    with staff(workers=1, seats=1) as (ray, made, ask):
        first = ask(0)
        ray.begin(0)
        hired = first.result(SECONDS)
        wait = ray.wait

        def end(*arguments: Any, **options: Any) -> Any:
            made.forget()
            return wait(*arguments, **options)

        ray.wait, ray.get = end, None  # type: ignore[method-assign, assignment]
        with pytest.raises(ClusterLost):
            made.get(ray.begun[0])
        ray.put = ray.wait = None  # type: ignore[attr-defined, method-assign, assignment]
        for call in (lambda: made.put(b""), lambda: made.get(None), lambda: made.ask(hired, None)):
            with pytest.raises(ClusterLost):
                call()


@pytest.mark.real
def test_all_work_is_lost_when_our_machine_leaves_the_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = FakeRay()
    monkeypatch.setattr(connection, "_imported", lambda: ray)
    monkeypatch.setattr(crew, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(crew, "_NODES_SECONDS", 0.02)
    way = SimpleNamespace(dream=lambda task, line: line.ask(None))
    monkeypatch.setattr(crew, "ByPath", lambda: way)
    notes: list[str] = []
    made = crew.RayCrew(Cluster("auto"), FilmSettings(workers=2), 4, notes.append)
    task: Any = SimpleNamespace(chunk=SimpleNamespace(number=0))
    future = made.submit(task, 0)
    ray.dead.append(f"{1:056x}")
    time.sleep(0.1)
    assert not future.done()
    ray.dead.append(f"{0:056x}")
    lost = future.exception(SECONDS)
    assert lost is not None
    assert made.lost(lost)
    ray.dead.clear()
    made.renew()
    again = made.submit(task, 0)
    time.sleep(0.1)
    assert not again.done()
    made.close(wait=True)
    assert ray.calls == ["init", "shutdown", "init", "shutdown"]
    assert isinstance(again.exception(SECONDS), ClusterLost)
