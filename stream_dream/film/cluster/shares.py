"""How a cluster is shared out among workers that dream side by side, and they among chunks."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

# Where nobody says how many workers there shall be: more threads hardly make a chunk faster.
_MOST_THREADS = 4
# So long a chunk waits for a worker of its own rather than share one. A process takes a second or
# two to start; a machine, minutes.
_PATIENCE_SECONDS = 20.0
_FINEST = 10_000  # Ray counts resources in ten thousandths


@dataclass(frozen=True, slots=True)
class Node:
    """What a machine has to offer."""

    cpus: float
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """What each of several workers gets.

    Attributes:
        workers: How many work side by side.
        threads: How many threads TensorFlow may use in one.
        cpus: Processors that Ray sets aside for one.
        gpus: Graphics processors that Ray sets aside for one; a part of one may do.
    """

    workers: int
    threads: int
    cpus: float
    gpus: float = 0.0

    def fit(self, nodes: Sequence[Node]) -> int:
        """Return how many fit on machines."""
        return sum(self._fit(node) for node in nodes)

    def _fit(self, node: Node) -> int:
        by_cpus = math.inf if self.cpus == 0 else node.cpus / self.cpus
        by_gpus = math.inf if self.gpus == 0 else node.gpus / self.gpus
        return int(min(by_cpus, by_gpus) + 1 / _FINEST)


def share_out(nodes: Sequence[Node], shots: int, workers: int | None = None) -> Share:
    """Choose how many workers work side by side, and what each of them gets.

    Where there are graphics processors, only they dream: what they make differs from what others
    make by rounding, and a film should be of one piece.

    Args:
        nodes: The machines.
        shots: How many shots there are to dream; the chunks of one follow each other.
        workers: How many are wanted, even if there is no room for them yet: a cluster that grows
            gets larger by what waits. None for as many as there is room for.
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
class Hand:
    """A worker.

    Attributes:
        actor: What Ray knows it by.
        since: When it was started, or was left by its last chunk, in seconds.
        machine: Where it is; None as long as the cluster has no room for it.
        node: What Ray calls that machine.
        chunks: How many chunks it has.
    """

    actor: Any
    since: float
    machine: str | None = None
    node: str | None = None
    chunks: int = 0


def choose(hands: Sequence[Hand], seats: int, failed_on: Collection[str | None]) -> Hand | None:
    """Choose a worker for a chunk: each gets one before any gets two.

    Args:
        hands: The workers.
        seats: How many chunks one may have.
        failed_on: Where the chunk has failed: it goes elsewhere, if there is a worker.

    Returns:
        The worker; None where it is better to wait.
    """
    here = [hand for hand in hands if hand.machine is not None]
    elsewhere = [hand for hand in here if hand.node not in failed_on]
    free = [hand for hand in elsewhere or here if hand.chunks < seats]
    best = min(free, key=lambda hand: hand.chunks, default=None)
    late = time.monotonic() - _PATIENCE_SECONDS
    coming = any(hand.machine is None and hand.since > late for hand in hands)
    return None if best and best.chunks and coming else best
