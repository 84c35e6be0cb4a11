"""What travels to a machine that shares no disk with us, and what comes back.

Files travel in parts through Ray's object store, which writes to disk what it has no room for:
neither we nor a worker ever hold more than a part in memory.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stream_dream.film.chunk import Task
from stream_dream.settings import named_files

_PART = 32 << 20
_SOURCE = "source"


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


def files_of(task: Task) -> dict[str, Path]:
    """Return the files that all chunks of a film need: the source, and what settings name."""
    return {_SOURCE: task.source.path, **named_files(task.dream, task.output)}


def with_files(task: Task, paths: Mapping[str, Path], folder: Path) -> Task:
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
