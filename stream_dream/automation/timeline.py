"""Time in frames, seconds, beats, bars, shots and shares of a film."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.text import shown
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import BEATS_PER_BAR

Values: TypeAlias = NDArray[np.float64]
Unit = Literal["frames", "seconds", "percent", "beats", "bars"]

UNITS: dict[str, Unit] = {
    "": "frames",
    "s": "seconds",
    "%": "percent",
    "b": "beats",
    "bar": "bars",
    "bars": "bars",
}
"""Units by their sign, as in ``2s``."""

# At most one blank between two parts: patterns with more take ages for a text full of blanks.
_NUMBER = r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})"
_LENGTH = rf"(?P<number>{_NUMBER}) ?(?P<sign>s|%|bars?|b|)"
_CLOCK = r"(?P<clock>[0-9]{1,4}(?::[0-5]?[0-9]){1,2}(?:\.[0-9]{1,9})?)"
_SHOT = r"shot ?(?P<shot>[0-9]{1,9})"
_END = (
    rf"\(?max_f(?: ?(?P<scale>[*/]) ?(?P<factor>{_NUMBER}))?"
    rf"(?: ?(?P<shift>[-+]) ?(?P<by>{_NUMBER}))?\)?"
)
POSITION = rf"(?:{_CLOCK}|{_SHOT}|{_LENGTH}|{_END})"
"""Pattern of a position."""

_NEEDS = {"percent": "length", "end": "length", "shot": "shots", "beats": "beats", "bars": "beats"}
_MOST_BPM = 1000

AT_ONCE = 0.03
"""Seconds by which a beat may come before the first frame: that is moved to the nearest one."""

# Sums of floats miss whole numbers by a hair: a key at frame 7 is not at 7.000000000000001.
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Length:
    """A length of time: a number of a unit."""

    amount: float
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``12`` (frames), ``2s``, ``25%``, ``4b`` or ``2bar``. Raises ``SettingsError``."""
        match = re.fullmatch(_LENGTH, text.strip())
        if match is None:
            problem = "is not a length of time: give frames (12), 2s, 25%, 4b or 2bar"
            raise SettingsError(f"{shown(text)} {problem}")
        return cls(float(match["number"]), UNITS[match["sign"]])

    @property
    def needs(self) -> frozenset[str]:
        """Return what has to be known of a timeline: ``length`` or ``beats``, or nothing."""
        return frozenset({_NEEDS[self.unit]} if self.unit in _NEEDS else ())


@dataclass(frozen=True, slots=True)
class Position:
    """A point in time.

    Attributes:
        amount: A number of ``unit``: ``shot`` counts from 1; ``end`` is a multiple of the last
            frame's number, rounded down.
        unit: The unit.
        shift: Frames to add.
    """

    amount: float
    unit: Unit | Literal["shot", "end"]
    shift: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``12`` (a frame), ``2s``, ``0:10``, ``50%``, ``shot 3``, ``16b`` or ``max_f-1``.

        Raises:
            SettingsError: It is none of them.
        """
        match = re.fullmatch(POSITION, text.strip())
        if match is None:
            raise SettingsError(
                f"{shown(text)} is not a point in time: give a frame (12), 2s, 0:10, 50%, shot 3, "
                "16b, 4bar or max_f"
            )
        if match["clock"]:
            parts = enumerate(reversed(match["clock"].split(":")))
            return cls(sum(float(part) * 60**power for power, part in parts), "seconds")
        if match["shot"]:
            return cls(int(match["shot"]), "shot")
        if match["number"]:
            return cls(float(match["number"]), UNITS[match["sign"]])
        factor = float(match["factor"] or 1)
        if match["scale"] == "/":
            if not factor:
                raise SettingsError(f"{shown(text)} divides by 0")
            factor = 1 / factor
        return cls(factor, "end", float((match["shift"] or "") + (match["by"] or "0")))

    @property
    def needs(self) -> frozenset[str]:
        """Return what has to be known of a timeline: ``length``, ``shots``, ``beats``."""
        return frozenset({_NEEDS[self.unit]} if self.unit in _NEEDS else ())


@dataclass(frozen=True)
class BeatGrid:
    """Beats in time. Before the first and after the last, they go on at the pace they have there.

    Beat 0 begins bar 0, so that four beats are a bar everywhere; upbeats before it are negative.

    Attributes:
        times: Seconds from the first frame, ascending; at least two.
        per_bar: Beats in a bar.
        first_bar: Index in ``times`` of beat 0, which may lie outside.
    """

    times: tuple[float, ...]
    per_bar: int = BEATS_PER_BAR
    first_bar: int = 0

    def __post_init__(self) -> None:
        """Check the times. Raises ``SettingsError``."""
        if len(self.times) < 2:
            raise SettingsError(f"there are {len(self.times)} beats: give at least two")
        for before, after in zip(self.times, self.times[1:], strict=False):
            if not (math.isfinite(after) and before < after):
                raise SettingsError(
                    f"a beat at {after:g} s follows one at {before:g} s: give them in order"
                )
            if after - before < 60 / _MOST_BPM - 1e-9:
                raise SettingsError(
                    f"the beats at {before:g} s and {after:g} s are less than {60 / _MOST_BPM:g} s "
                    "apart: take one out"
                )

    @classmethod
    def regular(cls, bpm: float, offset: float = 0.0) -> Self:
        """Return beats at an even pace.

        Args:
            bpm: Beats a minute, up to 1000.
            offset: Seconds from the first frame to a beat that begins a bar.

        Raises:
            SettingsError: Such a pace is impossible.
        """
        if not 0 < bpm <= _MOST_BPM:
            raise SettingsError(f"there cannot be {bpm:g} beats a minute: give 1 to {_MOST_BPM}")
        return cls((offset, offset + 60 / bpm))

    def since(self, begins: float) -> Self:
        """Return the grid of an excerpt that begins later; its first whole bar is bar 0.

        Args:
            begins: Seconds after which it begins.
        """
        bar = max(0, math.ceil(float(self.bars_at(np.array(begins - AT_ONCE)))))
        times = tuple(time - begins for time in self.times)
        return replace(self, times=times, first_bar=self.first_bar + bar * self.per_bar)

    def beats_at(self, seconds: Values) -> Values:
        """Return the number of beats since beat 0 at points in time, with fractions."""
        return _line(seconds, self._seconds, self._numbers)

    def seconds_at(self, beats: Values) -> Values:
        """Return when beats are, whole or not, in seconds: the inverse of ``beats_at``."""
        return _line(beats, self._numbers, self._seconds)

    def bars_at(self, seconds: Values) -> Values:
        """Return the number of bars at points in time, with fractions."""
        return self.beats_at(seconds) / self.per_bar

    @property
    def distance(self) -> float:
        """Return the mean seconds from beat to beat."""
        return (self.times[-1] - self.times[0]) / (len(self.times) - 1)

    @cached_property
    def _seconds(self) -> Values:
        return np.array(self.times)

    @cached_property
    def _numbers(self) -> Values:
        return np.arange(len(self.times), dtype=np.float64) - self.first_bar


def _line(x: Values, xs: Values, ys: Values) -> Values:
    """Interpolate linearly, with the first and last slope beyond the ends."""
    if len(xs) == 2:  # an even pace: of a show, at each frame
        return np.asarray(ys[0] + (x - xs[0]) * ((ys[1] - ys[0]) / (xs[1] - xs[0])), np.float64)
    first, last = ((ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]) for i in (0, -2))
    inside = np.interp(x, xs, ys)
    outside = np.minimum(x - xs[0], 0) * first + np.maximum(x - xs[-1], 0) * last
    return np.asarray(inside + outside, np.float64)


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is known of a film's time.

    Attributes:
        fps: Frames a second.
        frames: Number of frames; None where it is unknown.
        shots: Number of the first frame of each shot, the first one 0; None where unknown.
        beats: The beats of its music, if any.
        begins: Seconds that its music has played before the first frame.
    """

    fps: Fraction
    frames: int | None = None
    shots: tuple[int, ...] | None = None
    beats: BeatGrid | None = None
    begins: float = 0.0

    @property
    def last_frame(self) -> int:
        """Return the number of the last frame, Deforum's ``max_f``.

        Raises:
            SettingsError: It is unknown.
        """
        return self._length() - 1

    def frame_at(self, position: Position) -> float:
        """Return the frame, whole or not, at a position.

        Raises:
            SettingsError: There is no such shot, or what the position needs is unknown.
        """
        amount, unit = position.amount, position.unit
        if unit == "shot":
            return self._shot(int(amount))
        if unit == "end":
            return math.floor(round(amount * self.last_frame, _DECIMALS)) + position.shift
        if unit == "percent":
            return round(amount / 100 * self.last_frame, _DECIMALS)
        return float(self.frames_at(unit, np.array(amount)))

    def frame_of_key(self, key: str, position: Position) -> float:
        """Return the frame at the position of a key; errors name its text."""
        try:
            return self.frame_at(position)
        except SettingsError as error:
            raise SettingsError(f"key {key}: {error}") from None

    def elapsed(self, unit: Unit, frames: Values) -> Values:
        """Return how many of a unit have passed at frames, with fractions.

        A percentage is one of the number of frames, not of the last one's: a wave that lasts 100%
        closes a loop.

        Raises:
            SettingsError: What the unit needs is unknown.
        """
        if unit == "frames":
            return frames
        if unit == "percent":
            return 100 * frames / self._length()
        seconds = frames / float(self.fps)
        if unit == "seconds":
            return seconds
        grid = self._grid()
        passed = grid.beats_at(seconds) if unit == "beats" else grid.bars_at(seconds)
        return np.round(passed, _DECIMALS)

    def frames_at(self, unit: Unit, amounts: Values) -> Values:
        """Return the frames, whole or not, at which that much has passed: ``elapsed`` inverted."""
        if unit == "frames":
            return amounts
        if unit == "percent":
            return amounts / 100 * self._length()
        if unit == "bars":
            amounts = amounts * self._grid().per_bar
        seconds = amounts if unit == "seconds" else self._grid().seconds_at(amounts)
        return np.round(seconds * float(self.fps), _DECIMALS)

    def periods(self, period: Length, frames: Values) -> Values:
        """Return how many periods, of a length above 0, have passed at frames, with fractions."""
        return self.elapsed(period.unit, frames) / period.amount

    def seconds_of(self, length: Length) -> float:
        """Return a length in seconds; beats count at their mean pace."""
        if length.unit in ("beats", "bars"):
            grid = self._grid()
            beats = 1 if length.unit == "beats" else grid.per_bar
            return length.amount * beats * grid.distance
        return float(self.frames_at(length.unit, np.array(length.amount))) / float(self.fps)

    def _length(self) -> int:
        if self.frames is None:
            raise SettingsError("max_f and % need a length, unknown here: give frames or seconds")
        return self.frames

    def _grid(self) -> BeatGrid:
        if self.beats is None:
            raise SettingsError("beats and bars are unknown here: give --bpm, or sound with a beat")
        return self.beats

    def _shot(self, number: int) -> float:
        if self.shots is None:
            raise SettingsError("shots are unknown here: give frames or seconds instead of a shot")
        if not 1 <= number <= len(self.shots):
            raise SettingsError(
                f"there is no shot {number}: this film has shots 1 to {len(self.shots)}"
            )
        return float(self.shots[number - 1])
