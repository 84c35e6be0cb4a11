"""The disk that a show writes to: room that it leaves, and old films that it removes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from stream_dream.errors import SinkError

LEAST_FREE_BYTES = 1_000_000_000
"""Room that a show leaves for the rest of the system."""


def free_bytes(folder: Path) -> int:
    """Return the free bytes of a folder's disk. Raises ``SinkError`` if it cannot be read."""
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise SinkError(f"{folder} cannot be read: {error.strerror}") from error


def check_room(folder: Path, least: int = LEAST_FREE_BYTES) -> None:
    """Raise ``SinkError`` if a folder's disk has fewer than ``least`` free bytes."""
    free = free_bytes(folder)
    if free < least:
        raise SinkError(f"the disk has only {free / 1e9:.1f} GB left: free some of it")


def dated_films(film: Path) -> list[Path]:
    """Return the films of all recordings by that name, oldest first: ``show_DATE-TIME.mkv``.

    Films without a date, or by any other name, may be somebody's own.
    """
    pattern = re.compile(re.escape(film.stem) + r"_\d{8}-\d{6}" + re.escape(film.suffix))
    folder = film.parent
    found = [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())


def prune(film: Path, most_bytes: int, keep: Collection[Path], least_free: int) -> list[Path]:
    """Remove the oldest films of a recording, until the others take no more than some bytes.

    Films that cannot be removed are passed over: for their sake no recording ends.

    Args:
        film: Name of the recording; see ``dated_films``.
        most_bytes: Bytes that its films may take.
        keep: Files that stay: those being written.
        least_free: Free bytes that the disk must have; older films go for them, too.

    Returns:
        The files removed.

    Raises:
        SinkError: The disk cannot be read.
        OSError: The folder cannot be read.
    """
    sizes = {}
    for path in dated_films(film):
        with suppress(OSError):  # somebody else may remove films, too
            sizes[path] = path.stat().st_size
    total = sum(sizes.values())
    removed = []
    for path, size in sizes.items():
        if total <= most_bytes and free_bytes(film.parent) >= least_free:
            break
        if path in keep:
            continue
        with suppress(OSError):
            path.unlink()
            total -= size
            removed.append(path)
    return removed
