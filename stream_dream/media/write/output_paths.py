"""The names of what is written: nothing of the user's is ever overwritten by surprise."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.media.write.formats import FORMATS, format_of
from stream_dream.settings.values import name_problem

_NUMBER = re.compile(r"%(?:0\d+)?d")
_MOST_BYTES = 255
"""Of a name, in nearly all file systems."""


def check_output(
    path: Path,
    *,
    overwrite: bool,
    inputs: Iterable[Path] = (),
    outputs: Iterable[Path] = (),
    format_problem: str | None = None,
) -> None:
    """Refuse, before any work is done, a file that must not or cannot be written.

    Args:
        path: The file, or a pattern such as ``dream-%05d.png``. Links are followed.
        overwrite: True if what exists may be replaced.
        inputs: All files that are read; none of them is ever replaced.
        outputs: What else is written.
        format_problem: What is wrong with the format that the name stands for; None if nothing is.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    problem = name_problem(path) or format_problem or folder_problem(path)
    found = [] if problem else existing(path)
    if problem:
        pass
    elif any(same_file(name, read) for read in inputs for name in found):
        problem = "is one of the inputs: choose another name"
    elif any(_covers(path, other) for other in outputs):
        problem = "is to be two things at once: choose another name for one of them"
    elif found and not overwrite:
        problem = "exists already: choose another name or --overwrite"
    if problem:
        raise SinkError(f"{path} {problem}", exit_code=2)


def check_target(
    path: Path, *, overwrite: bool, inputs: Iterable[Path] = (), outputs: Iterable[Path] = ()
) -> None:
    """Refuse a film, GIF or sequence of pictures that cannot be written, as ``check_output`` does.

    Args:
        path: A file with a known extension, or a pattern such as ``dream-%05d.png``.
        overwrite: True if what exists may be replaced.
        inputs: All files that are read.
        outputs: What else is written.

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
    check_output(path, overwrite=overwrite, inputs=inputs, outputs=outputs, format_problem=problem)


def check_size(path: Path, size: tuple[int, int]) -> None:
    """Refuse a film, GIF or sequence of a (width, height) in pixels that its format does not hold.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    check_sides(path, size, format_of(path).longest_side)


def check_sides(path: Path, size: tuple[int, int], longest_side: int | None) -> None:
    """Refuse a (width, height) with a side that is too long; None where there is no limit.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    if longest_side is not None and max(size) > longest_side:
        raise SinkError(
            f"{path} would have {size[0]}x{size[1]} pixels, its format holds {longest_side} a "
            "side: choose a smaller size or another format",
            exit_code=2,
        )


def make_folder(folder: Path) -> None:
    """Create a folder, if it does not exist.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the folder {folder} cannot be made: {error.strerror}; choose another one"
        raise SinkError(problem, exit_code=2) from error


def folder_problem(path: Path) -> str | None:
    """Say why nothing can be written under a name, whatever its format; None if it can."""
    if os.path.isdir(path):
        return "is a folder: give the name of a file"
    if os.path.exists(path) and not os.path.isfile(path):
        return "is no ordinary file: give the name of one"
    folder = followed(path).parent
    if not os.path.isdir(folder):
        return f"lies in a folder that does not exist: create {folder}"
    listed = os.R_OK if is_pattern(path) else 0
    if not os.access(folder, os.W_OK | os.X_OK | listed):
        return f"lies in a folder that may not be written: choose another than {folder}"
    if _bytes(path) > _MOST_BYTES:  # its number makes it longer
        return "has too long a name: choose a shorter one"
    return None


def followed(path: Path) -> Path:
    """Return the file that a link leads to, whether it exists or not; what is no link, as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def existing(path: Path) -> list[Path]:
    """List what exists under a name: the file, or all files of a numbered pattern.

    A link to nowhere is a name that is free: what it leads to is made.
    """
    if not is_pattern(path):
        return [path] if os.path.exists(path) else []
    names = sorted(filter(_member_of(path).fullmatch, os.listdir(path.parent)))
    return [file for name in names if os.path.exists(file := path.with_name(name))]


def left_over(path: Path, frames: int) -> str | None:
    """Say what an earlier, longer sequence has left of a pattern; None if nothing."""
    others = len(existing(path)) - frames if is_pattern(path) else 0
    if others <= 0:
        return None
    return f"{others} other files fit {path}: an earlier sequence was longer"


def free_name(path: Path) -> Path:
    """Give the path itself or, if it is taken, one with a number: ``dream.2.mp4``."""
    others = (marked(path, f".{n}") for n in count(2))
    return path if not existing(path) else next(name for name in others if not existing(name))


def dated_name(path: Path, moment: datetime) -> Path:
    """Give a free name that says when, to the second: ``show_20260930-221530.mkv``.

    Names sort by time, behind the name without a date. Where one is taken the next second is used,
    as a number behind it would not sort. It is local time, which is what a person looks for: in the
    hour that is repeated when summer ends the order is lost, but no name.
    """
    while True:
        dated = marked(path, f"_{moment:%Y%m%d-%H%M%S}")
        if not existing(dated):
            return dated
        moment += timedelta(seconds=1)


def interrupted_name(path: Path, suffix: str | None = None) -> Path:
    """Give a free name for the part of a work that was done: ``dream.interrupted.mp4``.

    Args:
        path: The name that the whole was meant for.
        suffix: Its extension, where it is another than that of ``path``.
    """
    if suffix is not None:
        path = path.with_name(_NUMBER.sub("", path.stem) + suffix)
    return free_name(marked(path, ".interrupted"))


def marked(path: Path, mark: str) -> Path:
    """Return a name with a mark before its extension; what is too long then loses its end."""
    found = _NUMBER.search(path.stem) if is_pattern(path) else None
    kept = len(path.stem) if found is None else found.start()
    return path.with_name(_fitting(path.name[:kept], f"{path.stem[kept:]}{mark}{path.suffix}"))


def beside(path: Path, ending: str) -> Path:
    """Return the name of something that belongs to a file: its own and an ending.

    Where that is too long a checksum of the name takes the place of its end.
    """
    if _bytes(whole := path.with_name(path.name + ending)) <= _MOST_BYTES:
        return whole
    checksum = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:8]
    return path.with_name(_fitting(path.name, f"-{checksum}{ending}"))


def _fitting(beginning: str, end: str) -> str:
    while beginning and _bytes(Path(beginning + end)) > _MOST_BYTES:
        beginning = beginning[:-1]
    return beginning + end


def _bytes(path: Path) -> int:
    """Return how many bytes a name has or, of a pattern, the name of the millionth picture."""
    return len(os.fsencode(numbered(path, 999_999).name if is_pattern(path) else path.name))


def same_file(path: Path, other: Path) -> bool:
    """Return whether two names lead to one file, whether it exists already or not."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return os.path.realpath(path) == os.path.realpath(other)


def _covers(path: Path, other: Path) -> bool:
    """Return whether two outputs would be one file, or one a picture of the other's sequence."""
    member = is_pattern(path) and _member_of(path).fullmatch(other.name) is not None
    return same_file(path.parent / other.name if member else path, other)


def _member_of(pattern: Path) -> re.Pattern[str]:
    before, after = (re.escape(part) for part in _NUMBER.split(pattern.name))
    return re.compile(rf"{before}\d+{after}")


def numbered(path: Path, number: int) -> Path:
    """Return the name of one picture of a numbered sequence."""
    return path.with_name(_NUMBER.sub(lambda found: found[0] % number, path.name))


def is_pattern(path: Path) -> bool:
    """Return whether a name stands for a numbered sequence."""
    return path.suffix.lower() == ".png" and _NUMBER.search(path.name) is not None
