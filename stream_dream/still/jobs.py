"""The pictures of a batch: what is read, and where its dreams are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stream_dream.errors import SinkError, SourceError
from stream_dream.media.read.picture import READABLE_PICTURES
from stream_dream.media.write.picture import PICTURE_FORMATS


class StillJob(NamedTuple):
    """One picture to dream."""

    source: Path
    target: Path


def list_jobs(inputs: Sequence[Path], output: Path) -> list[StillJob]:
    """Return source and target of each picture.

    Args:
        inputs: Pictures and folders of pictures.
        output: A picture for one picture, else a folder; a name without extension is a folder.

    Raises:
        SourceError: A folder has no pictures, or two pictures would have one target.
        SinkError: ``output`` is one file for several pictures.
    """
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if single and output.suffix and not output.is_dir():
        return [StillJob(inputs[0], output)]
    if output.suffix.lower() in PICTURE_FORMATS or output.is_file():
        raise SinkError(f"several pictures cannot become {output}: give a folder", exit_code=2)
    jobs: dict[Path, StillJob] = {}
    for path in (picture for given in inputs for picture in _pictures(given)):
        suffix = path.suffix if path.suffix.lower() in PICTURE_FORMATS else ".png"
        job = StillJob(path, output / f"{path.stem}{suffix}")
        if job.target in jobs:
            raise SourceError(
                f"{jobs[job.target].source} and {path} would both become {job.target}: "
                "dream them into two folders"
            )
        jobs[job.target] = job
    return list(jobs.values())


def _pictures(given: Path) -> list[Path]:
    if not given.is_dir():
        return [given]
    found = [path for path in _seen(given) if path.suffix.lower() in READABLE_PICTURES]
    if not found:
        raise SourceError(f"{given} holds no pictures ({', '.join(READABLE_PICTURES)})")
    return found


def other_files(given: Path) -> list[Path]:
    """Return the files of a folder that are no pictures, without hidden ones."""
    if not given.is_dir():
        return []
    return [path for path in _seen(given) if path.suffix.lower() not in READABLE_PICTURES]


def _seen(folder: Path) -> list[Path]:
    """Return a folder's files in order, without hidden ones such as a Mac's ``._a.jpg``."""
    listed = sorted(folder.iterdir())
    return [path for path in listed if not path.name.startswith(".") and not path.is_dir()]
