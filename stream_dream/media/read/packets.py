"""Reads the time stamps and durations of pictures without decoding them."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

from stream_dream.media.read.ffmpeg_report import run_on

_NO_TIME_STAMP = -(2**62)
"""Lower values in ffmpeg's output mean that a packet has no time stamp."""

_SHORTEST_DELAY, _BROWSERS_DELAY = 0.01, 0.1
"""Seconds: browsers show a picture with a delay of 1/100 s or less for 1/10 s."""


def end_of_picture(path: Path) -> float | None:
    """Return when the last picture ends, in seconds of the file's own time line.

    Only the end of the file is read, and nothing decoded; None if it cannot be read or has no time
    stamps. Raises as ``run_on``.
    """
    # Reads from the last key frame that is at least a second before the end.
    table = _packets(path, before=("-sseof", "-1"))
    return max((stamp + length for stamp, length in table), default=None)


def animation_delays(path: Path) -> list[float]:
    """Return the seconds for which browsers show each picture of an animation.

    Raises as ``run_on``.
    """
    delays = [length for _, length in _packets(path)]
    return [_BROWSERS_DELAY if delay <= _SHORTEST_DELAY else delay for delay in delays]


def _packets(path: Path, before: tuple[str, ...] = ()) -> list[tuple[float, float]]:
    """List the time stamps and durations of the picture's packets, in seconds."""
    copied = ["-map", "0:V:0", "-c", "copy", "-copyts", "-f", "framecrc", "-"]
    table = run_on(path, copied, before=before).stdout.decode(errors="replace")
    base = re.search(r"^#tb 0: (\d+/\d+)", table, re.MULTILINE)
    rows = re.findall(r"^0, +-?\d+, +(-?\d+), +(\d+),", table, re.MULTILINE)
    unit = Fraction(base[1]) if base else Fraction(0)
    known = [(int(stamp), int(length)) for stamp, length in rows]
    return [(float(s * unit), float(d * unit)) for s, d in known if s > _NO_TIME_STAMP]
