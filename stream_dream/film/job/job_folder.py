"""The folder beside the target that holds a job."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from stream_dream.errors import SettingsError, SinkError
from stream_dream.film.job.chunk_record import ChunkFiles, ChunkRecord
from stream_dream.film.job.durable_files import unwritable
from stream_dream.film.job.job_file import FilmJob, job_file
from stream_dream.film.job.publish import Placing
from stream_dream.film.request import RenderRequest
from stream_dream.frame import MatteKind
from stream_dream.media.write.finalize import remove
from stream_dream.media.write.output_paths import beside, followed

_LOCK, _PLACING, CHUNK_LIST = "lock", "placing.json", "chunks.ffconcat"
_PLACINGS = "placing*.json"
_OF_CHUNKS = re.compile(r"\d{6,}\.(mp4|npz|json)")
_SOUND = "sound-*.npz"
_MOST_DIFFERENCES = 4


class JobFolder:
    """The folder of a job.

    ``lock`` is held by the active run. ``job.json`` describes the job, ``placing.json`` the
    published result, ``placing-mask.json`` and ``placing-visibility.json`` those of its mattes.
    ``000000.mp4``, ``000000.npz`` and ``000000.json`` are the frames of a chunk, the state after
    them and its record; ``chunks.ffconcat`` lists all chunks; ``sound-*.npz`` is what was found in
    the sound. Files with ``.part`` in their names are incomplete.

    Attributes:
        target: Path of the result.
        path: The folder, on the same disk as the result.
        placing: The record of the published result.
    """

    def __init__(self, target: Path) -> None:
        """Compute the path of the folder for a target, without creating it."""
        self.target = target
        self.path = beside(followed(target), ".dream")
        self.placing = Placing(self.path / _PLACING, target)
        self._lock = FileLock(self.path / _LOCK)

    @property
    def has_job(self) -> bool:
        """True if the folder contains a job."""
        return job_file(self.path).exists()

    def placings(self, mattes: Mapping[MatteKind, Path]) -> list[Placing]:
        """Return the records of the published result and of its mattes."""
        return [
            self.placing,
            *(Placing(self.path / f"placing-{kind}.json", path) for kind, path in mattes.items()),
        ]

    def has_published(self, mattes: Mapping[MatteKind, Path]) -> bool:
        """Return whether an earlier run of the job has published its result or a matte."""
        placings = self.placings(mattes)
        return self.has_job and any(placing.earlier is not None for placing in placings)

    def chunk(self, number: int) -> ChunkFiles:
        """Return the paths of a chunk's files."""
        return ChunkFiles(self.path, number)

    def begin(self, job: FilmJob) -> None:
        """Write the file of a new job. Raises ``SinkError``."""
        self._forget_placings()  # may be left of a job whose removal was interrupted
        job.write(self.path)

    def job_of(self, request: RenderRequest) -> FilmJob:
        """Read the job. Raises ``SettingsError`` if it is damaged or renders other frames."""
        job = FilmJob.read(self.path)
        differences = job.differences(request)
        if differences:
            left = len(differences) - _MOST_DIFFERENCES
            if left > 0:
                differences[_MOST_DIFFERENCES:] = [f"{left} more differ"]
            raise SettingsError(
                f"{self.path} was begun otherwise: {'; '.join(differences)}. Give the same again, "
                "or delete the folder to begin anew"
            )
        return job

    def records(self, job: FilmJob) -> dict[int, ChunkRecord]:
        """Return the records of the chunks marked as finished, by number."""
        found = (ChunkRecord.read(self.path, chunk, job.key) for chunk in job.plan.chunks)
        return {record.number: record for record in found if record is not None}

    @contextmanager
    def working(self) -> Iterator[None]:
        """Create the folder if needed, and lock it against other processes.

        If it contains no job at the end, it is removed.

        Raises:
            SinkError: It cannot be created, or is locked by another process.
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
            if os.name == "nt" and not self.has_job:  # Windows cannot remove an open lock file
                self._remove_rest()

    def refuse_left_over(self) -> None:
        """Raise ``SinkError`` if the folder holds a job or foreign files, or is in use."""
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
        """Remove incomplete files, left by a killed run. Raises ``SinkError``."""
        try:
            for path in self.path.iterdir():
                if _is_part(path):
                    remove(path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def remove(self) -> None:
        """Remove all files of the job except the lock, and no other files. Raises ``OSError``.

        A run killed meanwhile can be resumed, and finds nothing to do.
        """
        for path in self.path.iterdir():
            made = _OF_CHUNKS.fullmatch(path.name) or path.match(_SOUND)
            if made or path.name == CHUNK_LIST or _is_part(path):
                remove(path)
        job_file(self.path).unlink(missing_ok=True)
        self._forget_placings()

    def _forget_placings(self) -> None:
        for path in self.path.glob(_PLACINGS):
            path.unlink(missing_ok=True)

    def _remove_rest(self) -> None:
        """Remove the folder and what a run without a job leaves in it; other files stay."""
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
        """Refuse a folder with files but no job. Raises ``SinkError``."""
        if not self.has_job and any(not _is_rest(path) for path in self.path.iterdir()):
            raise SinkError(
                f"{self.path} holds files but no job.json, so nothing tells what they belong to: "
                "move them elsewhere",
                exit_code=2,
            )


def _is_part(path: Path) -> bool:
    return ".part" in path.suffixes


def _is_rest(path: Path) -> bool:
    """Return whether a file may be left by a run without a job."""
    return path.name == _LOCK or path.match(_PLACINGS) or _is_part(path)
