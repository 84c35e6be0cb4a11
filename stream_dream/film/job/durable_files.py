"""Durable, atomic writes, so that files found after a crash are complete; file checksums."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from stream_dream.errors import DiskFull, SinkError

_SAMPLE = 1 << 20


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file atomically and wait until it is on disk. Raises ``SinkError``."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(json.dumps(data, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a written file is on disk."""
    with path.open("r+b") as file:  # Windows requires a writable file
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on disk, where the system supports it."""
    try:
        folder = os.open(path, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not supported by the file system
            raise
    finally:
        os.close(folder)


def unwritable(folder: Path, error: OSError) -> SinkError:
    """Return the error for a folder that cannot be written: ``DiskFull`` if it is full."""
    kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else SinkError
    return kind(f"{folder} cannot be written: {error.strerror}")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint_of_sequence(files: Iterable[Path]) -> dict[str, Any]:
    """Return a SHA-256 of the names, sizes and times of files."""
    found, paths = hashlib.sha256(), [*files]
    for path in paths:
        state = path.stat()
        found.update(os.fsencode(f"{path.name}\0{state.st_size}\0{state.st_mtime_ns}\0"))
    return {"files": len(paths), "sha256_of_names_sizes_times": found.hexdigest()}


def fingerprint(path: Path) -> dict[str, Any]:
    """Return the size of a file and the SHA-256 of 1 MiB each at its start, middle and end.

    Hashing all of a film would take as long as minutes of dreaming.
    """
    size = path.stat().st_size
    found = hashlib.sha256()
    with path.open("rb") as file:
        for place in (0, size // 2, max(0, size - _SAMPLE)):
            file.seek(place)
            found.update(file.read(_SAMPLE))
    return {"size": size, "sha256_of_samples": found.hexdigest()}
