"""What expressions may use: variables, operators and functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.curves import Curve
from stream_dream.automation.timeline import Length, Timeline, Unit, Values

# Parameters that are a length of time, and those that are one number for all frames.
LENGTHS = ("period", "length", "cooldown")
SETTLED = ("threshold", "seed")

COOLDOWN = Length(0.2, "seconds")
"""What a cooldown is if it is not given."""

# Beats by which one in beats or bars is shorter: it must not miss a beat that comes a little early.
_EARLY = 0.1
# What is left of a rise's 1 after this many seconds.
_RELEASE = 0.25
_LEFT = 0.05
# Phases just below a whole number are that number; see ``timeline``.
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Now:
    """Frames to evaluate an expression at.

    Attributes:
        frames: Their numbers, float64, whole or not.
        timeline: What is known of the film's time.
        seed: Seed of what is random.
    """

    frames: Values
    timeline: Timeline
    seed: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function of expressions.

    Attributes:
        call: Computes it, from float64 arrays or scalars; one with a period gets ``Now`` first,
            and a ``Length`` for each parameter that is one.
        parameters: Their names. See ``LENGTHS`` and ``SETTLED``.
        optional: How many of the last parameters may be left out.
        many: True if there may be more arguments than parameters.
    """

    call: Callable[..., Any]
    parameters: tuple[str, ...]
    optional: int = 0
    many: bool = False

    @property
    def timed(self) -> bool:
        """Return whether ``call`` gets ``Now``."""
        return "period" in self.parameters

    def takes(self, count: int) -> bool:
        """Return whether it can be called with so many arguments."""
        fewest = len(self.parameters) - self.optional
        return fewest <= count and (self.many or count <= len(self.parameters))

    def usage(self, name: str) -> str:
        """Return how to call it: ``sine(period) or sine(period, phase)``."""
        fewest = len(self.parameters) - self.optional
        forms = [self.parameters[:fewest], self.parameters] if self.optional else [self.parameters]
        more = ", ..." if self.many else ""
        return " or ".join(f"{name}({', '.join(form)}{more})" for form in forms)


def _beat(now: Now, unit: Unit) -> Any:
    return 1 - _way(now.timeline.elapsed(unit, now.frames))


VARIABLES: dict[str, Callable[[Now], Any]] = {
    "t": lambda now: now.frames,
    "max_f": lambda now: np.float64(now.timeline.last_frame),
    "sec": lambda now: now.timeline.elapsed("seconds", now.frames),
    "fps": lambda now: np.float64(now.timeline.fps),
    "beats": lambda now: now.timeline.elapsed("beats", now.frames),
    "bars": lambda now: now.timeline.elapsed("bars", now.frames),
    "beat": partial(_beat, unit="beats"),
    "bar": partial(_beat, unit="bars"),
    "s": lambda now: np.float64(now.seed),
}
"""What depends on the frame or the film, by name."""

NEEDS = {"max_f": "length"} | dict.fromkeys(("beats", "bars", "beat", "bar"), "beats")
"""What variables need to be known of a timeline, by their names."""

NUMBERS = {"pi": math.pi, "e": math.e}
"""Numbers by name."""


def _truth(compare: Callable[..., Any]) -> Callable[..., Any]:
    """Return a comparison that gives 1 or 0."""
    return lambda *values: np.asarray(compare(*values), np.float64)


OPERATORS: dict[str, Callable[..., Any]] = {
    "or": _truth(np.logical_or),
    "and": _truth(np.logical_and),
    "not": _truth(np.logical_not),
    "<": _truth(np.less),
    "<=": _truth(np.less_equal),
    ">": _truth(np.greater),
    ">=": _truth(np.greater_equal),
    "==": _truth(np.equal),
    "!=": _truth(np.not_equal),
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "%": np.fmod,  # as numexpr, which evaluates Deforum's expressions: the sign is the left one's
    "**": np.power,
    "negative": np.negative,
}
"""Operators by their sign."""


def _sine(now: Now, period: Length, phase: Any = 0.0) -> Any:
    return (1 - np.cos(2 * np.pi * (_phase(now, period) + phase))) / 2


def _tri(now: Now, period: Length, phase: Any = 0.0) -> Any:
    return 1 - np.abs(2 * _way(_phase(now, period) + phase) - 1)


def _saw(now: Now, period: Length, phase: Any = 0.0) -> Any:
    return _way(_phase(now, period) + phase)


def _square(now: Now, period: Length, duty: Any = 0.5, phase: Any = 0.0) -> Any:
    return 1.0 * (_way(_phase(now, period) + phase) >= 1 - duty)


def _pulse(now: Now, period: Length, length: Length) -> Any:
    begun = np.floor(_phase(now, period)) * period.amount
    begin = now.timeline.frames_at(period.unit, begun)
    lasted = now.timeline.elapsed(length.unit, now.frames) - now.timeline.elapsed(
        length.unit, begin
    )
    return 1.0 * (np.round(lasted, _DECIMALS - 3) < length.amount)


def _noise(now: Now, period: Length, seed: Any = 0.0) -> Any:
    """Return smooth noise 0..1: a random value at the start of each period, eased between them."""
    phase = _phase(now, period)
    way = _way(phase)
    cell = np.floor(phase).astype(np.int64).astype(np.uint64)
    start = _mixed(np.uint64(now.seed % 2**64), np.uint64(int(seed) % 2**64))
    here, there = (_random(_mixed(start, number)) for number in (cell, cell + np.uint64(1)))
    return here + (there - here) * smoothstep(way)


def smoothstep(way: Any) -> Any:
    """Return 0 below 0, 1 above 1, and eased at both ends between them."""
    way = np.clip(way, 0, 1)
    return way * way * (3 - 2 * way)


def released(now: Now, curve: Curve, threshold: float, cooldown: Length) -> Values:
    """Return 1 on the first frame at or after each rise of a curve, falling to 0 after it."""
    seconds = now.timeline.seconds_of(cooldown)
    if cooldown.unit in ("beats", "bars"):
        seconds -= _EARLY * min(seconds, now.timeline.seconds_of(Length(1, "beats")))
    rises = curve.rises(threshold, seconds)
    if not len(rises):
        return np.zeros_like(now.frames)
    begin = np.ceil(np.round(rises * float(now.timeline.fps), _DECIMALS - 3))
    last = np.searchsorted(begin, now.frames, side="right") - 1
    since = (now.frames - begin[last]) / float(now.timeline.fps)
    fallen = _LEFT ** (np.maximum(since, 0) / _RELEASE)
    return np.asarray(np.where(last >= 0, fallen, 0.0), np.float64)


def _phase(now: Now, period: Length) -> Values:
    return np.round(now.timeline.periods(period, now.frames), _DECIMALS)


def _way(phase: Any) -> Any:
    return phase - np.floor(phase)


def _mixed(state: Any, number: Any) -> NDArray[np.uint64]:
    """Hash whole numbers, the same on every machine (SplitMix64)."""
    mixed = np.atleast_1d(state + (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _random(hashed: NDArray[np.uint64]) -> Values:
    return np.asarray((hashed >> np.uint64(11)) * 2.0**-53, np.float64)


def _of_one(call: Callable[..., Any]) -> Function:
    return Function(call, ("x",))


_OF_ONE = (
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
    *("exp", "log", "log10", "sqrt", "abs", "floor", "ceil", "round", "sign"),
)
FUNCTIONS: dict[str, Function] = {
    **{name: _of_one(getattr(np, name)) for name in _OF_ONE},
    **{name: _of_one(getattr(np, f"arc{name[1:]}")) for name in ("asin", "acos", "atan")},
    **dict.fromkeys(("arctan2", "atan2"), Function(np.arctan2, ("y", "x"))),
    "min": Function(lambda *values: reduce(np.minimum, values), ("a", "b"), many=True),
    "max": Function(lambda *values: reduce(np.maximum, values), ("a", "b"), many=True),
    "clip": Function(
        lambda x, low, high: np.minimum(np.maximum(x, low), high), ("x", "low", "high")
    ),
    "where": Function(lambda condition, a, b: np.where(condition, a, b), ("condition", "a", "b")),
    "sine": Function(_sine, ("period", "phase"), 1),
    "tri": Function(_tri, ("period", "phase"), 1),
    "saw": Function(_saw, ("period", "phase"), 1),
    "square": Function(_square, ("period", "duty", "phase"), 2),
    "pulse": Function(_pulse, ("period", "length")),
    "noise": Function(_noise, ("period", "seed"), 1),
}
"""Functions by name."""

RISE = Function(released, ("threshold", "cooldown"), 1)
"""What a curve's name is when it is called: ``onset(0.5, 0.2s)``."""
