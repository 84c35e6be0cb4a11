"""Transfers files to machines that share no disk with this one, and back.

Files are sent in parts through Ray's object store, which spills to disk: no process holds more than
one part in memory. On each machine the files of a film are stored once, in a temporary folder that
its workers share.
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
from stream_dream.settings.fields import named_files, with_paths

_PART = 32 << 20
_SOURCE = "source"
_LOCK, _HELD = "lock", ".held"


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file in Ray's object store.

    Attributes:
        name: File name without the folder.
        parts: References to its parts, in order.
    """

    name: str
    parts: tuple[Any, ...]

    @classmethod
    def of(cls, path: Path, put: Callable[[bytes], Any]) -> Shipped:
        """Send a file; ``put`` stores each part and returns a reference to it."""
        parts = []
        with path.open("rb") as file:
            while part := file.read(_PART):
                parts.append(put(part))
        return cls(path.name, tuple(parts))

    def write(self, folder: Path, get: Callable[[Any], bytes]) -> Path:
        """Write the file to a folder atomically; return its path."""
        path = folder / self.name
        # A unique name: an abandoned worker may still be writing the same file.
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
    """Return the files that all chunks of a film need: the source, and those named in settings."""
    return {_SOURCE: task.source.path, **task.program.files, **named_files(task.output)}


def sizes(task: ChunkTask) -> dict[str, int]:
    """Return the sizes in bytes, by path, of the files that a worker needs on a shared disk."""
    needed = (job_file(task.folder), *files_of(task).values())
    return {os.path.abspath(path): path.stat().st_size for path in needed}


def with_files(task: ChunkTask, paths: Mapping[str, Path], folder: Path) -> ChunkTask:
    """Return a task with other paths, by their keys in ``files_of``, and another folder."""
    return replace(
        task,
        source=replace(task.source, path=paths[_SOURCE]),
        program=task.program.with_files(paths),
        output=with_paths(task.output, paths),
        folder=folder,
    )


def unpack(files: list[Shipped], folder: Path, get: Callable[[Any], bytes]) -> None:
    """Write the files of a chunk to the folder of its job. Raises ``SinkError``."""
    try:
        for file in files:
            file.write(folder, get)
        sync_folder(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


class NodeFolder:
    """A temporary folder for the files of one film, removed with the last process that holds it."""

    def __init__(self, name: str) -> None:
        """Hold the folder of the film with this unique id; create it if needed."""
        around = _base_folder()
        around.mkdir(mode=0o700, exist_ok=True)
        self.folder = around / name
        with FileLock(around / _LOCK):
            _sweep(around)
            self.folder.mkdir(exist_ok=True)
            self._held = FileLock(self.folder / f"{os.getpid()}{_HELD}")
            self._held.acquire()
        atexit.register(self.close)

    def keep(self, name: str, file: Shipped, get: Callable[[Any], bytes]) -> Path:
        """Return the path of a shipped file; the first process to need it fetches it for all.

        ``name`` is the file's key in ``files_of``; ``get`` fetches a part.
        """
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with FileLock(folder / _LOCK):
            path = folder / file.name
            return path if path.exists() else file.write(folder, get)

    def close(self) -> None:
        """Release the folder."""
        self._held.release()
        sweep()


def sweep() -> None:
    """Remove the folders that no process holds, such as those of killed processes."""
    around = _base_folder()
    if around.is_dir():
        with FileLock(around / _LOCK):
            _sweep(around)


def _base_folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    return Path(tempfile.gettempdir(), f"stream-dream-{user}")


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
