"""A folder of a worker for what was sent to it; what others left behind when killed goes."""

from __future__ import annotations

import atexit
import getpass
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

_LOCK = "lock"


class Room:
    """A temporary folder that belongs to this process.

    Attributes:
        kept: A folder in it for what several chunks need.
    """

    def __init__(self) -> None:
        """Make it."""
        around = _around()
        around.mkdir(mode=0o700, exist_ok=True)
        with FileLock(around / _LOCK):
            _sweep(around)
            self._folder = Path(tempfile.mkdtemp(dir=around))
            self._lock = FileLock(self._folder / _LOCK)
            self._lock.acquire()
        self.kept = self._folder / "kept"
        atexit.register(self.close)

    def folder(self) -> tempfile.TemporaryDirectory[str]:
        """Make a folder for one chunk."""
        return tempfile.TemporaryDirectory(dir=self._folder, ignore_cleanup_errors=True)

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self._folder, ignore_errors=True)


def sweep() -> None:
    """Remove the rooms of processes that are gone."""
    around = _around()
    if around.is_dir():
        with FileLock(around / _LOCK):
            _sweep(around)


def _around() -> Path:
    return Path(tempfile.gettempdir(), f"stream-dream-{getpass.getuser()}")


def _sweep(around: Path) -> None:
    for folder in around.iterdir():
        if not folder.is_dir():
            continue
        lock = FileLock(folder / _LOCK)
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):
            continue  # somebody is at work there
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)
