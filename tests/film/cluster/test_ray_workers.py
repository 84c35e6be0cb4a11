"""Who of a cluster's workers gets which chunk, and when the connection ends; without a Ray."""

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
    """Has workers that begin, and finish their chunks, when they are told to."""

    def __init__(self) -> None:
        """Create a cluster without workers."""
        self.asked: list[dict[str, Any]] = []
        self.begun: list[Future[Any]] = []
        self.chunks: list[tuple[int, int, Future[Any]]] = []
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
        def start(seats: int) -> Any:
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
        self.let_go.append(number)
        ended = Future[None]()
        ended.set_result(None)
        return ended

    def begin(self, number: int, node: str | None = None) -> None:
        """Start a worker."""
        wait_for(lambda: len(self.begun) > number)
        self.begun[number].set_result(("host", node or f"node {number}", {}))

    def seats(self) -> list[int]:
        """Return the workers that dream chunks."""
        return sorted(worker for _, worker, made in self.chunks if not made.done())

    def worker_of(self, chunk: int) -> int:
        """Wait until a chunk is being dreamed, and return by whom."""
        found: list[int] = []

        def look() -> bool:
            found[:] = [w for number, w, made in self.chunks if number == chunk and not made.done()]
            return bool(found)

        wait_for(look)
        return found[0]

    def future_of(self, chunk: int) -> Future[Any]:
        """Return what ends a chunk."""
        self.worker_of(chunk)
        return next(made for number, _, made in reversed(self.chunks) if number == chunk)

    def wait(
        self, references: list[Future[Any]], num_returns: int = 1, timeout: float = 0.0
    ) -> tuple[list[Any], list[Any]]:
        """Wait for some of them."""
        time.sleep(0.001)
        self.calls.append("wait")
        return [each for each in references if each.done()], []

    def get(self, reference: Future[Any]) -> Any:
        """Return what came of it."""
        return reference.result()

    def kill(self, actor: Any) -> None:
        """End a worker."""
        self.killed.append(actor.number)

    def nodes(self) -> list[dict[str, Any]]:
        """Return the machines."""
        return [
            {"NodeID": node, "Alive": node not in self.dead, "Resources": {"CPU": 8.0}}
            for node in ("near", "far")
        ]

    def get_runtime_context(self) -> Any:
        """Return on which machine we are."""
        return SimpleNamespace(get_node_id=lambda: "near")


class Workers(RayWorkers):
    """A crew of a cluster that is not there."""

    def __init__(self, ray: FakeRay, workers: int, batch: int) -> None:
        """Start with nobody at work."""
        settings = FilmSettings(workers=workers, batch=batch)
        super().__init__(Cluster("auto"), settings, 16, lambda note: None)
        self.ray = ray

    def dream(self, *chunks: int) -> list[Future[Any]]:
        """Ask for chunks."""
        return [self.submit(_task(chunk), chunk) for chunk in chunks]


def _task(number: int) -> Any:
    return SimpleNamespace(chunk=SimpleNamespace(number=number))


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Workers]]:
    """Give what starts a crew."""
    ray, crews = FakeRay(), []
    monkeypatch.setattr(connection, "_imported", lambda: ray)
    monkeypatch.setattr(RayWorkers, "_send", lambda _, task, hand: hand.actor.dream.remote(task))

    def begin(workers: int, batch: int = 1) -> Workers:
        crews.append(Workers(ray, workers, batch))
        return crews[-1]

    yield begin
    for each in crews:
        each.close(wait=True)


def test_each_worker_gets_one_chunk_before_any_gets_two(start: Callable[..., Workers]) -> None:
    made = start(workers=2, batch=2)
    made.dream(0, 1)
    made.ray.begin(0)
    wait_for(lambda: made.ray.seats() == [0])
    made.ray.begin(1)
    wait_for(lambda: made.ray.seats() == [0, 1])
    made.dream(2, 3, 4)
    wait_for(lambda: made.ray.seats() == [0, 0, 1, 1])
    assert len(made.ray.asked) == 2
    assert made.ray.asked[0]["max_concurrency"] == 2


def test_a_finished_chunk_makes_room_for_the_next(start: Callable[..., Workers]) -> None:
    made = start(workers=1)
    first, second = made.dream(0, 1)
    made.ray.begin(0)
    made.ray.future_of(0).set_result("record")
    assert first.result(SECONDS) == "record"
    assert made.ray.worker_of(1) == 0
    assert not second.done()


def test_chunks_do_not_wait_for_a_worker_that_finds_no_room(
    start: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "_PATIENCE_SECONDS", 0.0)
    made = start(workers=3, batch=2)
    made.dream(0, 1, 2)
    made.ray.begin(1)
    wait_for(lambda: made.ray.seats() == [1, 1])
    made.ray.begin(0)
    wait_for(lambda: made.ray.seats() == [0, 1, 1])


@pytest.mark.parametrize("error", [WorkerCrashedError(), OSError("no")])
def test_a_chunk_that_failed_is_dreamed_elsewhere(
    start: Callable[..., Workers], error: Exception
) -> None:
    made = start(workers=2)
    first, second = made.dream(0, 1)
    made.ray.begin(0, "near")
    made.ray.begin(1, "far")
    failed, other = made.ray.worker_of(0), made.ray.worker_of(1)
    made.ray.future_of(0).set_exception(error)
    killed = isinstance(error, WorkerCrashedError)
    assert isinstance(first.exception(SECONDS), WorkerLost if killed else OSError)
    assert made.ray.killed == ([failed] if killed else [])
    made.dream(0)
    if killed:
        made.ray.begin(2, ("near", "far")[failed])
    made.ray.future_of(1).set_result("record")
    assert second.result(SECONDS) == "record"
    assert made.ray.worker_of(0) == other


def test_a_chunk_that_failed_on_the_only_machine_is_dreamed_there(
    start: Callable[..., Workers],
) -> None:
    made = start(workers=1)
    made.dream(0)
    made.ray.begin(0)
    made.ray.future_of(0).set_exception(OSError("no"))
    made.dream(0)
    assert made.ray.worker_of(0) == 0


def test_a_worker_that_cannot_start_fails_a_chunk(start: Callable[..., Workers]) -> None:
    made = start(workers=1)
    (first,) = made.dream(0)
    wait_for(lambda: len(made.ray.begun) == 1)
    made.ray.begun[0].set_exception(OSError("no"))
    with pytest.raises(OSError, match="no"):
        first.result(SECONDS)
    made.dream(0)
    made.ray.begin(1)
    assert made.ray.worker_of(0) == 1


def test_an_idle_worker_is_released(
    start: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "_LOOK_SECONDS", 0.0)
    made = start(workers=2)
    first, _ = made.dream(0, 1)
    made.ray.begin(0)
    made.ray.begin(1)
    idle, busy = made.ray.worker_of(0), made.ray.worker_of(1)
    made.ray.future_of(0).set_result("record")
    first.result(SECONDS)
    assert made.ray.let_go == []
    monkeypatch.setattr(ray_workers, "_IDLE_SECONDS", 0.0)
    wait_for(lambda: made.ray.let_go == [idle])
    monkeypatch.setattr(ray_workers, "_IDLE_SECONDS", SECONDS)
    made.dream(2)  # by one that is started anew
    made.ray.begin(2)
    assert made.ray.worker_of(2) == 2
    assert made.ray.worker_of(1) == busy


def test_a_full_cluster_is_reported(
    start: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(ray_workers, "_QUIET_SECONDS", 0.0)
    made, notes = start(workers=1), []
    made._on_note = notes.append
    made.dream(0)
    wait_for(lambda: made.dreamed(0) == 0 and notes)
    assert notes == ["a chunk has been waiting for a minute: the cluster has no room for it"]


@pytest.mark.parametrize("wait", [True, False])
def test_pending_chunks_fail_when_the_workers_are_closed(
    start: Callable[..., Workers], wait: bool
) -> None:
    made = start(workers=1)
    futures = made.dream(0, 1)
    made.ray.begin(0)
    made.ray.worker_of(0)
    made.close(wait=wait)
    assert all(isinstance(future.exception(SECONDS), ClusterLost) for future in futures)
    assert (made.ray.let_go, made.ray.killed) == (([0], []) if wait else ([], [0]))


@pytest.mark.parametrize("end", [RayWorkers.renew, lambda workers: workers.close(wait=False)])
def test_a_connection_in_use_is_not_closed(
    start: Callable[..., Workers], end: Callable[[RayWorkers], None]
) -> None:
    made = start(workers=1)
    made.dream(0)
    wait_for(lambda: "wait" in made.ray.calls)
    end(made)
    ends = made.ray.calls.index("shutdown")
    assert set(made.ray.calls[:ends]) == {"init", "wait"}
    assert set(made.ray.calls[ends + 1 :]) <= {"init"}


def test_all_work_is_lost_when_our_machine_leaves_the_cluster(
    start: Callable[..., Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_workers, "_LOOK_SECONDS", 0.0)
    made = start(workers=2)
    (first,) = made.dream(0)
    made.ray.dead.append("far")
    time.sleep(0.1)
    assert not first.done()
    made.ray.dead.append("near")
    lost = first.exception(SECONDS)
    assert lost is not None
    assert made.lost(lost)
    (late,) = made.dream(1)  # before anybody has heard of it
    assert isinstance(late.exception(SECONDS), ClusterLost)
    made.ray.dead.clear()
    made.renew()
    (again,) = made.dream(0)
    time.sleep(0.1)
    assert not again.done()
    made.close(wait=True)
    assert [call for call in made.ray.calls if call != "wait"] == ["init", "shutdown"] * 2
