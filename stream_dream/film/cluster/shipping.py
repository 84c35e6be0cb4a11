"""What travels to a machine that shares no disk with us, and what comes back.

Files travel in parts through Ray's object store, which writes to disk what it has no room for:
neither we nor a worker ever hold more than a part in memory. On each machine the files of a film
lie once, in a temporary folder that its workers share.
"""

from __future__ import annotations

import atexit
import getpass
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.job.durable_files import sync_folder, unwritable
from stream_dream.film.job.job_file import job_file
from stream_dream.settings.fields import named_files

_PART = 32 << 20
_SOURCE = "source"
_LOCK, _HELD = "lock", ".held"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file on its way.

    Attributes:
        name: Its name, without the folder.
        parts: References to its parts, in order.
    """

    name: str
    parts: tuple[Any, ...]

    @classmethod
    def of(cls, path: Path, put: Callable[[bytes], Any]) -> Shipped:
        """Send a file; what is called with each part returns a reference to it."""
        parts = []
        with path.open("rb") as file:
            while part := file.read(_PART):
                parts.append(put(part))
        return cls(path.name, tuple(parts))

    def write(self, folder: Path, get: Callable[[Any], bytes]) -> Path:
        """Write it to a folder, whole or not at all; return its path."""
        path = folder / self.name
        # A name of its own: a worker that was given up may still be at the same file.
        whole = path.with_name(f"{self.name}.{uuid.uuid4().hex}.part")
        try:
            with whole.open("wb") as file:
                for part in self.parts:
                    file.write(get(part))
                file.flush()
                os.fsync(file.fileno())
            whole.replace(path)
        finally:
            whole.unlink(missing_ok=True)
        return path


def files_of(task: ChunkTask) -> dict[str, Path]:
    """Return the files that all chunks of a film need: the source, and what settings name."""
    return {_SOURCE: task.source.path, **named_files(task.dream, task.output)}


def sizes(task: ChunkTask) -> dict[str, int]:
    """Return the sizes of the files that a worker on a disk that we share has to see, by path."""
    needed = (job_file(task.folder), *files_of(task).values())
    return {os.path.abspath(path): path.stat().st_size for path in needed}


def with_files(task: ChunkTask, paths: Mapping[str, Path], folder: Path) -> ChunkTask:
    """Return a task whose files, by what ``files_of`` calls them, and whose folder are others."""
    named = {
        name: str(path) if name == "network" else path
        for name, path in paths.items()
        if name != _SOURCE
    }
    dreamed = {name: path for name, path in named.items() if name in type(task.dream).model_fields}
    written = {name: path for name, path in named.items() if name not in dreamed}
    return replace(
        task,
        source=replace(task.source, path=paths[_SOURCE]),
        dream=task.dream.model_copy(update=dreamed),
        output=task.output.model_copy(update=written),
        folder=folder,
    )


def unpack(files: list[Shipped], folder: Path, get: Callable[[Any], bytes]) -> None:
    """Write the files of a chunk to the folder of its job.

    Raises:
        SinkError: They cannot be written.
    """
    try:
        for file in files:
            file.write(folder, get)
        sync_folder(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


class Shelf:
    """A folder for files of one film; it goes with the last process that holds it.

    Attributes:
        folder: The folder.
    """

    def __init__(self, name: str) -> None:
        """Hold the folder, and make it if nobody else does.

        Args:
            name: What tells the film from others.
        """
        around = _around()
        around.mkdir(mode=0o700, exist_ok=True)
        self.folder = around / name
        with FileLock(around / _LOCK):
            _sweep(around)
            self.folder.mkdir(exist_ok=True)
            self._held = FileLock(self.folder / f"{os.getpid()}{_HELD}")
            self._held.acquire()
        atexit.register(self.close)

    def keep(self, name: str, file: Shipped, get: Callable[[Any], bytes]) -> Path:
        """Return where a file lies that was sent; who needs it first fetches it for all.

        Args:
            name: What tells it from others of the film.
            file: The file.
            get: Fetches a part.
        """
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with FileLock(folder / _LOCK):
            path = folder / file.name
            return path if path.exists() else file.write(folder, get)

    def close(self) -> None:
        """Let go of the folder."""
        self._held.release()
        sweep()


def sweep() -> None:
    """Remove the folders that nobody holds, as those of processes that were killed."""
    around = _around()
    if around.is_dir():
        with FileLock(around / _LOCK):
            _sweep(around)


def _around() -> Path:
    return Path(tempfile.gettempdir(), f"stream-dream-{getpass.getuser()}")


def _sweep(around: Path) -> None:
    for folder in around.iterdir():
        if folder.is_dir() and not any(_is_held(path) for path in folder.glob(f"*{_HELD}")):
            shutil.rmtree(folder, ignore_errors=True)


def _is_held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
