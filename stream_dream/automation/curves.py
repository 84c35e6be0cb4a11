"""Curves by name that expressions read: sound as it was analysed, and CSV files."""

from __future__ import annotations

import math
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.text import shown
from stream_dream.automation.timeline import BeatGrid, Values
from stream_dream.errors import SettingsError
from stream_dream.settings.toml_file import read_text

SOUND_CURVES = ("level", "bass", "mid", "high", "onset", "kick", "centroid")
"""Names of the curves that come from sound, each 0..1."""

# Beyond any setting, and within float32.
_MOST = 1e12


class Curve(Protocol):
    """A value over time."""

    def sample(self, seconds: Values) -> Values:
        """Return the values at seconds from the first frame."""

    def rises(self, threshold: float, cooldown: float) -> Values:
        """Return when it rises above a threshold, in ascending seconds.

        Args:
            threshold: The threshold.
            cooldown: Seconds after a rise in which others do not count.
        """


@dataclass(frozen=True, eq=False)
class TimeCurve:
    """A curve through points; linear between them, held before the first and after the last.

    Attributes:
        times: float64 seconds from the first frame, ascending; at least one.
        values: float32, one per time.
    """

    times: Values
    values: NDArray[np.float32]
    _rises: dict[tuple[float, float], Values] = field(default_factory=dict, init=False, repr=False)

    def sample(self, seconds: Values) -> Values:
        """Return the values at seconds from the first frame."""
        # Of an hour of points, only those around the seconds are converted and searched.
        first, last = np.searchsorted(self.times, [seconds.min(), seconds.max()])
        near = slice(max(first - 1, 0), last + 1)
        return np.interp(seconds, self.times[near], self.values[near])

    def since(self, begins: float) -> TimeCurve:
        """Return the curve on the clock of an excerpt that begins so many seconds later."""
        return TimeCurve(self.times - begins, self.values) if begins else self

    def rises(self, threshold: float, cooldown: float) -> Values:
        """Return when it rises above a threshold; see ``Curve``."""
        wanted = (threshold, cooldown)
        if wanted not in self._rises:
            self._rises[wanted] = self._find_rises(threshold, cooldown)
        return self._rises[wanted]

    def _find_rises(self, threshold: float, cooldown: float) -> Values:
        values = self.values.astype(np.float64)
        above = values > threshold
        after = np.flatnonzero(above[1:] & ~above[:-1]) + 1
        before = after - 1
        way = (threshold - values[before]) / (values[after] - values[before])
        times = self.times[before] + way * (self.times[after] - self.times[before])
        if above[0]:
            times = np.concatenate([self.times[:1], times])
        kept: list[float] = []
        for time in times.tolist():
            if not kept or time - kept[-1] >= cooldown:
                kept.append(time)
        return np.array(kept)


def read_curve(path: Path) -> TimeCurve:
    """Read a CSV file of lines ``time,value``, in seconds and any number; see ``_rows``.

    Raises:
        SettingsError: It cannot be read, or a line is not understood.
    """
    rows = np.array(_rows(path, "curve", "time,value"))
    return TimeCurve(rows[:, 0], rows[:, 1].astype(np.float32))


def read_beats(path: Path) -> BeatGrid:
    """Read a file of beats, each a line that begins with its seconds; see ``_rows``.

    Raises:
        SettingsError: It cannot be read, a line is not understood, or there is but one.
    """
    times = tuple(row[0] for row in _rows(path, "file of beats", "seconds"))
    try:
        return BeatGrid(times)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None


def _rows(path: Path, what: str, form: str) -> list[tuple[float, ...]]:
    """Read lines of numbers between commas, semicolons or tabs, the first of them ascending.

    A first line without a number is a header; ``#`` begins a comment; further columns do not count.

    Args:
        path: The file.
        what: What messages call it.
        form: What a line has to look like, such as ``time,value``.

    Raises:
        SettingsError: It cannot be read, has no such line, or a line is not understood.
    """
    kind = 0
    with suppress(OSError, ValueError):  # ``read_text`` says what is wrong with the name
        kind = stat.S_IFMT(path.stat().st_mode)
    if kind in (stat.S_IFIFO, stat.S_IFCHR):
        problem = "is a pipe or a device, which cannot be read twice: save it to a file first"
        raise SettingsError(f"{path} {problem}")
    rows: list[tuple[float, ...]] = []
    columns = len(form.split(","))
    lines = (line.partition("#")[0].strip() for line in read_text(path, what).split("\n"))
    filled = [(number, line) for number, line in enumerate(lines, 1) if line]
    for place, (number, line) in enumerate(filled):
        cells = re.split("[;\t]", line)
        # With other separators, commas may be those of decimals.
        cells = [cell.replace(",", ".") for cell in cells] if len(cells) > 1 else line.split(",")
        row = tuple(map(_number, cells[:columns]))
        if place == 0 and math.isnan(row[0]):
            continue
        problem = ""
        if len(row) < columns or not all(map(_is_usable, row)):
            problem = f"{shown(line)} is not {form}: give numbers"
        elif rows and row[0] <= rows[-1][0]:
            problem = f"{row[0]:g} s does not come after {rows[-1][0]:g} s: give times in order"
        if problem:
            raise SettingsError(f"{path}: line {number}: {problem}")
        rows.append(row)
    if not rows:
        raise SettingsError(f"{path}: the {what} is empty: give lines of {form}")
    return rows


def _is_usable(value: float) -> bool:
    return abs(value) < _MOST


def _number(text: str) -> float:
    """Return a number; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
