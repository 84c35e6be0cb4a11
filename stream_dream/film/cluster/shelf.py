"""A temporary folder that the workers of a machine share: what was sent there lies there once."""

from __future__ import annotations

import atexit
import getpass
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stream_dream.film.cluster.shipping import Shipped

_LOCK, _HELD = "lock", ".held"


class Shelf:
    """A folder for files of one film; it goes with the last process that holds it.

    Attributes:
        folder: The folder.
    """

    def __init__(self, name: str) -> None:
        """Hold the folder, and make it if nobody else does.

        Args:
            name: What tells the film from others.
        """
        around = _around()
        around.mkdir(mode=0o700, exist_ok=True)
        self.folder = around / name
        with FileLock(around / _LOCK):
            _sweep(around)
            self.folder.mkdir(exist_ok=True)
            self._held = FileLock(self.folder / f"{os.getpid()}{_HELD}")
            self._held.acquire()
        atexit.register(self.close)

    def keep(self, name: str, file: Shipped, get: Callable[[Any], bytes]) -> Path:
        """Return where a file lies that was sent; who needs it first fetches it for all.

        Args:
            name: What tells it from others of the film.
            file: The file.
            get: Fetches a part.
        """
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with FileLock(folder / _LOCK):
            path = folder / file.name
            return path if path.exists() else file.write(folder, get)

    def close(self) -> None:
        """Let go of the folder."""
        self._held.release()
        sweep()


def sweep() -> None:
    """Remove the folders that nobody holds, as those of processes that were killed."""
    around = _around()
    if around.is_dir():
        with FileLock(around / _LOCK):
            _sweep(around)


def _around() -> Path:
    return Path(tempfile.gettempdir(), f"stream-dream-{getpass.getuser()}")


def _sweep(around: Path) -> None:
    for folder in around.iterdir():
        if folder.is_dir() and not any(_is_held(path) for path in folder.glob(f"*{_HELD}")):
            shutil.rmtree(folder, ignore_errors=True)


def _is_held(path: Path) -> bool:
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
