"""Has the chunks of a film dreamed by a Ray cluster."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.film.chunk import Task
from stream_dream.film.cluster.connection import Cluster, ClusterLost
from stream_dream.film.cluster.errors import explained
from stream_dream.film.cluster.hiring import Hired, Staff
from stream_dream.film.cluster.sending import ByPath, ByShipment, Line, unseen
from stream_dream.film.cluster.shares import share_out
from stream_dream.film.cluster.tally import Tally
from stream_dream.film.job import versions
from stream_dream.film.records import Record
from stream_dream.film_settings import FilmSettings

if TYPE_CHECKING:
    from stream_dream.film.cluster.worker import Order, Outcome

_LOOK_SECONDS = 1.0
_NODES_SECONDS = 10.0
# A machine may have to be started first; when that takes long, somebody should know.
_QUIET_SECONDS = 60.0


@dataclass(slots=True)
class _Run:
    """A chunk that is being dreamed.

    Attributes:
        key: What it is called in the tally.
        chunk: Its number.
        waits_since: Since when it has been waiting for a worker, in seconds; None if it is not.
        worker: Who dreams it, or did.
        frames: How many are done, as far as that is known.
    """

    key: str
    chunk: int
    waits_since: float | None = None
    worker: Hired | None = None
    frames: int = 0


class RayCrew:
    """The workers of a Ray cluster.

    Attributes:
        places: How many chunks are dreamed side by side; grows when the cluster does.
        threads: How many threads TensorFlow may use for one of them; None for its usual ones.
    """

    def __init__(
        self,
        cluster: Cluster,
        film: FilmSettings,
        shots: int,
        on_note: Callable[[str], None],
    ) -> None:
        """Start with nobody at work.

        Args:
            cluster: The connection; it is closed together with the crew.
            film: How many workers are wanted, how many shots each dreams in one call, and whether
                they share a disk with us.
            shots: How many shots can be dreamed side by side.
            on_note: Called with a line on what one should know, from the thread that calls the
                crew.
        """
        self._cluster, self._ray = cluster, cluster.ray
        self._grows = film.wanted_workers is None
        self._shots, self._ship = shots, film.ship
        self._share = share_out(cluster.nodes(), shots, film.wanted_workers)
        self._seats = min(film.batch_on(self._share.gpus), shots)
        self.places = min(self._share.workers * self._seats, shots)
        # Alone on one machine: all of it, as without Ray.
        alone = cluster.local and self._share.workers == 1
        self.threads = None if alone else self._share.threads
        self._runs: dict[int, _Run] = {}
        self._on_note = on_note
        self._notes: dict[str, bool] = {}
        self._tally: Any = None
        self._closed = threading.Event()
        self._begin()

    def submit(self, task: Task, place: int) -> Future[Record]:
        """Start a chunk; what is to be sent is made ready, and taken in, by a thread of its own."""
        run = _Run(uuid.uuid4().hex, task.chunk.number)
        self._runs[place] = run
        future = Future[Record]()
        self._cluster.use(self._follow, task, run, future)
        return future

    def dreamed(self, place: int) -> int:
        """Return how many frames of its chunk are done at a place, as of a second or two ago."""
        for note, said in self._notes.copy().items():
            if not said:
                self._notes[note] = True
                self._on_note(note)
        return self._runs[place].frames

    def lost(self, error: BaseException) -> bool:
        """Return whether the connection to the cluster has broken."""
        return isinstance(error, ClusterLost)

    def renew(self) -> None:
        """Connect anew. Raises ``ClusterLost`` where that is not possible."""
        self._closed.set()
        self._staff.forget()
        self._cluster.renew()
        self._closed = threading.Event()
        self._begin()

    def close(self, *, wait: bool) -> None:
        """End the work on all chunks, waiting for it or not, and the connection."""
        self._closed.set()
        if wait or not self._cluster.local:
            self._staff.dissolve(wait=wait)
        self._staff.forget()
        self._tally = None
        self._cluster.close(wait=wait)

    def _begin(self) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._way = ByShipment() if self._ship else ByPath()
        self._staff = Staff(self._cluster, self._share, self._seats)
        # Near us it survives the machines that fail. Started anew it learns all from the next word.
        here = self._ray.get_runtime_context().get_node_id()
        near = NodeAffinitySchedulingStrategy(node_id=here, soft=True)
        options = {"num_cpus": 0, "max_restarts": -1, "scheduling_strategy": near}
        self._tally = self._ray.remote(Tally).options(**options).remote()
        self._cluster.use(self._watch, self._closed)

    def _follow(self, task: Task, run: _Run, future: Future[Record]) -> None:
        """Dream a chunk on the cluster, and return what became of it."""
        staff = self._staff

        def ask(order: Order) -> Outcome:
            if run.worker is None:
                run.waits_since = time.monotonic()
                run.worker = staff.seat(run.chunk)
                run.waits_since = None
            return staff.ask(run.worker, order)

        line = Line(run.key, self._tally, ask, staff.put, staff.get)
        try:
            outcome = self._way.dream(task, line)
            self._compare(outcome)
            assert outcome.record is not None
        except BaseException as error:
            run.waits_since = None
            try:
                problem = self._explained(error, run)
            except BaseException as unexplained:
                problem = unexplained
            staff.leave(run.worker)
            future.set_exception(problem)
        else:
            staff.leave(run.worker)
            future.set_result(outcome.record)

    def _explained(self, error: BaseException, run: _Run) -> BaseException:
        from stream_dream.film.cluster.worker import Unseen

        machine = None if run.worker is None else run.worker.machine
        found = explained(error, machine, local=self._cluster.local)
        if isinstance(found, Unseen):
            return unseen(Path(found.path), found.machine, found.size)
        if not isinstance(found, ClusterLost) and run.worker is not None:
            self._staff.avoid(run.chunk, run.worker)
        return found

    def _compare(self, outcome: Outcome) -> None:
        """Note that a machine has something else installed than we have."""
        for name, here in versions().items():
            there = outcome.versions.get(name)
            if there != here and name != "python":
                self._notes.setdefault(
                    f"{outcome.machine} has {name} {there}, not {here} as here: where a chunk "
                    "ends the dream may change a little",
                    False,
                )

    def _watch(self, closed: threading.Event) -> None:
        """Look how far all chunks are, who has nothing to do, and how large the cluster is."""
        looked = time.monotonic()
        while not closed.wait(_LOOK_SECONDS):
            with suppress(BaseException):  # nobody knows then how far it is; Ray ends threads, too
                self._look()
                self._staff.release()
            now = time.monotonic()
            if now > looked + _NODES_SECONDS:
                looked = now
                with suppress(BaseException):
                    self._look_around()

    def _look(self) -> None:
        runs = {run.key: run for run in self._runs.values()}
        reference = self._tally.read.remote(list(runs))
        if not self._ray.wait([reference], timeout=_LOOK_SECONDS)[0]:
            return
        for key, frames in self._ray.get(reference).items():
            runs[key].frames = frames
        waiting = [run.waits_since for run in runs.values() if run.waits_since is not None]
        if waiting and time.monotonic() > min(waiting) + _QUIET_SECONDS:
            self._notes.setdefault(
                "a chunk has been waiting for a minute: the cluster has no room for it", False
            )

    def _look_around(self) -> None:
        """Notice that our own machine has left the cluster; hire more where there is more room."""
        if not self._cluster.holds():
            self._staff.forget()  # all that is at work fails, and the connection is renewed
        if not self._grows:
            return
        fitting = min(self._share.fit(self._cluster.nodes()), self._shots)
        self._staff.most = max(self._staff.most, fitting)
        self.places = max(self.places, min(fitting * self._seats, self._shots))
