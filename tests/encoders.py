"""A stand-in for ffmpeg on a machine with hardware encoders: it encodes in software instead."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest

_PROGRAM = """#!{python} -SI
import json, os, sys, time

given = sys.argv[1:]
encoder = next((word for word in given if word.endswith({encoders})), None)
with open({log!r}, "a") as log:
    log.write(json.dumps(given) + "\\n")
if encoder is not None and {hangs}:
    time.sleep(600)
if encoder is not None and not encoder.endswith({works}):
    sys.exit("[" + encoder + " @ 0x1] No capable devices found")
if encoder is not None:
    softwares = dict(h264="libx264", hevc="libx265", av1="libsvtav1", prores="prores_ks")
    made, words = [], iter(given)
    for word in words:
        if word in ("-init_hw_device", "-filter_hw_device", "-rc", "-rc_mode", "-b:v", "-preset"):
            next(words)
        elif word == "-c:v":
            software = softwares[next(words).split("_")[0]]
            made += [word, software]
            made += ["-preset", "ultrafast"] if software.startswith("libx") else []
        elif word in ("-cq", "-qp", "-global_quality"):
            made += ["-crf", next(words)]
        elif word == "-q:v":
            made += ["-crf", str((100 - int(next(words))) // 2)]
        else:
            made.append(word.replace(",hwupload", ""))
    given = made
os.execv({ffmpeg!r}, [{ffmpeg!r}, *given])
"""
_ENCODERS = ("_nvenc", "_qsv", "_vaapi", "_videotoolbox")


class StandIn:
    """A program that stands in for ffmpeg.

    Attributes:
        path: The program.
    """

    def __init__(self, folder: Path, works: str, *, hangs: bool = False) -> None:
        """Write the program; ``works`` is the one kind of encoder that works: ``nvenc``."""
        self.path, self._log = folder / "ffmpeg", folder / "ffmpeg.log"
        words = {
            "python": sys.executable,
            "encoders": _ENCODERS,
            "log": str(self._log),
            "hangs": hangs,
            "works": repr(f"_{works}"),
            "ffmpeg": imageio_ffmpeg.get_ffmpeg_exe(),
        }
        self.path.write_text(_PROGRAM.format(**words))
        self.path.chmod(0o755)
        self._log.touch()

    def encodes(self) -> list[list[str]]:
        """Return the arguments of each run with a hardware encoder."""
        return [run for run in self.runs() if any(word.endswith(_ENCODERS) for word in run)]

    def runs(self) -> list[list[str]]:
        """Return the arguments of each run."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def lose(self) -> None:
        """Let no encoder work any more."""
        text = self.path.read_text()
        self.path.write_text(
            text.replace("not encoder.endswith(", "not encoder.endswith('lost' + ")
        )


def stand_in(
    monkeypatch: pytest.MonkeyPatch, folder: Path, works: str, *, hangs: bool = False
) -> StandIn:
    """Make the package run a ``StandIn`` instead of ffmpeg."""
    made = StandIn(folder, works, hangs=hangs)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(made.path))
    return made
