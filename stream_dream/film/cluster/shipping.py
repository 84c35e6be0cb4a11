"""What travels to a machine that shares no disk with us, and what comes back.

Files travel in pieces through Ray's object store, which writes to disk what it has no room for:
neither we nor a worker ever hold more than a piece in memory.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.film.chunk import Task
from stream_dream.film.cluster.segment import Segment
from stream_dream.film.files import sync_folder, unwritable
from stream_dream.film.reading import Excerpt
from stream_dream.film.records import ChunkFiles, Record
from stream_dream.settings import named_files

_PIECE = 32 << 20

Put = Callable[[bytes], Any]
"""Gives bytes to Ray, and returns a reference to them."""

Get = Callable[[Any], bytes]
"""Returns the bytes that a reference stands for."""


class Damaged(Exception):
    """A file that did not arrive as it was sent."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file on its way.

    Attributes:
        name: Its name, without the folder.
        sha256: Of all of it.
        pieces: References to its pieces, in order.
    """

    name: str
    sha256: str
    pieces: tuple[Any, ...]

    @classmethod
    def of(cls, path: Path, put: Put) -> Shipped:
        """Send a file."""
        found = hashlib.sha256()
        pieces = []
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
                pieces.append(put(piece))
        return cls(path.name, found.hexdigest(), tuple(pieces))

    def write(self, path: Path, get: Get) -> None:
        """Write it to the disk, whole or not at all.

        Raises:
            Damaged: It is not what was sent.
        """
        # A name of its own: another process may be writing the same file.
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        found = hashlib.sha256()
        try:
            with part.open("wb") as file:
                for piece in self.pieces:
                    data = get(piece)
                    found.update(data)
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if found.hexdigest() != self.sha256:
                raise Damaged(f"{self.name} was damaged on its way")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Shipment:
    """A chunk on its way to a worker.

    Attributes:
        task: The task, pickled, without any path that means something elsewhere.
        files: The files that its settings name, by setting.
        segment: The source of the chunk.
        untagged_yuv: What ``Probe`` says of the source that the segment was copied from.
        state: The state of the dream before the chunk; None where a shot begins.
    """

    task: bytes
    files: dict[str, Shipped]
    segment: Shipped
    untagged_yuv: bool
    state: Shipped | None

    def unpack(self, folder: Path, kept: Path, get: Get) -> Task | None:
        """Make a task that a worker can work on.

        Args:
            folder: An empty folder for the chunk.
            kept: A folder for what the next chunk needs as well.
            get: Fetches pieces.

        Returns:
            The task; None if the segment does not have the chunk's frames.
        """
        task: Task = pickle.loads(self.task)
        path = folder / self.segment.name
        self.segment.write(path, get)
        segment = Segment.find(path, task.chunk, task.source, untagged_yuv=self.untagged_yuv)
        if segment is None:
            return None
        if self.state is not None:
            self.state.write(ChunkFiles(folder, task.chunk.number - 1).state, get)
        paths = {name: _kept(file, kept, get) for name, file in self.files.items()}
        return replace(_with_paths(task, paths), source=segment, folder=folder)


@dataclass(frozen=True, slots=True)
class Sent:
    """A finished chunk on its way back.

    Attributes:
        record: Its record.
        picture: The encoded frames.
        state: The state after the last one; None where the shot ends.
    """

    record: Record
    picture: Shipped
    state: Shipped | None

    @classmethod
    def of(cls, record: Record, folder: Path, put: Put) -> Sent:
        """Send what a worker has made."""
        files = ChunkFiles(folder, record.number)
        state = None if record.state is None else Shipped.of(files.state, put)
        return cls(record, Shipped.of(files.picture, put), state)

    def unpack(self, folder: Path, get: Get) -> Record:
        """Write the files of the chunk to the folder of the job, and return its record.

        Raises:
            SinkError: They cannot be written.
            Damaged: They are not what was sent.
        """
        files = ChunkFiles(folder, self.record.number)
        try:
            if self.state is not None:
                self.state.write(files.state, get)
            self.picture.write(files.picture, get)
            sync_folder(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
        return self.record


class Packer:
    """Packs what the chunks of one film need; what all of them need is sent once."""

    def __init__(self, put: Put) -> None:
        """Send nothing yet."""
        self._put = put
        self._files: dict[str, Shipped] | None = None

    def pack(self, task: Task, segment: Path, *, untagged_yuv: bool) -> Shipment:
        """Pack a chunk.

        Raises:
            SettingsError: A file that is needed cannot be read.
        """
        if self._files is None:
            self._files = dict(self._sent(task))
        before = ChunkFiles(task.folder, task.chunk.number - 1).state
        return Shipment(
            task=pickle.dumps(bare(task)),
            files=self._files,
            segment=Shipped.of(segment, self._put),
            untagged_yuv=untagged_yuv,
            state=Shipped.of(before, self._put) if task.chunk.continues else None,
        )

    def _sent(self, task: Task) -> Iterator[tuple[str, Shipped]]:
        for name, path in named_files(task.dream, task.output).items():
            try:
                yield name, Shipped.of(path, self._put)
            except OSError as error:
                raise SettingsError(
                    f"{name} {path} cannot be sent to the cluster: {error.strerror}"
                ) from error


def bare(task: Task) -> Task:
    """Return a task in which only names are left of all paths."""
    names = {name: Path(path.name) for name, path in named_files(task.dream, task.output).items()}
    source = Excerpt(Path(task.source.path.name), task.source.first, task.source.fps, None)
    task = replace(task, source=source, target=Path(task.target.name), folder=Path())
    return _with_paths(task, names)


def _with_paths(task: Task, paths: dict[str, Path]) -> Task:
    """Put paths into the settings that name files."""
    changes: dict[str, Any] = {
        name: str(path) if name == "network" else path for name, path in paths.items()
    }
    known = type(task.dream).model_fields
    dreamed = {name: value for name, value in changes.items() if name in known}
    written = {name: value for name, value in changes.items() if name not in known}
    return replace(
        task,
        dream=task.dream.model_copy(update=dreamed),
        output=task.output.model_copy(update=written),
    )


def _kept(file: Shipped, folder: Path, get: Get) -> Path:
    """Return the path of a file that is fetched once."""
    path = folder / file.sha256[:32] / file.name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        file.write(path, get)
    return path
