"""The names of what is written: nothing of the user's is ever overwritten by surprise."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from concurrent.futures import Future
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.media.formats import FORMATS

_NUMBER = re.compile(r"%(?:0\d+)?d")


def check_target(
    path: Path, *, overwrite: bool, source: Path | None = None, mask: Path | None = None
) -> None:
    """Refuse, before any work is done, a target that cannot be written.

    Args:
        path: A file with a known extension, or a pattern such as ``dream-%05d.png``.
        overwrite: True if what exists may be replaced.
        source: What is going to be read; it is never replaced.
        mask: The same of the mask.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    problem = None
    suffix = path.suffix.lower()
    known = ", ".join("%05d.png" if known == ".png" else known for known in FORMATS)
    if suffix not in FORMATS:
        problem = f"has no extension that can be written: choose {known}"
    elif suffix == ".png" and len(_NUMBER.findall(path.name)) != 1:
        problem = "would be one picture only: number them, as in dream-%05d.png"
    elif folder_problem(path) is not None:
        problem = folder_problem(path)
    elif source is not None and any(same_file(found, source) for found in existing(path)):
        problem = "is the source itself: choose another name"
    elif mask is not None and any(same_file(found, mask) for found in existing(path)):
        problem = "is the mask itself: choose another name"
    elif not overwrite and existing(path):
        problem = "exists already: choose another name or --overwrite"
    if problem:
        raise SinkError(f"{path} {problem}", exit_code=2)


def folder_problem(path: Path) -> str | None:
    """Say why nothing can be written under a name, whatever its format; None if it can."""
    if not os.path.isdir(path.parent):
        return f"lies in a folder that does not exist: create {path.parent}"
    if os.path.isdir(path):
        return "is a folder: give the name of a file"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"lies in a folder that may not be written: choose another than {path.parent}"
    return None


def existing(path: Path) -> list[Path]:
    """List what exists under a name: the file, or all files of a numbered pattern."""
    if not is_pattern(path):
        return [path] if os.path.lexists(path) else []  # a link to nowhere is in the way too
    before, after = (re.escape(part) for part in _NUMBER.split(path.name))
    pattern = re.compile(rf"{before}\d+{after}")
    names = sorted(name for name in os.listdir(path.parent) if pattern.fullmatch(name))
    return [path.with_name(name) for name in names]


def left_over(path: Path, frames: int) -> str | None:
    """Say what an earlier, longer sequence has left of a pattern; None if nothing."""
    others = len(existing(path)) - frames if is_pattern(path) else 0
    if others <= 0:
        return None
    return f"{others} other files fit {path}: an earlier sequence was longer"


def free_name(path: Path) -> Path:
    """Give the path itself or, if it is taken, one with a number: ``dream.2.mp4``."""
    numbered = (path.with_name(f"{path.stem}.{n}{path.suffix}") for n in count(2))
    return path if not existing(path) else next(name for name in numbered if not existing(name))


def dated_name(path: Path, moment: datetime) -> Path:
    """Give a free name that says when, to the second: ``show_20260930-221530.mkv``.

    Names sort by time, behind the name without a date. Where one is taken the next second is used,
    as a number behind it would not sort. It is local time, which is what a person looks for: in the
    hour that is repeated when summer ends the order is lost, but no name.
    """
    while True:
        dated = path.with_name(f"{path.stem}_{moment:%Y%m%d-%H%M%S}{path.suffix}")
        if not existing(dated):
            return dated
        moment += timedelta(seconds=1)


def interrupted_name(path: Path, suffix: str | None = None) -> Path:
    """Give a free name for the part of a work that was done: ``dream.interrupted.mp4``.

    Args:
        path: The name that the whole was meant for.
        suffix: Its extension, where it is another than that of ``path``.
    """
    stem = _NUMBER.sub("", path.stem) if suffix else path.stem
    return free_name(path.with_name(f"{stem}.interrupted{suffix or path.suffix}"))


def reserve(path: Path) -> Path:
    """Create a new, empty temporary ``NAME.part`` beside a path; its own path is absolute.

    ffmpeg would take a relative ``-x.mp4`` for an option and ``take:2.mp4`` for a protocol.

    What an earlier run has left may be all that remains of a night's work: it is never touched.

    Raises:
        SinkError: If the folder cannot be written.
    """
    while True:
        part = free_name(path.absolute().with_name(f"{path.name}.part"))
        try:
            part.touch(exist_ok=False)
        except FileExistsError:  # another run was quicker
            continue
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror}") from error
        return part


def reserve_folder(path: Path) -> Path:
    """Create a new temporary folder beside a path; its own path is absolute."""
    return Path(tempfile.mkdtemp(prefix="frames-", suffix=".part", dir=path.parent.absolute()))


def place(made: Path, path: Path, *, overwrite: bool) -> Path:
    """Give a finished file, or all files in a folder for a pattern, the final name.

    A file that appeared there meanwhile is kept, and the finished one gets a free name. Ctrl-C is
    ignored until it is done: the work is complete by then, and half of it placed would be a mess.

    Returns:
        The name it has got.
    """
    claim, placed = threading.Lock(), Future[Path]()

    def settle() -> None:
        if not claim.acquire(blocking=False):
            return
        try:
            placed.set_result(_place(made, path, overwrite))
        except BaseException as error:
            placed.set_exception(error)

    while True:
        try:
            # Signals reach only the main thread. One that comes while the thread starts makes a
            # second start: what was claimed is done once.
            if not claim.locked():
                threading.Thread(target=settle).start()
            return placed.result()
        except KeyboardInterrupt:
            continue


def _place(made: Path, path: Path, overwrite: bool) -> Path:
    if not overwrite:
        path = free_name(path)
    if not is_pattern(path):
        _move(made, path, overwrite)
        return path
    for number, file in enumerate(sorted(made.iterdir()), start=1):
        _move(file, numbered(path, number), overwrite)
    made.rmdir()
    return path


def _move(made: Path, path: Path, overwrite: bool) -> None:
    with made.open("r+b") as file:  # Windows wants it writable
        os.fsync(file.fileno())  # else a power cut can leave the name without the contents
    if overwrite:
        made.replace(path)
        return
    try:
        path.hardlink_to(made)  # unlike renaming it never replaces
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        made.rename(path)
    else:
        made.unlink()


def same_file(found: Path, source: Path) -> bool:
    """Return whether two names lead to one file; False where one leads nowhere."""
    try:
        return found.samefile(source)
    except OSError:  # a link to nowhere, or no such source
        return False


def numbered(path: Path, number: int) -> Path:
    """Return the name of one picture of a numbered sequence."""
    return path.with_name(_NUMBER.sub(lambda found: found[0] % number, path.name))


def is_pattern(path: Path) -> bool:
    """Return whether a name stands for a numbered sequence."""
    return path.suffix.lower() == ".png" and _NUMBER.search(path.name) is not None
