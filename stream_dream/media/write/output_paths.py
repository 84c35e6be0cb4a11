"""Names and checks of output files: no file of the user is overwritten unasked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.media.read.sequence import is_sequence, possible_files
from stream_dream.media.write.formats import FORMATS, NUMBERED, Encoding
from stream_dream.runtime.standard_streams import was_missing
from stream_dream.settings.values import name_problem

_NUMBER = re.compile(r"%(?:0\d+)?d")
_MOST_BYTES = 255
"""Longest name in nearly all file systems, in bytes."""


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
        overwrite: True if existing files may be replaced.
        inputs: All files that are read; none of them is ever replaced.
        outputs: Other files that are written.
        format_problem: Problem with the format of the name; None without one.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    problem = name_problem(path) or format_problem or folder_problem(path)
    found = [] if problem else existing(path)
    if problem:
        pass
    elif found and not {*map(_identity, found)}.isdisjoint(_identities(inputs)):
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
    """Refuse a film, GIF or sequence of pictures that cannot be written; see ``check_output``."""
    problem = None
    suffix = path.suffix.lower()
    known = ", ".join(f"%05d{known}" if known in NUMBERED else known for known in FORMATS)
    if suffix not in FORMATS:
        problem = f"has no extension that can be written: choose {known}"
    elif suffix in NUMBERED and len(_NUMBER.findall(path.name)) != 1:
        problem = f"would be one picture only: number them, as in dream-%05d{suffix}"
    check_output(path, overwrite=overwrite, inputs=inputs, outputs=outputs, format_problem=problem)


def check_standard_output() -> None:
    """Refuse to write a film to a terminal or nowhere. Raises ``SinkError``, ``exit_code`` 2."""
    if was_missing(1):
        raise SinkError("standard output is closed: send it on, or name a file", exit_code=2)
    if os.isatty(1):
        hint = "send it on, as in: ... - | ffmpeg -i - out.mp4"
        raise SinkError(f"standard output is a terminal: {hint}", exit_code=2)


def check_size(path: Path, size: tuple[int, int], encoding: Encoding) -> None:
    """Refuse a (width, height) that the format of a film, GIF or picture sequence cannot hold.

    Raises ``SinkError`` with ``exit_code`` 2.
    """
    check_sides(path, size, encoding.longest_side)
    least = encoding.codec.least_size
    if any(side < lowest for side, lowest in zip(encoding.coded_size(size), least, strict=True)):
        raise SinkError(
            f"{path} would have {size[0]}x{size[1]} pixels, its codec needs {least[0]}x{least[1]}: "
            "choose a larger size or another codec",
            exit_code=2,
        )


def check_sides(path: Path, size: tuple[int, int], longest_side: int | None) -> None:
    """Refuse a (width, height) with a side above ``longest_side``; None for no limit.

    Raises ``SinkError`` with ``exit_code`` 2.
    """
    if longest_side is not None and max(size) > longest_side:
        raise SinkError(
            f"{path} would have {size[0]}x{size[1]} pixels, its format holds {longest_side} a "
            "side: choose a smaller size or another format",
            exit_code=2,
        )


def make_folder(folder: Path) -> None:
    """Create a folder if needed. Raises ``SinkError`` with ``exit_code`` 2 if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the folder {folder} cannot be made: {error.strerror}; choose another one"
        raise SinkError(problem, exit_code=2) from error


def folder_problem(path: Path) -> str | None:
    """Return why no file of any format can be written under a name; None if one can."""
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
    if _bytes(path) > _MOST_BYTES:  # with the number of a pattern
        return "has too long a name: choose a shorter one"
    return None


def followed(path: Path) -> Path:
    """Return the target of a link, whether it exists or not; any other path unchanged."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def existing(path: Path) -> list[Path]:
    """List the existing files of a name: the file itself, or all files of a pattern.

    A dangling link counts as free: its target will be created.
    """
    if not is_pattern(path):
        return [path] if os.path.exists(path) else []
    names = sorted(filter(_member_of(path).fullmatch, os.listdir(path.parent)))
    return [file for name in names if os.path.exists(file := path.with_name(name))]


def left_over(path: Path, frames: int) -> str | None:
    """Return a notice of files left by an earlier, longer sequence; None without any."""
    others = len(existing(path)) - frames if is_pattern(path) else 0
    if others <= 0:
        return None
    return f"{others} other files fit {path}: an earlier sequence was longer"


def free_name(path: Path) -> Path:
    """Return the path itself or, if it is taken, a numbered one: ``dream.2.mp4``."""
    others = (marked(path, f".{n}") for n in count(2))
    return path if not existing(path) else next(name for name in others if not existing(name))


def dated_name(path: Path, moment: datetime) -> Path:
    """Return a free name dated to the second: ``show_20260930-221530.mkv``.

    Names sort by time, after the undated name. For a taken name the next second is used, as an
    added number would not sort. Times are local, as users expect: in the hour that repeats when
    summer time ends the order is lost, but no file.
    """
    while True:
        dated = marked(path, f"_{moment:%Y%m%d-%H%M%S}")
        if not existing(dated):
            return dated
        moment += timedelta(seconds=1)


def interrupted_name(path: Path, suffix: str | None = None) -> Path:
    """Return a free name for an incomplete file: ``dream.interrupted.mp4``.

    Args:
        path: Name of the complete file.
        suffix: Extension, if not that of ``path``.
    """
    if suffix is not None:
        path = path.with_name(_NUMBER.sub("", path.stem) + suffix)
    return free_name(marked(path, ".interrupted"))


def marked(path: Path, mark: str) -> Path:
    """Return a name with a mark before its extension; cut the stem if it is too long."""
    found = _NUMBER.search(path.stem) if is_pattern(path) else None
    kept = len(path.stem) if found is None else found.start()
    return path.with_name(_fitting(path.name[:kept], f"{path.stem[kept:]}{mark}{path.suffix}"))


def matte_name(path: Path, kind: str) -> Path:
    """Return the name of a matte beside a file: ``dream-mask.mov``, ``dream-mask-%05d.png``."""
    found = _NUMBER.search(path.stem) if is_pattern(path) else None
    if found is None:
        return marked(path, f"-{kind}")
    before, rest = path.name[: found.start()], path.name[found.start() :]
    joint = "" if not before or before[-1] in "-_." else "-"
    return path.with_name(_fitting(before, f"{joint}{kind}{before[-1:] or '-'}{rest}"))


def beside(path: Path, ending: str) -> Path:
    """Return the name of a file's companion: its own name and an ending.

    If that is too long, a checksum replaces the end of the file's name.
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
    """Return the length of a name in bytes; for a pattern, that of picture 999,999."""
    return len(os.fsencode(numbered(path, 999_999).name if is_pattern(path) else path.name))


def _identities(inputs: Iterable[Path]) -> Iterator[object]:
    """Yield what identifies each file that is read; of a sequence of pictures, all its files."""
    for path in inputs:
        files = possible_files(path) if is_sequence(path) else [path]
        yield from map(_identity, files)


def _identity(path: Path) -> object:
    """Return what tells a file from others, whatever its name; its real path if there is none."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return os.path.realpath(path)
    return state.st_dev, state.st_ino


def same_file(path: Path, other: Path) -> bool:
    """Return whether two paths name the same file, existing or not."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return os.path.realpath(path) == os.path.realpath(other)


def _covers(path: Path, other: Path) -> bool:
    """Return whether two outputs are one file, or ``other`` a picture of ``path``'s sequence."""
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
    return path.suffix.lower() in NUMBERED and _NUMBER.search(path.name) is not None
