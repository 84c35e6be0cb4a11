"""Writes files atomically: each gets its name when complete, and an old one stays until then."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.media.write.output_paths import beside, followed, free_name, is_pattern, numbered


def reserve(path: Path) -> Path:
    """Create an empty temporary ``NAME.part`` beside a file and return its absolute path.

    ffmpeg takes a relative ``-x.mp4`` for an option and ``take:2.mp4`` for a protocol. A ``.part``
    of an earlier run is never touched: it may be all that remains of a night's work.

    Raises:
        SinkError: If the folder cannot be written.
    """
    final = followed(path).absolute()
    while True:
        part = free_name(beside(final, ".part"))
        try:
            part.touch(exist_ok=False)
        except FileExistsError:  # another run was quicker
            continue
        except OSError as error:
            raise SinkError(f"{path} cannot be written: {error.strerror}") from error
        return part


def reserve_folder(path: Path) -> Path:
    """Create a temporary folder beside a path and return its absolute path."""
    return Path(tempfile.mkdtemp(prefix="frames-", suffix=".part", dir=path.parent.absolute()))


def write_bytes(
    path: Path, data: bytes | memoryview, *, overwrite: bool, private: bool = False
) -> Path:
    """Write a file atomically.

    Args:
        path: Its name.
        data: Its contents.
        overwrite: True if an existing file may be replaced.
        private: True to keep it from other users.

    Returns:
        The final name: a free one if the file appeared meanwhile and must not be overwritten.

    Raises:
        SinkError: If it cannot be written.
    """
    part = reserve(path)
    try:
        if private:
            part.chmod(0o600)
            if overwrite and followed(path).exists():
                followed(path).chmod(0o600)  # which the new file takes over
        part.write_bytes(data)
        return place(part, path, overwrite=overwrite)
    except BaseException as error:  # not after success: another writer may have reserved the name
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise SinkError(f"{path} could not be written: {reason}") from error
        raise


def place(made: Path, path: Path, *, overwrite: bool) -> Path:
    """Move a finished file, or all files of a folder for a pattern, to the final name.

    Links are followed: their target is replaced where it lies and keeps its permissions. Without
    ``overwrite``, a file that appeared meanwhile is kept and the finished one gets a free name.
    Ctrl-C is ignored until all is moved: the work is complete, and moving half of it is a mess.

    Returns:
        The final name.
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
            # Signals reach only the main thread. One that arrives while the thread starts leads to
            # a second thread; only the one that gets the claim moves the files.
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
    with made.open("r+b") as file:  # Windows needs it writable
        os.fsync(file.fileno())  # else a power cut can leave the name without the contents
    path = followed(path)
    if overwrite:
        if path.exists():
            shutil.copymode(path, made)
        _replace(made, path)
        return
    try:
        path.hardlink_to(made)  # unlike a rename it never replaces
    except FileExistsError:
        raise
    except OSError:  # a file system without links, or another disk
        _replace(made, path)
    else:
        made.unlink()


def _replace(made: Path, path: Path) -> None:
    """Rename a file; copy it first if the target lies on another disk."""
    try:
        made.replace(path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        near = reserve(path)
        try:
            shutil.copyfile(made, near)
            shutil.copymode(made, near)
            with near.open("r+b") as file:
                os.fsync(file.fileno())
            near.replace(path)
        finally:
            near.unlink(missing_ok=True)
        made.unlink()
