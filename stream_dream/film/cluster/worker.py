"""The worker that runs on the machines of a Ray cluster."""

from __future__ import annotations

import os
import platform
import tempfile
import threading
from pathlib import Path

import ray

from stream_dream.errors import DiskFull, SettingsError
from stream_dream.film.cluster.shipping import NodeFolder, Shipped, with_files
from stream_dream.film.execution.chunk_task import ChunkDreamer, ChunkTask
from stream_dream.film.job.chunk_record import ChunkFiles, ChunkRecord
from stream_dream.film.job.job_file import versions


class Unseen(Exception):
    """A file is missing on this machine, or differs from that on the sender of the task.

    Its ``args`` are the file, the host name of this machine and the size on the sender in bytes.
    """


class WorkerFull(Exception):
    """The disk of a worker is full or unusable; a retry may succeed on another machine."""


class RayWorker:
    """A process of the cluster that dreams chunks, and keeps the network for the next ones."""

    def __init__(self, batch: int) -> None:
        """Create a worker for at most ``batch`` chunks at a time, dreamed as a batch."""
        # Ray may reserve only a fraction of a GPU for this worker.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        self._dreamer = ChunkDreamer(batch)
        self._lock = threading.Lock()
        self._node_folder: NodeFolder | None = None

    def begin(self, wanted: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        """Return host name, Ray's node id and the installed versions of this machine.

        Raises ``SettingsError`` if this package differs in version from the one in ``wanted``, as
        it may read tasks differently.
        """
        here, name = versions(), "stream-dream"
        if here[name] != wanted[name]:
            raise SettingsError(
                f"{platform.node()} has {name} {here[name]}, the film is rendered with "
                f"{wanted[name]}: install the same on all machines"
            )
        return platform.node(), ray.get_runtime_context().get_node_id(), here

    def dream(self, task: ChunkTask, sizes: dict[str, int]) -> ChunkRecord:
        """Dream a chunk on a shared disk.

        Raises ``Unseen`` if a file is missing or differs from its size, in bytes, in ``sizes``.
        """
        for path, size in sizes.items():
            try:
                same = Path(path).stat().st_size == size
            except OSError:
                same = False
            if not same:
                raise Unseen(path, platform.node(), size)
        return self._dreamer.dream(task)

    def dream_shipped(
        self, task: ChunkTask, film: str, files: dict[str, Shipped], state: Shipped | None
    ) -> tuple[ChunkRecord, list[Shipped]]:
        """Dream a chunk from shipped files; return its record and its files.

        Args:
            task: The chunk, with the sender's paths.
            film: Unique id of the film.
            files: Shipped files, by their keys in ``files_of``.
            state: State of the dream before the chunk; None at the start of a shot.

        Raises:
            WorkerFull: The disk is full or unusable.
        """
        try:
            with self._lock:
                node_folder = self._node_folder = self._node_folder or NodeFolder(film)
            paths = {name: node_folder.keep(name, file, ray.get) for name, file in files.items()}
            with tempfile.TemporaryDirectory(
                dir=node_folder.folder, ignore_cleanup_errors=True
            ) as name:
                folder = Path(name)
                if state is not None:
                    state.write(folder, ray.get)
                record = self._dreamer.dream(with_files(task, paths, folder))
                made = ChunkFiles(folder, record.number)
                whole = [made.picture] if record.state is None else [made.state, made.picture]
                return record, [Shipped.of(path, ray.put) for path in whole]
        except DiskFull as error:
            raise WorkerFull(f"{platform.node()}: {error}") from error
        except OSError as error:
            raise WorkerFull(f"{platform.node()}: {error.strerror}: {error.filename}") from error
