"""Files that get their name when they are complete: what had it before is whole until then."""

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
    """Create a new, empty temporary ``NAME.part`` beside a file; its own path is absolute.

    ffmpeg would take a relative ``-x.mp4`` for an option and ``take:2.mp4`` for a protocol.

    What an earlier run has left may be all that remains of a night's work: it is never touched.

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
    """Create a new temporary folder beside a path; its own path is absolute."""
    return Path(tempfile.mkdtemp(prefix="frames-", suffix=".part", dir=path.parent.absolute()))


def write_text(path: Path, text: str, *, overwrite: bool) -> Path:
    """Write a text file in UTF-8; its name appears when all of it is on the disk.

    Returns:
        The name it has got: another one where the file has appeared meanwhile.

    Raises:
        SinkError: It cannot be written.
    """
    part = reserve(path)
    try:
        part.write_text(text, "utf-8")
        return place(part, path, overwrite=overwrite)
    except OSError as error:
        raise SinkError(f"{path} could not be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def place(made: Path, path: Path, *, overwrite: bool) -> Path:
    """Give a finished file, or all files in a folder for a pattern, the final name.

    Links are followed: what they lead to is replaced, where it lies, and keeps its permissions.
    A file that appeared there meanwhile is kept, and the finished one gets a free name. Ctrl-C is
    ignored until it is done: the work is complete by then, and half of it placed would be a mess.

    Returns:
        The name it has got.
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
            # Signals reach only the main thread. One that comes while the thread starts makes a
            # second start: what was claimed is done once.
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
    with made.open("r+b") as file:  # Windows wants it writable
        os.fsync(file.fileno())  # else a power cut can leave the name without the contents
    path = followed(path)
    if overwrite:
        if path.exists():
            shutil.copymode(path, made)
        _replace(made, path)
        return
    try:
        path.hardlink_to(made)  # unlike renaming it never replaces
    except FileExistsError:
        raise
    except OSError:  # a file system without links, or another one
        _replace(made, path)
    else:
        made.unlink()


def _replace(made: Path, path: Path) -> None:
    """Rename a file; one that lies on another disk is copied there first."""
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
