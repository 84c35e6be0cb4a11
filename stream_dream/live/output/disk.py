"""The disk that a show writes to: room that it leaves, and old films that it removes."""

from __future__ import annotations

import re
import shutil
import stat
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


def dated_films(film: Path) -> dict[Path, int]:
    """Return the films of all recordings by that name, oldest first, with their bytes.

    Their names are ``show_DATE-TIME.mkv``: films without a date, or by any other name, may be
    somebody's own. How old a film is says its last change: a computer may name films before its
    clock is set.
    """
    pattern = re.compile(re.escape(film.stem) + r"_\d{8}-\d{6}" + re.escape(film.suffix))
    found = []
    for path in film.parent.iterdir():
        if pattern.fullmatch(path.name):
            with suppress(OSError):  # somebody else may remove films, too
                facts = path.lstat()
                if stat.S_ISREG(facts.st_mode):
                    found.append((facts.st_mtime_ns, path, facts.st_size))
    return {path: size for _, path, size in sorted(found)}


def prune(film: Path, most_bytes: int, keep: Collection[Path], *, at_least: int = 0) -> list[Path]:
    """Remove the oldest films of a recording, until the others take no more than some bytes.

    Films that cannot be removed are passed over: for their sake no recording ends.

    Args:
        film: Name of the recording; see ``dated_films``.
        most_bytes: Bytes that its films may take.
        keep: Files that stay: those being written.
        at_least: Number of films that are removed in any case, if there are so many.

    Returns:
        The files removed.

    Raises:
        OSError: The folder cannot be read.
    """
    sizes = dated_films(film)
    total = sum(sizes.values())
    removed: list[Path] = []
    for path, size in sizes.items():
        if total <= most_bytes and len(removed) >= at_least:
            break
        if path in keep:
            continue
        with suppress(OSError):
            path.unlink(missing_ok=True)
            total -= size
            removed.append(path)
    return removed
