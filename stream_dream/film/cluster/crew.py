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
from stream_dream.film.cluster.errors import WorkerLost, explained
from stream_dream.film.cluster.sending import ByPath, ByShipment, Line, unseen
from stream_dream.film.cluster.shares import share_out
from stream_dream.film.cluster.tally import Running, Tally
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
        begun: When it was handed in, in seconds.
        reference: What Ray calls its outcome.
        running: How far it is, as far as that is known.
    """

    key: str
    chunk: int
    begun: float
    reference: Any = None
    running: Running | None = None


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
        """Begin with nobody at work.

        Args:
            cluster: The connection; it is closed together with the crew.
            film: How many workers are wanted, and whether they share a disk with us.
            shots: How many shots can be dreamed side by side.
            on_note: Called with a line on what one should know, from the thread that calls the
                crew.
        """
        self._cluster, self._ray = cluster, cluster.ray
        self._grows = film.wanted_workers is None
        self._shots, self._ship = shots, film.ship
        self._share = share_out(cluster.nodes(), shots, film.wanted_workers)
        self.places = self._share.places
        # Alone on one machine: all of it, as without Ray.
        self.threads = None if cluster.local and self.places == 1 else self._share.threads
        self._runs: dict[int, _Run] = {}
        self._avoided: dict[int, set[str]] = {}
        self._on_note = on_note
        self._notes: dict[str, bool] = {}
        self._tally: Any = None
        self._closed = threading.Event()
        self._begin()

    def submit(self, task: Task, place: int) -> Future[Record]:
        """Begin a chunk; what is to be sent is made ready, and taken in, by a thread of its own."""
        run = _Run(uuid.uuid4().hex, task.chunk.number, time.monotonic())
        self._runs[place] = run
        future = Future[Record]()
        arguments = (task, run, future)
        threading.Thread(target=self._follow, args=arguments, daemon=True).start()
        return future

    def dreamed(self, place: int) -> int:
        """Tell how many frames of its chunk are done at a place, as of a second or two ago."""
        for note, said in self._notes.copy().items():
            if not said:
                self._notes[note] = True
                self._on_note(note)
        running = self._runs[place].running
        return 0 if running is None else running.frames

    def lost(self, error: BaseException) -> bool:
        """Tell whether the connection to the cluster has broken."""
        return isinstance(error, ClusterLost)

    def renew(self) -> None:
        """Connect anew. Raises ``ClusterLost`` where that is not possible."""
        self._closed.set()
        self._cluster.renew()
        self._closed = threading.Event()
        self._begin()

    def close(self, *, wait: bool) -> None:
        """End the work on all chunks, waiting for it or not, and the connection."""
        self._closed.set()
        if not wait and not self._cluster.local:
            for run in list(self._runs.values()):
                if run.reference is not None:
                    with suppress(Exception):
                        self._ray.cancel(run.reference, force=True)
        self._tally = None
        self._cluster.close(wait=wait)

    def _begin(self) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from stream_dream.film.cluster.worker import dream

        self._affinity = NodeAffinitySchedulingStrategy
        self._way = ByShipment() if self._ship else ByPath()
        self._function = self._ray.remote(dream)
        # Near us it survives the machines that fail. Started anew it learns all from the next word.
        here = self._ray.get_runtime_context().get_node_id()
        near = self._affinity(node_id=here, soft=True)
        options = {"num_cpus": 0, "max_restarts": -1, "scheduling_strategy": near}
        self._tally = self._ray.remote(Tally).options(**options).remote()
        threading.Thread(target=self._watch, args=(self._closed,), daemon=True).start()

    def _follow(self, task: Task, run: _Run, future: Future[Record]) -> None:
        """Have a chunk dreamed, and say what became of it."""
        closed = self._closed

        def ask(order: Order) -> Outcome:
            run.reference = self._function.options(**self._options(run)).remote(order)
            outcome: Outcome = self._get(run.reference, closed)
            return outcome

        line = Line(run.key, self._tally, ask, self._ray.put, lambda r: self._get(r, closed))
        try:
            outcome = self._way.dream(task, line)
            self._compare(outcome)
            assert outcome.record is not None
            future.set_result(outcome.record)
        except BaseException as error:
            future.set_exception(self._explained(error, run))
        finally:
            run.reference = None

    def _get(self, reference: Any, closed: threading.Event) -> Any:
        """Wait for what a reference stands for."""
        while not closed.is_set():
            if self._ray.wait([reference], timeout=_LOOK_SECONDS)[0]:
                return self._ray.get(reference)
        raise ClusterLost("the work was ended")

    def _options(self, run: _Run) -> dict[str, Any]:
        """Say what a chunk needs, and where it may go: not where it failed before."""
        strategy: Any = "SPREAD"
        avoided = self._avoided.get(run.chunk)
        if avoided:
            nodes = [node["NodeID"] for node in self._ray.nodes() if node["Alive"]]
            others = [node for node in nodes if node not in avoided]
            if others:
                strategy = self._affinity(
                    node_id=others[run.chunk % len(others)], soft=True, _spill_on_unavailable=True
                )
        return {
            "num_cpus": self._share.cpus,
            "num_gpus": self._share.gpus,
            "max_retries": 0,
            "scheduling_strategy": strategy,
            "name": f"chunk {run.chunk}",
        }

    def _explained(self, error: BaseException, run: _Run) -> BaseException:
        from stream_dream.film.cluster.worker import Unseen

        machine = None if run.running is None else run.running.machine
        found = explained(error, machine, local=self._cluster.local)
        if isinstance(found, Unseen):
            return unseen(Path(found.path), found.machine, found.size)
        if isinstance(found, WorkerLost) and run.running is not None:
            self._avoided.setdefault(run.chunk, set()).add(run.running.node)
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
        """Look how far all chunks are, and how large the cluster is."""
        looked = time.monotonic()
        while not closed.wait(_LOOK_SECONDS):
            with suppress(BaseException):  # nobody knows then how far it is; Ray ends threads, too
                self._look()
            now = time.monotonic()
            if self._grows and now > looked + _NODES_SECONDS:
                looked = now
                with suppress(BaseException):
                    fitting = min(self._share.fit(self._cluster.nodes()), self._shots)
                    self.places = max(self.places, fitting)

    def _look(self) -> None:
        runs = {run.key: run for run in self._runs.values()}
        reference = self._tally.read.remote(list(runs))
        if not self._ray.wait([reference], timeout=_LOOK_SECONDS)[0]:
            return
        for key, running in self._ray.get(reference).items():
            runs[key].running = running
        waiting = [run for run in runs.values() if run.reference is not None and not run.running]
        if waiting and time.monotonic() > waiting[0].begun + _QUIET_SECONDS:
            self._notes.setdefault(
                "a chunk has been waiting for a minute: the cluster has no room for it", False
            )
