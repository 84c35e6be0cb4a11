"""What runs on the machines of a Ray cluster."""

from __future__ import annotations

import os
import platform
import tempfile
import threading
from pathlib import Path

import ray

from stream_dream.errors import DiskFull, SettingsError
from stream_dream.film.cluster.shipping import Shelf, Shipped, with_files
from stream_dream.film.execution.chunk_task import ChunkDreamer, ChunkTask
from stream_dream.film.job.chunk_record import ChunkFiles, ChunkRecord
from stream_dream.film.job.job_file import versions
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


class Worker:
    """A process of the cluster that dreams chunks, and keeps the network for the next ones."""

    def __init__(self, seats: int) -> None:
        """Start with nothing.

        Args:
            seats: How many chunks it may be given at a time: their frames are dreamed in one call.
        """
        # What Ray sets aside of a graphics processor is not all of it.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        self._dreamer = ChunkDreamer(seats)
        self._lock = threading.Lock()
        self._shelf: Shelf | None = None

    def begin(self, wanted: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        """Return which machine this is, what Ray calls it, and what is installed here.

        Args:
            wanted: What is installed where the film is rendered.

        Raises:
            SettingsError: It is another version of this package, to which tasks mean other things.
        """
        here, name = versions(), "stream-dream"
        if here[name] != wanted[name]:
            raise SettingsError(
                f"{platform.node()} has {name} {here[name]}, the film is rendered with "
                f"{wanted[name]}: install the same on all machines"
            )
        return platform.node(), ray.get_runtime_context().get_node_id(), here

    def dream(self, task: ChunkTask, sizes: dict[str, int]) -> ChunkRecord:
        """Dream a chunk on a disk that we share.

        Args:
            task: The chunk.
            sizes: How large the files are that have to be there, by path.
        """
        for path, size in sizes.items():
            try:
                same = Path(path).stat().st_size == size
            except OSError:
                same = False
            if not same:
                raise Unseen(path, platform.node(), size)
        return self._dreamer.dream(task, _ignore)

    def dream_shipped(
        self, task: ChunkTask, film: str, files: dict[str, Shipped], state: Shipped | None
    ) -> tuple[ChunkRecord, list[Shipped]]:
        """Dream a chunk of which all that is needed was sent; return its files, too.

        Args:
            task: The chunk, with paths that mean something elsewhere.
            film: What tells its film from others.
            files: The source, and what settings name, as ``files_of`` calls them.
            state: The state of the dream before the chunk; None where a shot begins.
        """
        try:
            with self._lock:
                shelf = self._shelf = self._shelf or Shelf(film)
            paths = {name: shelf.keep(name, file, ray.get) for name, file in files.items()}
            with tempfile.TemporaryDirectory(dir=shelf.folder, ignore_cleanup_errors=True) as name:
                folder = Path(name)
                if state is not None:
                    state.write(folder, ray.get)
                record = self._dreamer.dream(with_files(task, paths, folder), _ignore)
                made = ChunkFiles(folder, record.number)
                whole = [made.picture] if record.state is None else [made.state, made.picture]
                return record, [Shipped.of(path, ray.put) for path in whole]
        except DiskFull as error:
            raise WorkerFull(f"{platform.node()}: {error}") from error
        except OSError as error:
            raise WorkerFull(f"{platform.node()}: {error.strerror}: {error.filename}") from error


def _ignore(report: FrameReport) -> None:
    """Count no frames: what is done of a chunk is known when it is finished."""
