"""The job file: plan and settings of a job, stored in its folder."""

from __future__ import annotations

import json
import platform
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from stream_dream.errors import SettingsError, SourceError
from stream_dream.film.job.differences import differences, named_values
from stream_dream.film.job.durable_files import (
    fingerprint,
    fingerprint_of_sequence,
    write_json,
)
from stream_dream.film.plan.plan import Plan
from stream_dream.film.request import RenderRequest
from stream_dream.media.read.sequence import is_sequence, sequence_files
from stream_dream.runtime.plugins import NETWORKS, plugins
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import values_added_later
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.values import EncoderName

_VERSION = 1
# The picture may depend on their versions, if only in its last bits.
_LIBRARIES = (
    "stream-dream",
    "tensorflow",
    "keras",
    "opencv-python",
    "imageio-ffmpeg",
    "numpy",
    "librosa",
)


@dataclass(frozen=True, slots=True)
class FilmJob:
    """A planned render.

    Attributes:
        source: Absolute path of the film.
        dream: Settings of the dream.
        output: What to render and how to write it.
        chunk_seconds: Maximum length of a chunk.
        plan: Its shots and chunks.
        made_with: Versions of Python and libraries, and the machine type, at the start of the job.
        files: Fingerprints of the film and of the files named in settings.
        key: Unique id, repeated in the records of its chunks.
        version: Version of the job file.
        automation: What changes over time.
        encoder: What encodes its chunks: ``output`` may ask for any that works.
        journey: Settings of a journey, which ``source`` begins; None for a film.
    """

    source: Path
    dream: DreamSettings
    output: OutputSettings
    chunk_seconds: float
    plan: Plan
    made_with: dict[str, str]
    files: dict[str, Any]
    key: str
    version: int = _VERSION
    automation: Automation = field(default_factory=Automation)
    encoder: EncoderName = "software"
    journey: JourneySettings | None = None

    @classmethod
    def of(cls, request: RenderRequest, plan: Plan, encoder: EncoderName = "software") -> Self:
        """Create a job with a new key. Raises ``SourceError``."""
        return cls(
            source=request.source.absolute(),
            dream=request.dream,
            output=request.output,
            chunk_seconds=request.film.chunk_seconds,
            plan=plan,
            made_with=versions(),
            files=_fingerprints(request),
            key=uuid.uuid4().hex,
            automation=request.automation,
            encoder=encoder,
            journey=request.journey,
        )

    def write(self, folder: Path) -> None:
        """Write the job file to the job's folder. Raises ``SinkError``."""
        write_json(job_file(folder), _JOB.dump_python(self, mode="json"))

    @classmethod
    def read(cls, folder: Path) -> FilmJob:
        """Read the job file. Raises ``SettingsError`` if damaged or written by another version."""
        path = job_file(folder)
        data: Any = None
        try:
            data = json.loads(path.read_text("utf-8"))
            if data["version"] != _VERSION:
                raise ValueError(f"its version is {data['version']}, expected {_VERSION}")
            return _JOB.validate_python(data)
        except (OSError, ValueError, KeyError, TypeError) as error:
            other = _other_version(data)
            if other is not None:
                raise SettingsError(
                    f"{folder} was begun with stream_dream {other}, and this version knows other "
                    f"settings: continue with that one, or delete {folder} to begin anew"
                ) from error
            problem = " ".join(str(error).split())  # pydantic writes several lines
            raise SettingsError(
                f"{path} is damaged ({problem}), nothing in the folder can be used without it: "
                f"delete {folder} to begin anew"
            ) from error

    def differences(self, request: RenderRequest) -> list[str]:
        """Return one line for each setting or file that would change the dreamed frames.

        Files are compared by content, as they may have moved. Settings applied after dreaming, see
        ``added_later``, may differ.
        """
        files = _fingerprints(request)
        both = [name for name in files if name in self.files]
        fits = ("auto", self.encoder)  # "auto" may have chosen what is named now
        alike = ["encoder"] if request.output.encoder in fits else []
        found = differences(
            named_values(self.dream, self.output, self.automation, self.journey),
            named_values(request.dream, request.output, request.automation, request.journey),
            but={*both, *alike, *values_added_later(request.output)},
        )
        changed = [name for name in both if files[name] != self.files[name]]
        return found + [f"the {name} was another file than it is now" for name in changed]


_JOB = TypeAdapter(FilmJob)


def job_file(folder: Path) -> Path:
    """Return the path of the job file in a folder."""
    return folder / "job.json"


def versions() -> dict[str, str]:
    """Return the machine type and the versions that a picture may depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # installed under another name, such as a headless build
            found[name] = "unknown"
    for plugin in plugins(NETWORKS):
        package, _, found[package] = plugin.provider.partition(" ")
    return found


def _fingerprints(request: RenderRequest) -> dict[str, dict[str, Any]]:
    """Return the fingerprints of the source and of each file named in settings."""
    try:
        found = {name: fingerprint(path) for name, path in request.inputs.items() if path.is_file()}
        if "source" in request.inputs and is_sequence(request.source):
            found["source"] = fingerprint_of_sequence(sequence_files(request.source))
        return found
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror}") from error


def _other_version(data: Any) -> str | None:
    """Return the version that wrote a job; None if it is this one or unknown."""
    with suppress(KeyError, TypeError):
        there = str(data["made_with"]["stream-dream"])
        return None if there == versions()["stream-dream"] else there
    return None
