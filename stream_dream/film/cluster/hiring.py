"""Hires workers on a Ray cluster, and finds a seat at one of them for each chunk."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_dream.film.cluster.connection import Cluster, ClusterLost
from stream_dream.film.cluster.shares import Share

if TYPE_CHECKING:
    from stream_dream.film.cluster.worker import Order, Outcome

_ENDED = "the connection to Ray has broken"
# How often those who wait look whether the work was ended.
_WAIT_SECONDS = 0.25
# So long a chunk waits for a worker that was hired rather than share one. A process takes a second
# or two to start; a machine, minutes.
_PATIENCE_SECONDS = 20.0
# A worker that has nothing to do makes room for others.
_IDLE_SECONDS = 30.0


@dataclass(eq=False, slots=True)
class Hired:
    """A worker.

    Attributes:
        actor: What Ray knows it by.
        since: When it was hired, or was left by its last chunk, in seconds.
        machine: Where it is; None as long as the cluster has no room for it.
        node: What Ray calls that machine.
        chunks: How many chunks it has.
        error: Why it could not begin.
    """

    actor: Any
    since: float
    machine: str | None = None
    node: str | None = None
    chunks: int = 0
    error: BaseException | None = None


class Staff:
    """The workers of a crew, each of which has seats for several chunks.

    They are hired one by one, as chunks need them: first each chunk gets a worker of its own, and
    only when there are as many as there may be do chunks share them, evenly.

    Attributes:
        most: How many there may be; may grow.
    """

    def __init__(self, cluster: Cluster, share: Share, seats: int) -> None:
        """Start with nobody.

        Args:
            cluster: The connection.
            share: How many there may be, and what each gets.
            seats: How many chunks one may have.
        """
        from stream_dream.film.cluster.worker import Worker

        self.most = share.workers
        self._cluster, self._ray = cluster, cluster.ray
        self._share, self._seats = share, seats
        self._worker = self._ray.remote(Worker)
        self._hired: list[Hired] = []
        self._avoided: dict[int, set[str]] = {}
        self._changed = threading.Condition()
        self._closed = False

    def seat(self, chunk: int) -> Hired:
        """Wait for a seat for a chunk, and take it: not where it failed, if it can be elsewhere.

        Raises:
            ClusterLost: The work was ended.
            Exception: The worker that was hired for it could not begin.
        """
        own: Hired | None = None
        with self._changed:
            while not self._closed:
                if own is not None and own.error is not None:
                    raise own.error
                may_hire = own not in self._hired and len(self._hired) < self.most
                found = self._found(chunk, may_hire=may_hire)
                if found is not None:
                    found.chunks += 1
                    return found
                if may_hire:
                    own = self._hire(chunk)
                self._changed.wait(_WAIT_SECONDS)
        raise ClusterLost(_ENDED)

    def leave(self, hired: Hired | None) -> None:
        """Give a seat back, if there is one."""
        if hired is None:
            return
        with self._changed:
            hired.chunks -= 1
            hired.since = time.monotonic()
            self._changed.notify_all()

    def avoid(self, chunk: int, hired: Hired) -> None:
        """Remember that a chunk failed on a machine."""
        with self._changed:
            if hired.node is not None:
                self._avoided.setdefault(chunk, set()).add(hired.node)

    def dismiss(self, hired: Hired) -> None:
        """Give up a worker that has vanished, or cannot be reached: what it has will fail."""
        with self._changed:
            if hired in self._hired:
                self._hired.remove(hired)
            if not self._closed:
                with suppress(Exception):
                    self._ray.kill(hired.actor)
            self._changed.notify_all()

    def release(self) -> None:
        """Release workers that have had nothing to do for a while."""
        with self._changed:
            late = time.monotonic() - _IDLE_SECONDS
            for hired in self._hired.copy():
                if hired.machine is not None and not hired.chunks and hired.since < late:
                    self._hired.remove(hired)
                    hired.actor.__ray_terminate__.remote()

    def ask(self, hired: Hired, order: Order) -> Outcome:
        """Dream on a worker; one that vanishes is given up. Raises as ``get``, and what it did.

        What it raises itself tells that it is still there.
        """
        from ray.exceptions import RayError, RayTaskError

        self._check()
        try:
            outcome: Outcome = self.get(hired.actor.dream.remote(order))
        except RayTaskError:
            raise
        except RayError:
            self.dismiss(hired)
            raise
        return outcome

    def put(self, data: bytes) -> Any:
        """Give bytes to Ray. Raises ``ClusterLost`` when the work was ended."""
        self._check()
        return self._ray.put(data)

    def get(self, reference: Any) -> Any:
        """Wait for what a reference stands for. Raises ``ClusterLost`` when the work was ended."""
        while not self._closed:
            ready, _ = self._ray.wait([reference], timeout=_WAIT_SECONDS)
            if ready and not self._closed:
                return self._ray.get(reference)
        raise ClusterLost(_ENDED)

    def forget(self) -> None:
        """End all waiting: the work was ended, or nobody can be reached."""
        with self._changed:
            self._closed = True
            self._hired = []
            self._changed.notify_all()

    def dissolve(self, *, wait: bool) -> None:
        """Release all workers: in good order, or at once with what they are at."""
        with self._changed:
            for hired in self._hired:
                with suppress(Exception):
                    if wait:
                        hired.actor.__ray_terminate__.remote()
                    else:
                        self._ray.kill(hired.actor)

    def _check(self) -> None:
        if self._closed:
            raise ClusterLost(_ENDED)

    def _found(self, chunk: int, *, may_hire: bool) -> Hired | None:
        """Choose a worker for a chunk; None where it is better to wait."""
        avoided = self._avoided.get(chunk, set())
        free = [each for each in self._hired if each.machine and each.chunks < self._seats]
        if not free:
            return None
        best = min(free, key=lambda each: (each.node in avoided, each.chunks))
        if best.chunks == 0 and best.node not in avoided:
            return best
        if may_hire:
            return None
        late = time.monotonic() - _PATIENCE_SECONDS
        coming = any(each.machine is None and each.since > late for each in self._hired)
        return None if coming else best

    def _hire(self, chunk: int) -> Hired:
        actor = self._worker.options(**self._options(chunk)).remote(self._seats)
        hired = Hired(actor, time.monotonic())
        self._hired.append(hired)
        self._cluster.use(self._begin, hired)
        return hired

    def _begin(self, hired: Hired) -> None:
        """Wait until a worker is there."""
        try:
            where = self.get(hired.actor.begin.remote())
        except BaseException as error:  # Ray ends threads, too
            hired.error = error
            self.dismiss(hired)
            return
        with self._changed:
            hired.machine, hired.node = where
            hired.since = time.monotonic()
            self._changed.notify_all()

    def _options(self, chunk: int) -> dict[str, Any]:
        """Say what a worker needs, and where it may be: not where its first chunk failed before."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        strategy: Any = "SPREAD"
        avoided = self._avoided.get(chunk)
        if avoided:
            nodes = [node for node in self._ray.nodes() if node["Alive"] and self._fits(node)]
            others = [node["NodeID"] for node in nodes if node["NodeID"] not in avoided]
            if others:
                strategy = NodeAffinitySchedulingStrategy(
                    node_id=others[chunk % len(others)], soft=True, _spill_on_unavailable=True
                )
        return {
            "num_cpus": self._share.cpus,
            "num_gpus": self._share.gpus,
            "max_restarts": 0,
            "max_concurrency": self._seats,
            "scheduling_strategy": strategy,
        }

    def _fits(self, node: Any) -> bool:
        """Return whether a machine is large enough for a worker."""
        found = node["Resources"]
        enough = found.get("CPU", 0) >= self._share.cpus
        return bool(enough and found.get("GPU", 0) >= self._share.gpus)
