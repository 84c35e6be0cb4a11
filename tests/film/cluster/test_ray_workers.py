"""Which worker of a cluster gets which chunk, and when the connection ends; without Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from waiting import SECONDS, wait_for

pytest.importorskip("ray", reason="Ray is not installed: it is in the extra test")

from ray.exceptions import WorkerCrashedError

from stream_dream.film.cluster import connection, ray_workers, shares
from stream_dream.film.cluster.connection import Cluster, ClusterLost
from stream_dream.film.cluster.error_lines import WorkerLost
from stream_dream.film.cluster.ray_workers import RayWorkers
from stream_dream.settings.film import FilmSettings

pytestmark = pytest.mark.stops


class FakeRay:
    """A Ray whose workers start, and finish chunks, when a test says so."""

    def __init__(self) -> None:
        """Create a cluster without workers."""
        self.asked: list[dict[str, Any]] = []
        self.begun: list[Future[Any]] = []
        self.chunks: list[tuple[int, int, Future[Any]]] = []
        self.killed: list[int] = []
        self.released: list[int] = []
        self.calls: list[str] = []
        self.dead: list[str] = []

    def is_initialized(self) -> bool:
        """Return that there is no connection."""
        return False

    def init(self, **settings: Any) -> None:
        """Connect."""
        self.calls.append("init")

    def shutdown(self) -> None:
        """Disconnect."""
        self.calls.append("shutdown")

    def remote(self, worker: type) -> Any:
        """Return a class of remote workers."""
        return SimpleNamespace(options=self._options)

    def _options(self, **options: Any) -> Any:
        def start(slots: int) -> Any:
            number, begun = len(self.begun), Future[Any]()

            def dream(task: Any) -> Future[Any]:
                made = Future[Any]()
                self.chunks.append((task.chunk.number, number, made))
                return made

            self.asked.append(options)
            self.begun.append(begun)
            return SimpleNamespace(
                number=number,
                begin=SimpleNamespace(remote=lambda versions: begun),
                dream=SimpleNamespace(remote=dream),
                __ray_terminate__=SimpleNamespace(remote=lambda: self._terminate(number)),
            )

        return SimpleNamespace(remote=start)

    def _terminate(self, number: int) -> Future[None]:
        self.released.append(number)
        ended = Future[None]()
        ended.set_result(None)
        return ended

    def begin(self, number: int, node: str | None = None) -> None:
        """Start a worker."""
        wait_for(lambda: len(self.begun) > number)
        self.begun[number].set_result(("host", node or f"node {number}", {}))

    def at_work(self) -> list[int]:
        """Return the worker of each chunk at work."""
        return sorted(worker for _, worker, made in self.chunks if not made.done())

    def worker_of(self, chunk: int) -> int:
        """Wait until a chunk is being dreamed; return its worker."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [w for number, w, made in self.chunks if number == chunk and not made.done()]
            return bool(found)

        wait_for(look)
        return found[0]

    def future_of(self, chunk: int) -> Future[Any]:
        """Return the future of a chunk at work."""
        self.worker_of(chunk)
        return next(made for number, _, made in reversed(self.chunks) if number == chunk)

    def wait(
        self, references: list[Future[Any]], num_returns: int = 1, timeout: float = 0.0
    ) -> tuple[list[Any], list[Any]]:
        """Return the finished references."""
        time.sleep(0.001)
        self.calls.append("wait")
        return [each for each in references if each.done()], []

    def get(self, reference: Future[Any]) -> Any:
        """Return the result of a reference."""
        return reference.result()

    def kill(self, actor: Any) -> None:
        """Record the killed worker."""
        self.killed.append(actor.number)

    def nodes(self) -> list[dict[str, Any]]:
        """Return two machines."""
        return [
            {"NodeID": node, "Alive": node not in self.dead, "Resources": {"CPU": 8.0}}
            for node in ("near", "far")
        ]

    def get_runtime_context(self) -> Any:
        """Return the machine of the caller."""
        return SimpleNamespace(get_node_id=lambda: "near")


class FakeRayWorkers(RayWorkers):
    """Workers of a fake cluster."""

    def __init__(self, ray: FakeRay, workers: int, batch: int) -> None:
        """Connect without starting a worker."""
        settings = FilmSettings(workers=workers, batch=batch)
        super().__init__(Cluster("auto"), settings, 16, lambda note: None)
        self.ray = ray

    def dream(self, *chunks: int) -> list[Future[Any]]:
        """Submit chunks."""
        return [self.submit(_task(chunk), chunk) for chunk in chunks]


def _task(number: int) -> Any:
    return SimpleNamespace(chunk=SimpleNamespace(number=number))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FakeRayWorkers]]:
    """Return a function that creates workers of one fake cluster."""
    ray, started = FakeRay(), []
    monkeypatch.setattr(connection, "_imported", lambda: ray)
    monkeypatch.setattr(
        RayWorkers, "_send", lambda _, task, worker: worker.actor.dream.remote(task)
    )

    def begin(workers: int, batch: int = 1) -> FakeRayWorkers:
        started.append(FakeRayWorkers(ray, workers, batch))
        return started[-1]

    yield begin
    for each in started:
        each.close(wait=True)


def test_each_worker_gets_one_chunk_before_any_gets_two(
    start: Callable[..., FakeRayWorkers],
) -> None:
    workers = start(workers=2, batch=2)
    workers.dream(0, 1)
    workers.ray.begin(0)
    wait_for(lambda: workers.ray.at_work() == [0])
    workers.ray.begin(1)
    wait_for(lambda: workers.ray.at_work() == [0, 1])
    workers.dream(2, 3, 4)
    wait_for(lambda: workers.ray.at_work() == [0, 0, 1, 1])
    assert len(workers.ray.asked) == 2
    assert workers.ray.asked[0]["max_concurrency"] == 2


def test_a_finished_chunk_makes_room_for_the_next(start: Callable[..., FakeRayWorkers]) -> None:
    workers = start(workers=1)
    first, second = workers.dream(0, 1)
    workers.ray.begin(0)
    workers.ray.future_of(0).set_result("record")
    assert first.result(SECONDS) == "record"
    assert workers.ray.worker_of(1) == 0
    assert not second.done()


def test_chunks_do_not_wait_for_a_worker_that_finds_no_room(
    start: Callable[..., FakeRayWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "_PATIENCE_SECONDS", 0.0)
    workers = start(workers=3, batch=2)
    workers.dream(0, 1, 2)
    workers.ray.begin(1)
    wait_for(lambda: workers.ray.at_work() == [1, 1])
    workers.ray.begin(0)
    wait_for(lambda: workers.ray.at_work() == [0, 1, 1])


@pytest.mark.parametrize("error", [WorkerCrashedError(), OSError("no")])
def test_a_chunk_that_failed_is_dreamed_elsewhere(
    start: Callable[..., FakeRayWorkers], error: Exception
) -> None:
    workers = start(workers=2)
    first, second = workers.dream(0, 1)
    workers.ray.begin(0, "near")
    workers.ray.begin(1, "far")
    failed, other = workers.ray.worker_of(0), workers.ray.worker_of(1)
    workers.ray.future_of(0).set_exception(error)
    killed = isinstance(error, WorkerCrashedError)
    assert isinstance(first.exception(SECONDS), WorkerLost if killed else OSError)
    assert workers.ray.killed == ([failed] if killed else [])
    workers.dream(0)
    if killed:
        workers.ray.begin(2, ("near", "far")[failed])
    workers.ray.future_of(1).set_result("record")
    assert second.result(SECONDS) == "record"
    assert workers.ray.worker_of(0) == other


def test_a_chunk_that_failed_on_the_only_machine_is_dreamed_there(
    start: Callable[..., FakeRayWorkers],
) -> None:
    workers = start(workers=1)
    workers.dream(0)
    workers.ray.begin(0)
    workers.ray.future_of(0).set_exception(OSError("no"))
    workers.dream(0)
    assert workers.ray.worker_of(0) == 0


def test_a_worker_that_cannot_start_fails_a_chunk(start: Callable[..., FakeRayWorkers]) -> None:
    workers = start(workers=1)
    (first,) = workers.dream(0)
    wait_for(lambda: len(workers.ray.begun) == 1)
    workers.ray.begun[0].set_exception(OSError("no"))
    with pytest.raises(OSError, match="no"):
        first.result(SECONDS)
    workers.dream(0)
    workers.ray.begin(1)
    assert workers.ray.worker_of(0) == 1


def test_an_idle_worker_is_released(
    start: Callable[..., FakeRayWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "_LOOK_SECONDS", 0.0)
    workers = start(workers=2)
    first, _ = workers.dream(0, 1)
    workers.ray.begin(0)
    workers.ray.begin(1)
    idle, busy = workers.ray.worker_of(0), workers.ray.worker_of(1)
    workers.ray.future_of(0).set_result("record")
    first.result(SECONDS)
    assert workers.ray.released == []
    monkeypatch.setattr(ray_workers, "_IDLE_SECONDS", 0.0)
    wait_for(lambda: workers.ray.released == [idle])
    monkeypatch.setattr(ray_workers, "_IDLE_SECONDS", SECONDS)
    workers.dream(2)  # by a new worker
    workers.ray.begin(2)
    assert workers.ray.worker_of(2) == 2
    assert workers.ray.worker_of(1) == busy


def test_a_full_cluster_is_reported(
    start: Callable[..., FakeRayWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(ray_workers, "_QUIET_SECONDS", 0.0)
    workers, notes = start(workers=1), []
    workers._on_note = notes.append
    workers.dream(0)
    wait_for(lambda: workers.dreamed(0) == 0 and notes)
    assert notes == ["a chunk has been waiting for a minute: the cluster has no room for it"]


@pytest.mark.parametrize("wait", [True, False])
def test_pending_chunks_fail_when_the_workers_are_closed(
    start: Callable[..., FakeRayWorkers], wait: bool
) -> None:
    workers = start(workers=1)
    futures = workers.dream(0, 1)
    workers.ray.begin(0)
    workers.ray.worker_of(0)
    workers.close(wait=wait)
    assert all(isinstance(future.exception(SECONDS), ClusterLost) for future in futures)
    assert (workers.ray.released, workers.ray.killed) == (([0], []) if wait else ([], [0]))


@pytest.mark.parametrize("end", [RayWorkers.renew, lambda workers: workers.close(wait=False)])
def test_a_connection_in_use_is_not_closed(
    start: Callable[..., FakeRayWorkers], end: Callable[[RayWorkers], None]
) -> None:
    workers = start(workers=1)
    workers.dream(0)
    wait_for(lambda: "wait" in workers.ray.calls)
    end(workers)
    ends = workers.ray.calls.index("shutdown")
    assert set(workers.ray.calls[:ends]) == {"init", "wait"}
    assert set(workers.ray.calls[ends + 1 :]) <= {"init"}


def test_all_work_is_lost_when_our_machine_leaves_the_cluster(
    start: Callable[..., FakeRayWorkers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "_LOOK_SECONDS", 0.0)
    workers = start(workers=2)
    (first,) = workers.dream(0)
    workers.ray.dead.append("far")
    time.sleep(0.1)
    assert not first.done()
    workers.ray.dead.append("near")
    lost = first.exception(SECONDS)
    assert lost is not None
    assert workers.lost(lost)
    (late,) = workers.dream(1)  # before the loss is noticed
    assert isinstance(late.exception(SECONDS), ClusterLost)
    workers.ray.dead.clear()
    workers.renew()
    (again,) = workers.dream(0)
    time.sleep(0.1)
    assert not again.done()
    workers.close(wait=True)
    assert [call for call in workers.ray.calls if call != "wait"] == ["init", "shutdown"] * 2
