"""Keeps what was found in a sound file, so that it is analysed once."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_dream.automation.sound.beats import Beats
from stream_dream.automation.sound.features import NAMES
from stream_dream.automation.sound.measure import Floats32
from stream_dream.errors import SinkError
from stream_dream.media.read.ffmpeg_report import Probe
from stream_dream.media.write.atomic import write_bytes

VERSION = 1
"""Increased with each change of what an analysis finds."""


@dataclass(frozen=True, slots=True, eq=False)
class FileSound:
    """What was found in a file, in seconds from its first time stamp.

    Attributes:
        curves: See ``Measured``.
        peaks: See ``Measured``.
        seconds: Length of the sound.
        beats: Its beats.
    """

    curves: dict[str, Floats32]
    peaks: Floats32
    seconds: float
    beats: Beats


def cache_file(folder: Path, file: Probe, *, with_beats: bool) -> Path:
    """Return the name under which a folder keeps what was found in a file as it is now."""
    state = file.path.stat()
    name, changed = str(file.path.resolve()), state.st_mtime_ns
    key = [VERSION, name, state.st_size, changed, file.audio_stream, with_beats]
    return folder / f"sound-{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.npz"


def load(path: Path) -> FileSound | None:
    """Return what a file keeps; None if it is missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            curves = {name: kept[name] for name in NAMES}
            seconds, tempo, confidence, first_bar = kept["figures"].tolist()
            times = tuple(kept["beats"].tolist())
            beats = Beats(times, tempo if times else None, confidence, int(first_bar))
            return FileSound(curves, kept["peaks"], seconds, beats)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def save(path: Path, found: FileSound) -> None:
    """Write what was found; a folder that cannot be written costs another analysis, no more."""
    beats = found.beats
    figures = [found.seconds, beats.tempo or 0.0, beats.confidence, beats.first_bar]
    rows = {"figures": np.array(figures), "beats": np.array(beats.times), "peaks": found.peaks}
    data = io.BytesIO()
    np.savez(data, **found.curves, **rows)  # type: ignore[arg-type]
    with suppress(SinkError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data.getbuffer(), overwrite=True)
