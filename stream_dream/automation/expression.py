"""Formulas of the frame's number, of time and of curves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from stream_dream.automation.curves import Curve
from stream_dream.automation.functions import Now
from stream_dream.automation.parser import Parser
from stream_dream.automation.steps import Code, Number, curve_of, needs_of, run
from stream_dream.automation.text import shown
from stream_dream.automation.timeline import Timeline, Values
from stream_dream.errors import SettingsError

# Beyond any setting.
_MOST = 1e15
# CPUs, and arrays of another length, differ in the last bits of a sine; chunks must not.
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression is evaluated in.

    Attributes:
        timeline: What is known of the film's time.
        curves: Curves by name.
        seed: Seed of what is random.
    """

    timeline: Timeline
    curves: Mapping[str, Curve] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula.

    Attributes:
        text: As it was written.
        steps: What it computes, in postfix order.
    """

    text: str
    steps: Code

    @property
    def constant(self) -> float | None:
        """Return its value if it is a bare number, else None."""
        first = self.steps[0]
        return first.value if len(self.steps) == 1 and isinstance(first, Number) else None

    @property
    def needs(self) -> frozenset[str]:
        """Return what has to be known of a timeline: some of ``length`` and ``beats``."""
        return frozenset().union(*map(needs_of, self.steps))

    @property
    def curves(self) -> frozenset[str]:
        """Return the names of the curves it reads; ``beat`` and ``bar`` are none."""
        return frozenset(name for name in map(curve_of, self.steps) if name is not None)

    def sample(self, frames: Values, scope: Scope) -> Values:
        """Return its values at frames, float64, rounded to nine decimals.

        Args:
            frames: Numbers of frames, float64, whole or not.
            scope: What it is evaluated in.

        Raises:
            SettingsError: It is not a number at one of them, or needs what the scope lacks.
        """
        number = self.constant
        if number is not None and abs(number) <= _MOST:
            return np.full(frames.shape, round(number, _DECIMALS))
        now = Now(frames, scope.timeline, scope.seed)
        with np.errstate(all="ignore"):
            found = np.asarray(run(self.steps, now, scope.curves), np.float64)
        values = found if found.shape == frames.shape else np.broadcast_to(found, frames.shape)
        fine = np.abs(values) <= _MOST
        if not fine.all():
            bad = ~fine
            frame, value = frames[bad][0], values[bad][0]
            problem = "is not a number" if np.isnan(value) else "is infinite or too large"
            hint = "prevent that with max, clip or where"
            raise SettingsError(f"{shown(self.text)} {problem} at frame {frame:.10g}: {hint}")
        return values.round(_DECIMALS)


def parse(text: str, *, offset: int = 0, names: Collection[str] = ()) -> Expression:
    """Parse a formula such as ``0.6 + 0.4*sin(2*pi*t/25)``.

    Args:
        text: The formula.
        offset: Where it begins in the text that was typed; errors name columns of that.
        names: Names of curves besides those of sound.

    Raises:
        SettingsError: It is not understood; the message names the column.
    """
    return Expression(text, Parser(text, offset, names).parse())
