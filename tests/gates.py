"""Holds films at a place that a test chooses, so that it can stop or kill them there."""

from __future__ import annotations

import stat
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import imageio_ffmpeg
import pytest

SECONDS = 300
"""A busy machine may take its time; what hangs has to be noticed."""

# It stands in for ffmpeg. Isolated from the environment and without site-packages it starts at
# once. What nobody feeds any more ends, as ffmpeg does.
_PROGRAM = """#!{python} -ISE
import os, re, select, sys
folder, held = {folder!r}, {held!r}
chunk = re.search(r"/([0-9]{{6}})[.][0-9a-f]+[.]part$", sys.argv[-1])
if chunk and int(chunk[1]) in held:
    open(os.path.join(folder, "waits-" + chunk[1]), "w").close()
    feed = select.poll()
    feed.register(0, 0)
    while not os.path.exists(os.path.join(folder, "open")):
        if feed.poll(10):
            sys.exit("nobody feeds it any more")
os.execv({ffmpeg!r}, [{ffmpeg!r}, *sys.argv[1:]])
"""


class Gate:
    """Keeps chunks of a film from being finished until it is opened.

    It stands in for the ffmpeg that encodes them, also in processes that are started later. A few
    frames of a chunk are dreamed; they wait in the pipe to the encoder.
    """

    def __init__(
        self, folder: Path, chunks: Collection[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Hold these chunks, from now on."""
        self._folder, self._chunks = folder, set(chunks)
        folder.mkdir()
        program = folder / "ffmpeg"
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
        filled = {"python": sys.executable, "folder": str(folder), "ffmpeg": ffmpeg}
        program.write_text(_PROGRAM.format(held=self._chunks, **filled))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))

    @property
    def waiting(self) -> set[int]:
        """The chunks that have come to the gate."""
        return {int(path.name.rpartition("-")[2]) for path in self._folder.glob("waits-*")}

    def open(self) -> None:
        """Hold nothing any more."""
        (self._folder / "open").touch()


def wait_for(reached: Callable[[], object]) -> None:
    """Return when something has come about; that it hangs is an error."""
    late = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < late
        time.sleep(0.01)
