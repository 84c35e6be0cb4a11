"""Snapshots of a live show."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.output_paths import dated_name, make_folder
from stream_dream.media.write.picture import write_picture


def save_snapshot(image: Image8, folder: Path, name: str) -> Path:
    """Write an image as PNG; 1280x720 takes about 0.1 s, so call it from another thread.

    Names sort by time, nothing is overwritten, and a file appears when it is complete.

    Args:
        image: uint8 RGB, (height, width, 3).
        folder: Folder of the file; created if it does not exist.
        name: Start of the file name, such as ``dream`` for ``dream_20260930-221530.png``.

    Returns:
        The file.

    Raises:
        SinkError: If it cannot be written.
    """
    if not name or Path(name).name != name:
        raise SinkError(f"a snapshot cannot be called {name!r}: leave out what separates folders")
    make_folder(folder)
    return write_picture(Picture(image), dated_name(folder / f"{name}.png", datetime.now()))
