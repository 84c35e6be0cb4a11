"""What runs on the machines of a Ray cluster."""

from __future__ import annotations

import os
import pickle
import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from stream_dream.errors import DiskFull, SettingsError
from stream_dream.film.chunk import Studio, Task
from stream_dream.film.cluster.room import Room
from stream_dream.film.cluster.shipping import Sent, Shipment
from stream_dream.film.cluster.tally import Telling
from stream_dream.film.job import versions
from stream_dream.film.records import Record
from stream_dream.frame import FrameReport


class Unseen(Exception):
    """A file that this machine does not see as the one does that sent the task.

    Attributes:
        path: The file.
        machine: This machine.
        size: How large it is there, in bytes.
    """

    def __init__(self, path: str, machine: str, size: int) -> None:
        """Store which file it is, and where."""
        super().__init__(path, machine, size)
        self.path, self.machine, self.size = path, machine, size


class WorkerFull(Exception):
    """There is no room on the disk of a worker: another one may have more."""


@dataclass(frozen=True, slots=True)
class Order:
    """How a chunk is asked for.

    Attributes:
        key: What it is called in the tally.
        tally: The tally: a handle of Ray's.
        versions: What is installed where the task comes from.
        task: The task, pickled; None where a shipment has it.
        seen: Sizes of the files that have to be there, by path.
        shipment: All that is needed, where there is no shared disk.
    """

    key: str
    tally: Any
    versions: dict[str, str]
    task: bytes | None = None
    seen: dict[str, int] | None = None
    shipment: Shipment | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of it.

    Attributes:
        record: The record of the chunk; None if the shipment's segment does not have its frames.
        machine: Who did it.
        versions: What is installed there.
        sent: The files that were made, where there is no shared disk.
    """

    record: Record | None
    machine: str
    versions: dict[str, str]
    sent: Sent | None = None


class Worker:
    """A process of the cluster that dreams chunks, and keeps the network for the next ones."""

    def __init__(self, seats: int) -> None:
        """Start with nothing.

        Args:
            seats: How many chunks it may be given at a time: their frames are dreamed in one call.
        """
        # What Ray sets aside of a graphics processor is not all of it.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        self._studio = Studio(seats)
        self._lock = threading.Lock()
        self._room: Room | None = None

    def begin(self) -> tuple[str, str]:
        """Return on which machine this is, and what Ray calls it."""
        return platform.node(), ray.get_runtime_context().get_node_id()

    def dream(self, order: Order) -> Outcome:
        """Dream a chunk."""
        _refuse_other(order.versions)
        with Telling(order.key, order.tally) as telling:
            if order.shipment is not None:
                return self._dream_shipped(order.shipment, telling.count)
            assert order.task is not None
            task: Task = pickle.loads(order.task)
            _look_at(order.seen or {})
            return _outcome(self._studio.dream(task, telling.count))

    def _dream_shipped(self, shipment: Shipment, count: Callable[[FrameReport], None]) -> Outcome:
        try:
            with self._lock:
                room = self._room = self._room or Room()
            with room.folder() as folder:
                task = shipment.unpack(Path(folder), room.kept, ray.get)
                if task is None:
                    return _outcome(None)
                record = self._studio.dream(task, count)
                self._studio.close()  # its source goes
                return _outcome(record, Sent.of(record, task.folder, ray.put))
        except DiskFull as error:
            raise WorkerFull(f"{platform.node()}: {error}") from error
        except OSError as error:
            raise WorkerFull(f"{platform.node()}: {error.strerror}: {error.filename}") from error


def _outcome(record: Record | None, sent: Sent | None = None) -> Outcome:
    return Outcome(record, platform.node(), versions(), sent)


def _refuse_other(wanted: dict[str, str]) -> None:
    """Refuse to work for another version of this package: a task means another thing to it."""
    name = "stream-dream"
    if (here := versions()[name]) != wanted[name]:
        raise SettingsError(
            f"{platform.node()} has {name} {here}, the film is rendered with {wanted[name]}: "
            "install the same on all machines"
        )


def _look_at(seen: dict[str, int]) -> None:
    for path, size in seen.items():
        try:
            same = Path(path).stat().st_size == size
        except OSError:
            same = False
        if not same:
            raise Unseen(path, platform.node(), size)
