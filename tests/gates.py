"""Holds films at a place that a test chooses, so that it can stop or kill them there."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest

# It stands in for ffmpeg, and ends with whoever has started it, as ffmpeg does. Isolated from the
# environment and without site-packages it starts at once.
_PROGRAM = """#!{python} -ISE
import os, re, sys, time
chunk = re.search(r"/([0-9]{{6}})[.][0-9a-f]+[.]part$", sys.argv[-1])
held = os.path.join({folder!r}, "held-" + chunk[1]) if chunk else ""
if os.path.exists(held):
    parent = os.getppid()
    open(os.path.join({folder!r}, "waits-" + chunk[1]), "w").close()
    while os.path.exists(held):
        if os.getppid() != parent:
            sys.exit("nobody needs it any more")
        time.sleep(0.01)
os.execv({ffmpeg!r}, [{ffmpeg!r}, *sys.argv[1:]])
"""


class Gate:
    """Keeps chunks of films from being finished while it is closed for them.

    It stands in for the ffmpeg that encodes them, in all processes that are started later, too. A
    few frames of a chunk are dreamed; they wait in the pipe to the encoder.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set up a gate, which is open, in a folder of its own."""
        self._folder = folder
        program = folder / "ffmpeg"
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
        made = _PROGRAM.format(python=sys.executable, folder=str(folder), ffmpeg=ffmpeg)
        program.write_text(made)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))

    @property
    def is_open(self) -> bool:
        """True if nothing is held."""
        return not list(self._folder.glob("held-*"))

    @property
    def waiting(self) -> set[int]:
        """The chunks that have come to the gate since it was closed."""
        return {int(path.name.rpartition("-")[2]) for path in self._folder.glob("waits-*")}

    def hold(self, *chunks: int) -> None:
        """Close it for chunks, by number."""
        for path in self._folder.glob("waits-*"):
            path.unlink()
        for chunk in chunks:
            (self._folder / f"held-{chunk:06d}").touch()

    def open(self) -> None:
        """Hold nothing any more."""
        for path in self._folder.glob("held-*"):
            path.unlink()
