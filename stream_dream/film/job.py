"""The folder beside the output that holds a render in the making."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from stream_dream.errors import SettingsError, SinkError, SourceError
from stream_dream.film.files import fingerprint, unwritable, write_json
from stream_dream.film.joining import CHUNK_LIST
from stream_dream.film.placing import PLACING, placed_as
from stream_dream.film.plan import Plan
from stream_dream.film.records import Record
from stream_dream.media.target import beside, followed
from stream_dream.settings import DreamSettings, OutputSettings, added_later, named_files

_VERSION = 1
_JOB, _LOCK = "job.json", "lock"
# Pictures, states and records.
_OF_CHUNKS = re.compile(r"\d{6,}\.(mp4|npz|json)")
# What the picture may depend on, if only in its last bits.
_LIBRARIES = ("stream-dream", "tensorflow", "keras", "opencv-python", "imageio-ffmpeg")


@dataclass(frozen=True, slots=True)
class Job:
    """A render that has a plan.

    Attributes:
        source: The film, absolute.
        dream: How it is dreamed.
        output: What is rendered, and how it is written.
        chunk_seconds: How long a chunk is at the most.
        plan: Its chunks.
        versions: Of what it was begun with.
        files: Fingerprints of the film, and of the files that the settings name.
        key: What the records of its chunks know it by.
    """

    source: Path
    dream: DreamSettings
    output: OutputSettings
    chunk_seconds: float
    plan: Plan
    versions: dict[str, str]
    files: dict[str, Any]
    key: str

    @classmethod
    def of(
        cls,
        source: Path,
        dream: DreamSettings,
        output: OutputSettings,
        chunk_seconds: float,
        plan: Plan,
    ) -> Self:
        """Describe a render that begins now. Raises ``SourceError``."""
        files = _fingerprints(source, dream, output)
        known = (source.absolute(), dream, output, chunk_seconds, plan, versions(), files)
        return cls(*known, uuid.uuid4().hex)

    def write(self, folder: Path) -> None:
        """Write it down in its folder. Raises ``SinkError``."""
        data = {
            "version": _VERSION,
            "made_with": self.versions,
            "source": str(self.source),
            "files": self.files,
            "dream": self.dream.model_dump(mode="json"),
            "output": self.output.model_dump(mode="json"),
            "chunk_seconds": self.chunk_seconds,
            "plan": self.plan.to_json(),
            "key": self.key,
        }
        try:
            write_json(folder / _JOB, data)
        except OSError as error:
            raise unwritable(folder, error) from error

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what was written down.

        Raises:
            SettingsError: It cannot be read.
        """
        path = folder / _JOB
        data: Any = None
        try:
            data = json.loads(path.read_text("utf-8"))
            if data["version"] != _VERSION:
                raise ValueError(f"its version is {data['version']}, expected {_VERSION}")
            return cls(
                source=Path(data["source"]),
                dream=DreamSettings.model_validate(data["dream"]),
                output=OutputSettings.model_validate(data["output"]),
                chunk_seconds=float(data["chunk_seconds"]),
                plan=Plan.from_json(data["plan"]),
                versions=dict(data["made_with"]),
                files=dict(data["files"]),
                key=str(data["key"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            other = _other_version(data)
            if other is not None:
                raise SettingsError(
                    f"{folder} was begun with stream_dream {other}, and this version knows other "
                    f"settings: continue with that one, or delete {folder} to begin anew"
                ) from error
            raise SettingsError(
                f"{path} is damaged ({error}), nothing in the folder can be used without it: "
                f"delete {folder} to begin anew"
            ) from error

    def refuse_other(
        self, folder: Path, source: Path, dream: DreamSettings, output: OutputSettings
    ) -> None:
        """Refuse to go on with other frames than the render was begun with.

        Files may have moved: what is in them counts. What is added later may be another.

        Raises:
            SettingsError: With what differs.
        """
        differences = self._differences(source, dream, output)
        if differences:
            raise SettingsError(
                f"{folder} was begun otherwise: {'; '.join(differences)}. Give the same again, or "
                "delete the folder to begin anew"
            )

    def _differences(self, source: Path, dream: DreamSettings, output: OutputSettings) -> list[str]:
        files = _fingerprints(source, dream, output)
        found = []
        for before, now in ((self.dream, dream), (self.output, output)):
            later = added_later(now)
            for name in type(before).model_fields:
                was, wanted = getattr(before, name), getattr(now, name)
                same = was == wanted or name in later or (name in files and name in self.files)
                if not same:
                    found.append(f"{name.replace('_', '-')} was {_text(was)}, not {_text(wanted)}")
        both = [name for name in files if name in self.files]
        changed = [name for name in both if files[name] != self.files[name]]
        return found + [f"the {name} was another file than it is now" for name in changed]


def folder_of(target: Path) -> Path:
    """Return the folder in which a render to this name is made, on the disk of the result."""
    return beside(followed(target), ".dream")


def job_file(folder: Path) -> Path:
    """Return the file that describes the render in a folder."""
    return folder / _JOB


def has_job(folder: Path) -> bool:
    """Return whether a render was begun in a folder."""
    return (folder / _JOB).exists()


def finished(folder: Path, job: Job) -> dict[int, Record]:
    """Return the records of the chunks that say they are finished, by number."""
    key = job.key
    records = (Record.read(folder, chunk, key) for chunk in job.plan.chunks)
    return {record.number: record for record in records if record is not None}


def clear_parts(folder: Path) -> None:
    """Remove what a run that was killed has left half done. Raises ``SinkError``."""
    try:
        for path in folder.iterdir():
            if ".part" in path.suffixes:
                _remove(path)
    except OSError as error:
        raise unwritable(folder, error) from error


def remove_job(folder: Path) -> None:
    """Remove what belongs to a job, all but the lock, and nothing else.

    A run killed meanwhile can be continued, and finds nothing to do. Raises ``OSError``.
    """
    for path in folder.iterdir():
        if _OF_CHUNKS.fullmatch(path.name) or path.name == CHUNK_LIST or ".part" in path.suffixes:
            _remove(path)
    (folder / _JOB).unlink(missing_ok=True)
    (folder / PLACING).unlink(missing_ok=True)


def _is_rest(path: Path) -> bool:
    """Return whether a file is what a run leaves that has not begun a job."""
    return path.name in (_LOCK, PLACING) or ".part" in path.suffixes


def _remove_rest(folder: Path) -> None:
    """Remove what a run leaves that has no job, and nothing else."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _is_rest(path):
                _remove(path)
        folder.rmdir()


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Make the folder of a job where there is none, and keep other processes out of it.

    Where there is no job in it at the end, it goes again.

    Raises:
        SinkError: It cannot be made, or another process is working in it.
    """
    lock = FileLock(folder / _LOCK)
    try:
        folder.mkdir(exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        raise _in_use(folder) from None
    except OSError as error:
        raise SinkError(f"{folder} cannot be written: {error.strerror}", exit_code=2) from error
    try:
        _refuse_foreign(folder)
        yield
    finally:
        if not has_job(folder):
            _remove_rest(folder)
        lock.release()
        if os.name == "nt" and not has_job(folder):  # which keeps files that are open
            _remove_rest(folder)


def refuse_left_over(folder: Path, target: Path) -> None:
    """Refuse to begin where another render was begun.

    Raises:
        SinkError: With what to do about it.
    """
    if not folder.is_dir():
        return
    _refuse_foreign(folder)
    try:
        if (folder / _LOCK).exists():
            FileLock(folder / _LOCK).acquire(blocking=False).lock.release()
    except Timeout:
        raise _in_use(folder) from None
    except OSError as error:
        raise SinkError(f"{folder} cannot be written: {error.strerror}", exit_code=2) from error
    if not has_job(folder):
        return
    if placed_as(folder, target):
        raise SinkError(
            f"{folder} holds the chunks of {target}, which is finished: --resume removes it",
            exit_code=2,
        )
    raise SinkError(
        f"{folder} holds a render that was begun and not finished: continue it with --resume, or "
        "delete it",
        exit_code=2,
    )


def _in_use(folder: Path) -> SinkError:
    return SinkError(f"{folder} is in use: another render is working in it", exit_code=2)


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder in which somebody else has put something. Raises ``SinkError``."""
    if not has_job(folder) and any(not _is_rest(path) for path in folder.iterdir()):
        raise SinkError(
            f"{folder} holds files but no {_JOB}, so nothing tells what they belong to: move "
            "them elsewhere",
            exit_code=2,
        )


def versions() -> dict[str, str]:
    """Return the versions of what a picture may depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # installed under another name, such as a headless build
            found[name] = "unknown"
    return found


def _fingerprints(
    source: Path, dream: DreamSettings, output: OutputSettings
) -> dict[str, dict[str, Any]]:
    """Compute the fingerprints of the source, and of each file that a setting names."""
    files = {"source": source} | named_files(dream, output)
    try:
        return {name: fingerprint(path) for name, path in files.items() if path.is_file()}
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from error


def _other_version(data: Any) -> str | None:
    """Return which other version of this package has written a job; None if it was this one."""
    with suppress(KeyError, TypeError):
        there = str(data["made_with"]["stream-dream"])
        return None if there == versions()["stream-dream"] else there
    return None


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
