"""Divides a cluster's processors among workers, and assigns chunks to workers."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

# If the number of workers is not given: more threads hardly make a chunk faster.
_MOST_THREADS = 4
# Time that a chunk waits for a starting worker rather than share a busy one. A process takes a
# second or two to start; a machine, minutes.
_PATIENCE_SECONDS = 20.0
_FINEST = 10_000  # Ray counts resources in ten thousandths


@dataclass(frozen=True, slots=True)
class Node:
    """Processors of a machine: cores and GPUs."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """Number of workers and resources of each.

    Attributes:
        workers: Number of workers in parallel.
        threads: Number of TensorFlow threads per worker.
        cpus: Cores that Ray reserves per worker.
        gpus: GPUs that Ray reserves per worker; may be a fraction.
    """

    workers: int
    threads: int
    cpus: float
    gpus: float = 0.0

    def fit(self, nodes: Sequence[Node]) -> int:
        """Return the number of workers that fit on machines."""
        return sum(self._fit(node) for node in nodes)

    def _fit(self, node: Node) -> int:
        by_cpus = math.inf if self.cpus == 0 else node.cpus / self.cpus
        by_gpus = math.inf if self.gpus == 0 else node.gpus / self.gpus
        return int(min(by_cpus, by_gpus) + 1 / _FINEST)


def share_out(nodes: Sequence[Node], shots: int, workers: int | None = None) -> Share:
    """Choose the number of workers and the resources of each.

    If any machine has GPUs, only GPUs dream: their results differ from a CPU's by rounding, and a
    film should be uniform.

    Args:
        nodes: The machines.
        shots: Number of shots to dream; chunks of one shot cannot run in parallel.
        workers: Wanted number of workers, even if they do not fit yet: an autoscaling cluster grows
            when workers wait. None for as many as fit.
    """
    wanted = None if workers is None else min(workers, shots)
    with_gpus = [node for node in nodes if node.gpus > 0]
    if with_gpus:
        return _of_gpus(with_gpus, shots, wanted)
    largest = int(max((node.cpus for node in nodes), default=1))
    total = sum(int(node.cpus) for node in nodes)
    if wanted is None:
        threads = min(max(1, total // shots), _MOST_THREADS, max(1, largest))
        share = Share(0, threads, threads)
        return Share(max(1, min(share.fit(nodes), shots)), threads, threads)
    fitting = (t for t in range(largest, 1, -1) if Share(0, t, t).fit(nodes) >= wanted)
    threads = next(fitting, 1)
    return Share(wanted, threads, threads)


def _of_gpus(nodes: Sequence[Node], shots: int, wanted: int | None) -> Share:
    total = sum(int(node.gpus) for node in nodes)
    parts = 1 if wanted is None else max(1, math.ceil(wanted / max(1, total)))
    gpus = math.floor(_FINEST / parts) / _FINEST
    each = min(node.cpus / int(node.gpus / gpus) for node in nodes if node.gpus >= gpus)
    threads = max(1, min(int(each), _MOST_THREADS))
    cpus = min(float(threads), math.floor(each * _FINEST) / _FINEST)
    workers = total if wanted is None else wanted
    return Share(max(1, min(workers, shots)), threads, cpus, gpus)


@dataclass(eq=False, slots=True)
class WorkerHandle:
    """A worker of the cluster.

    Attributes:
        actor: Its Ray actor.
        since: Monotonic time in seconds of its start or of the end of its last chunk.
        machine: Host name of its machine; None until it runs.
        node: Ray's id of that machine.
        chunks: Number of its running chunks.
    """

    actor: Any
    since: float
    machine: str | None = None
    node: str | None = None
    chunks: int = 0


def choose(
    handles: Sequence[WorkerHandle], batch: int, failed_on: Collection[str | None]
) -> WorkerHandle | None:
    """Choose the worker with the fewest chunks.

    Args:
        handles: The workers.
        batch: Maximum number of chunks per worker.
        failed_on: Node ids where the chunk has failed; avoided if there are workers elsewhere.

    Returns:
        The worker; None to wait for one that is free or starting.
    """
    here = [handle for handle in handles if handle.machine is not None]
    elsewhere = [handle for handle in here if handle.node not in failed_on]
    free = [handle for handle in elsewhere or here if handle.chunks < batch]
    best = min(free, key=lambda handle: handle.chunks, default=None)
    late = time.monotonic() - _PATIENCE_SECONDS
    coming = any(handle.machine is None and handle.since > late for handle in handles)
    return None if best and best.chunks and coming else best
