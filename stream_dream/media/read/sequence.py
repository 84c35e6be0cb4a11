"""Finds the files of a numbered sequence of pictures, which are read as a film."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from stream_dream.errors import SourceError

SUFFIXES = (".png", ".tif", ".tiff", ".exr", ".dpx", ".jpg", ".jpeg", ".webp", ".bmp", ".tga")
"""Lower-case extensions of the pictures in a folder."""

_NUMBER = re.compile(r"%(?:0(\d+))?d")
_DIGITS = re.compile(r"(\d+)(?=\D*$)")
_MOST_NAMED = 5


def is_sequence(path: Path) -> bool:
    """Return whether a name stands for a sequence: a folder, a pattern or a wildcard.

    A pattern is one such as ``frames/%05d.exr``, a wildcard one such as ``frames/*.png``. A file
    whose name contains such characters is a file.
    """
    name = path.name
    if os.path.isdir(path):
        return True
    return not os.path.lexists(path) and bool(_NUMBER.search(name) or glob.has_magic(name))


def sequence_files(path: Path) -> tuple[Path, ...]:
    """Return the files of a sequence, in the order of the last number in their names.

    Of a wildcard, all that fit; of a folder or a pattern, only sequences without gaps.

    Raises:
        SourceError: There are none, numbers are missing, or a folder has several kinds of pictures.
    """
    folder = path if os.path.isdir(path) else path.parent
    try:
        names = _names(path, folder)
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}") from error
    if folder == path:
        _refuse_kinds(folder, names)
    if not names:
        what = "fits no file"
        if folder == path:
            what = f"is a folder without pictures ({', '.join(SUFFIXES)})"
        raise SourceError(f"{path} {what}: check the name")
    broken = next((name for name in names if re.search(r"[\r\n]", name)), None)
    if broken is not None:  # ffmpeg's list of them has lines
        raise SourceError(f"{folder / broken!r} has a line break in its name: rename it")
    if folder == path or _NUMBER.search(path.name):
        _refuse_gaps(path, names)
    return tuple(folder / name for name in names)


def possible_files(path: Path) -> list[Path]:
    """Return the files that a sequence would consist of, whether they make one or not."""
    folder = path if os.path.isdir(path) else path.parent
    try:
        return [folder / name for name in _names(path, folder)]
    except OSError:
        return []


def _names(path: Path, folder: Path) -> list[str]:
    """Return the names of a sequence's files in order. Raises ``OSError``."""
    names = [name for name in os.listdir(folder) if not name.startswith(".")]
    if folder == path:
        fitting = [name for name in names if name.lower().endswith(SUFFIXES)]
    else:
        fits = _pattern_of(path.name)
        fitting = [name for name in names if fits.fullmatch(name)]
    return sorted(fitting, key=_order)


def _refuse_kinds(folder: Path, names: list[str]) -> None:
    kinds = sorted({os.path.splitext(name)[1] for name in names})
    if len(kinds) > 1:
        raise SourceError(
            f"{folder} holds pictures of several kinds ({', '.join(kinds)}): name one, as in "
            f"'{folder / f'*{kinds[0]}'}'"
        )


def _pattern_of(name: str) -> re.Pattern[str]:
    """Return what the names of a pattern or a wildcard fit."""
    number = _NUMBER.search(name)
    if number is None:
        from fnmatch import translate

        return re.compile(translate(name))
    digits = r"\d+" if number[1] is None else rf"\d{{{number[1]},}}"
    return re.compile(re.escape(name[: number.start()]) + digits + re.escape(name[number.end() :]))


def _order(name: str) -> tuple[str, int, str]:
    """Return the sort key of a name: its beginning, then its last number."""
    found = _DIGITS.search(name)
    return (name, 0, name) if found is None else (name[: found.start()], int(found[1]), name)


def _refuse_gaps(path: Path, names: list[str]) -> None:
    """Refuse missing numbers, where names differ in their numbers alone."""
    found = [_DIGITS.search(name) for name in names]
    numbers = sorted(int(number[1]) for number in found if number)
    if len(numbers) < len(names) or len({_DIGITS.sub("", name) for name in names}) > 1:
        return
    gaps = [(a + 1, b - 1) for a, b in pairwise(numbers) if b > a + 1]
    if gaps:
        folder, suffix = path if path.is_dir() else path.parent, os.path.splitext(names[0])[1]
        raise SourceError(
            f"{path} has gaps: of {numbers[0]} to {numbers[-1]} it lacks {_ranges(gaps)}. Add what "
            f"is missing, or take what is there with '{folder / f'*{suffix}'}'"
        )


def _ranges(gaps: Sequence[tuple[int, int]]) -> str:
    """Return ranges of numbers as text: ``3, 7 to 9``."""
    texts = [str(first) if first == last else f"{first} to {last}" for first, last in gaps]
    more = [f"{len(texts) - _MOST_NAMED} more"] if len(texts) > _MOST_NAMED else []
    return ", ".join([*texts[:_MOST_NAMED], *more])
