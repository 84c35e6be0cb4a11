"""Sends chunks to the workers of a cluster, and takes what comes back."""

from __future__ import annotations

import os
import pickle
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.errors import SettingsError, SourceError
from stream_dream.film.chunk import Task
from stream_dream.film.cluster.segment import copy_packets, encode_losslessly
from stream_dream.film.cluster.shipping import Get, Packer, Put
from stream_dream.film.files import unwritable
from stream_dream.film.job import job_file, versions
from stream_dream.media.opening import probe_video
from stream_dream.settings import named_files

if TYPE_CHECKING:
    from stream_dream.film.cluster.worker import Order, Outcome

# Encoding takes all cores, and what is encoded waits in memory for a moment.
_PACKED_AT_A_TIME = 2
# So often a copy of packets may turn out to be of no use before none is made any more.
_MISSES = 3


@dataclass(frozen=True, slots=True)
class Line:
    """The connection to the worker that gets a chunk.

    Attributes:
        key: What the chunk is called in the tally.
        tally: The tally: a handle of Ray's.
        ask: Sends an order and waits for its outcome.
        put: Gives bytes to Ray.
        get: Takes bytes from Ray.
    """

    key: str
    tally: Any
    ask: Callable[[Order], Outcome]
    put: Put
    get: Get


class ByPath:
    """Tells workers where to find the source, and the folder of the job."""

    def dream(self, task: Task, line: Line) -> Outcome:
        """Dream a chunk on the cluster; its files are in the folder when this returns."""
        from stream_dream.film.cluster.worker import Order

        source = replace(task.source, path=task.source.path.absolute())
        task = replace(task, source=source)
        order = Order(line.key, line.tally, versions(), pickle.dumps(task), _sizes(task))
        return line.ask(order)


class ByShipment:
    """Sends workers all that they need.

    Of the source they get the encoded pictures around the chunk. Where that does not give the same
    frames, as checksums tell the worker, they get the frames themselves, encoded without loss: of
    720p, 18 megabytes for a second instead of 0.5 (measured).
    """

    def __init__(self) -> None:
        """Send nothing yet."""
        self._packing = threading.Semaphore(_PACKED_AT_A_TIME)
        self._packer: Packer | None = None
        self._misses = 0

    def dream(self, task: Task, line: Line) -> Outcome:
        """Dream a chunk on the cluster; its files are in the folder when this returns.

        Raises:
            SourceError: The source cannot be read, or is not what it was.
            SinkError: The folder cannot be written.
            SettingsError: A file that a setting names cannot be read.
        """
        for lossless in (False, True):
            order = self._order(task, line, lossless=lossless)
            outcome = None if order is None else line.ask(order)
            if outcome is not None and outcome.sent is not None:
                outcome.sent.unpack(task.folder, line.get)
                return outcome
            self._misses += not lossless
        raise SourceError(f"{task.source.path} could not be sent to a worker as it is")

    def _order(self, task: Task, line: Line, *, lossless: bool) -> Order | None:
        """Pack a chunk; None where that is of no use."""
        from stream_dream.film.cluster.worker import Order

        source = probe_video(task.source.path)
        # What is copied is decoded by OpenCV.
        useless = self._misses >= _MISSES or source.why_ffmpeg is not None
        if not lossless and useless:
            return None
        name = f"{task.chunk.number:06d}.{uuid.uuid4().hex}.part"
        path = task.folder.absolute() / name
        with self._packing:
            try:
                if self._packer is None:
                    self._packer = Packer(line.put)
                if lossless:
                    encode_losslessly(task.source, task.chunk, path, task.info)
                elif not copy_packets(task.source, task.chunk, path, starts_at=source.video_start):
                    return None
                untagged = source.untagged_yuv and not lossless
                shipment = self._packer.pack(task, path, untagged_yuv=untagged)
            except OSError as error:
                raise unwritable(task.folder, error) from error
            finally:
                path.unlink(missing_ok=True)
        return Order(line.key, line.tally, versions(), shipment=shipment)


def unseen(path: Path, machine: str, size: int) -> SettingsError | SourceError:
    """Say that a machine does not see a file as it was here, so many bytes long."""
    try:
        here = path.stat().st_size
    except OSError:
        return SourceError(f"{path} does not exist any more: put it back")
    if here != size:
        return SourceError(f"{path} has changed while it was used: put back what it was")
    return SettingsError(
        f"{machine} does not see {path} as it is here: put it on a disk that all machines share, "
        "under the same path, or give --ship"
    )


def _sizes(task: Task) -> dict[str, int]:
    """Return the sizes of the files that a worker has to see, by path."""
    named = named_files(task.dream, task.output).values()
    try:
        return {
            os.path.abspath(path): path.stat().st_size
            for path in (task.source.path, job_file(task.folder), *named)
        }
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from error
