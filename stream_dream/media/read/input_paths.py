"""Checks files to read before they are opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from stream_dream.errors import SourceError


def check_input(path: Path, wanted: str) -> None:
    """Refuse a path that cannot be opened, a pipe, which would block, and an empty file.

    ``wanted`` is what to give instead, such as "a picture". Raises ``SourceError``.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist: check the name") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path} cannot be opened: {reason}") from error
    problem = None
    if stat.S_ISDIR(found.st_mode):
        problem = f"is a folder: give {wanted}"
    elif not stat.S_ISREG(found.st_mode):
        problem = "is a pipe or a device, which cannot be read twice: save it to a file first"
    elif not os.access(path, os.R_OK):
        problem = "may not be read: check its permissions"
    elif found.st_size == 0:
        problem = "is empty: was it copied completely?"
    if problem:
        raise SourceError(f"{path} {problem}")
