"""A gate that holds chunks of a film at work, so that tests can stop or kill it there."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest

# Stands in for ffmpeg and, like it, ends with the process that started it. Isolated from the
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
            sys.exit("the process that started it has ended")
        time.sleep(0.01)
os.execv({ffmpeg!r}, [{ffmpeg!r}, *sys.argv[1:]])
"""


class Gate:
    """Keeps chosen chunks from being finished.

    Replaces the ffmpeg that encodes chunks, also in processes started later. A few frames of a
    held chunk are dreamed; they wait in the pipe to the encoder.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Install the gate, open, in a folder of its own."""
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
        """The chunks that have reached the gate since ``hold``."""
        return {int(path.name.rpartition("-")[2]) for path in self._folder.glob("waits-*")}

    def hold(self, *chunks: int) -> None:
        """Close the gate for chunks, by number."""
        for path in self._folder.glob("waits-*"):
            path.unlink()
        for chunk in chunks:
            (self._folder / f"held-{chunk:06d}").touch()

    def open(self) -> None:
        """Release all chunks."""
        for path in self._folder.glob("held-*"):
            path.unlink()
