"""The folder beside the target that holds a render in the making."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from stream_dream.errors import SettingsError, SinkError
from stream_dream.film.job.chunk_record import ChunkFiles, ChunkRecord
from stream_dream.film.job.durable_files import unwritable
from stream_dream.film.job.job_file import FilmJob, job_file
from stream_dream.film.job.publish import Placing
from stream_dream.film.request import RenderRequest
from stream_dream.media.write.finalize import remove
from stream_dream.media.write.output_paths import beside, followed

_LOCK, _PLACING, _CHUNK_LIST = "lock", "placing.json", "chunks.ffconcat"
_OF_CHUNKS = re.compile(r"\d{6,}\.(mp4|npz|json)")


class JobFolder:
    """A folder on the disk of the result, whose layout nobody else knows.

    ``lock`` is held by the run that works in it, ``job.json`` tells what is rendered, and
    ``placing.json`` which name the result gets. ``000000.mp4``, ``000000.npz`` and ``000000.json``
    are the frames of a chunk, the state behind them and its record, ``chunks.ffconcat`` is the list
    of all chunks. What has ``.part`` in its name is not complete.

    Attributes:
        target: The name of the result.
        path: The folder.
        placing: What is known of the result.
    """

    def __init__(self, target: Path) -> None:
        """Find the folder of a render to this name; it is not made."""
        self.target = target
        self.path = beside(followed(target), ".dream")
        self.placing = Placing(self.path / _PLACING, target)
        self._lock = FileLock(self.path / _LOCK)

    @property
    def has_job(self) -> bool:
        """True if a render was begun in it."""
        return job_file(self.path).exists()

    @property
    def chunk_list(self) -> Path:
        """The list of all chunks that ffmpeg reads."""
        return self.path / _CHUNK_LIST

    def chunk(self, number: int) -> ChunkFiles:
        """Return where the files of a chunk are."""
        return ChunkFiles(self.path, number)

    def begin(self, job: FilmJob) -> None:
        """Write a job down. Raises ``SinkError``."""
        self.placing.forget()  # of a job whose removal was cut short
        job.write(self.path)

    def job_of(self, request: RenderRequest) -> FilmJob:
        """Read the job that was begun.

        Raises:
            SettingsError: It cannot be read, or its frames are others than those asked for.
        """
        job = FilmJob.read(self.path)
        differences = job.differences(request)
        if differences:
            raise SettingsError(
                f"{self.path} was begun otherwise: {'; '.join(differences)}. Give the same again, "
                "or delete the folder to begin anew"
            )
        return job

    def keep(self, record: ChunkRecord, job: FilmJob) -> None:
        """Write down that a chunk is finished. Raises ``SinkError``."""
        record.write(self.path, job.key)

    def records(self, job: FilmJob) -> dict[int, ChunkRecord]:
        """Return the records of the chunks that say they are finished, by number."""
        found = (ChunkRecord.read(self.path, chunk, job.key) for chunk in job.plan.chunks)
        return {record.number: record for record in found if record is not None}

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make it where it is not there, and keep other processes out of it.

        Where there is no job in it at the end, it goes again.

        Raises:
            SinkError: It cannot be made, or another process is working in it.
        """
        with self._refusing():
            self.path.mkdir(exist_ok=True)
            self._lock.acquire(blocking=False)
        try:
            self._refuse_foreign()
            yield
        finally:
            if not self.has_job:
                self._remove_rest()
            self._lock.release()
            if os.name == "nt" and not self.has_job:  # which keeps files that are open
                self._remove_rest()

    def refuse_left_over(self) -> None:
        """Refuse to begin where another render was begun.

        Raises:
            SinkError: With what to do about it.
        """
        if not self.path.is_dir():
            return
        self._refuse_foreign()
        with self._refusing():
            if (self.path / _LOCK).exists():
                self._lock.acquire(blocking=False)
                self._lock.release()
        if not self.has_job:
            return
        if self.placing.whole:
            problem = f"the chunks of {self.target}, which is finished: --resume removes it"
        else:
            problem = (
                "a render that was begun and not finished: continue it with --resume, or delete it"
            )
        raise SinkError(f"{self.path} holds {problem}", exit_code=2)

    def clear_parts(self) -> None:
        """Remove what a run that was killed has left half done. Raises ``SinkError``."""
        try:
            for path in self.path.iterdir():
                if _is_part(path):
                    remove(path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def remove(self) -> None:
        """Remove what belongs to a job, all but the lock, and nothing else.

        A run killed meanwhile can be continued, and finds nothing to do. Raises ``OSError``.
        """
        for path in self.path.iterdir():
            if _OF_CHUNKS.fullmatch(path.name) or path.name == _CHUNK_LIST or _is_part(path):
                remove(path)
        job_file(self.path).unlink(missing_ok=True)
        self.placing.forget()

    def _remove_rest(self) -> None:
        """Remove what a run leaves that has no job, and nothing else."""
        with suppress(OSError):
            for path in self.path.iterdir():
                if _is_rest(path):
                    remove(path)
            self.path.rmdir()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except Timeout:
            raise SinkError(
                f"{self.path} is in use: another render is working in it", exit_code=2
            ) from None
        except OSError as error:
            raise SinkError(
                f"{self.path} cannot be written: {error.strerror}", exit_code=2
            ) from error

    def _refuse_foreign(self) -> None:
        """Refuse a folder in which somebody else has put something. Raises ``SinkError``."""
        if not self.has_job and any(not _is_rest(path) for path in self.path.iterdir()):
            raise SinkError(
                f"{self.path} holds files but no job.json, so nothing tells what they belong to: "
                "move them elsewhere",
                exit_code=2,
            )


def _is_part(path: Path) -> bool:
    return ".part" in path.suffixes


def _is_rest(path: Path) -> bool:
    """Return whether a file is what a run leaves that has not begun a job."""
    return path.name in (_LOCK, _PLACING) or _is_part(path)
