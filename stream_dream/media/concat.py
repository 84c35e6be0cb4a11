"""Lists of files that ffmpeg reads one after the other, as one film."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def concat_list(files: Iterable[tuple[Path, float]]) -> bytes:
    """Return the text of a list, from files and how many seconds each lasts.

    ffmpeg reads it with ``-f concat -safe 0``. Names must not contain line breaks.
    """
    lines = ["ffconcat version 1.0"]
    for path, seconds in files:
        # ffmpeg parses relative names as URLs and cuts them at "#" and "?".
        escaped = str(path.absolute()).replace("'", "'\\''")
        lines += [f"file 'file:{escaped}'", f"duration {seconds:.6f}"]
    return os.fsencode("\n".join(lines) + "\n")  # names may not be valid UTF-8
