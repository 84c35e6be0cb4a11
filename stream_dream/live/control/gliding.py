"""Values on their way to targets."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple, TypeAlias

Value: TypeAlias = float | int | bool | str

# 98 % of a change is done after the glide's seconds; this relative distance counts as reached.
_HASTE, _CLOSE = 4.0, 1e-3


class _Ramp(NamedTuple):
    """A straight way to a target."""

    begun: float
    start: float
    seconds: float


class Gliding:
    """Named values that glide to their targets; switches, counts and words change at once.

    ``value += (target - value) * (1 - exp(-4 t / glide))``: the result does not depend on how often
    it is called, and a stream of new targets, from a fader, is followed at once. It has no clock:
    callers pass the time, in seconds.

    Attributes:
        targets: The values asked for last, by name; not to be modified.
        values: The values now, by name; another object after every change.
    """

    def __init__(
        self, targets: Mapping[str, Value], now: float, at_once: Collection[str] = ()
    ) -> None:
        """Start at the targets; names in ``at_once`` never glide."""
        self.targets: Mapping[str, Value] = dict(targets)
        self.values: Mapping[str, Value] = self.targets
        self._at_once = frozenset(at_once)
        self._ramps: dict[str, _Ramp] = {}
        self._at = now

    def aim(self, targets: Mapping[str, Value]) -> None:
        """Replace targets; call ``advance`` before."""
        moved = {name for name, value in targets.items() if value != self.targets[name]}
        self._ramps = {name: ramp for name, ramp in self._ramps.items() if name not in moved}
        self.targets = {**self.targets, **targets}

    def stop(self, names: Collection[str]) -> None:
        """End the straight ways of values; they go to their targets as others do."""
        self._ramps = {name: ramp for name, ramp in self._ramps.items() if name not in names}

    def ramp(self, name: str, seconds: float) -> None:
        """Move a value straight to its target, in a number of seconds."""
        if self.values[name] != self.targets[name]:
            self._ramps[name] = _Ramp(self._at, float(self.values[name]), seconds)

    @property
    def ramping(self) -> frozenset[str]:
        """Names of the values that go straight to their target."""
        return frozenset(self._ramps)

    def advance(self, now: float, glide: float) -> None:
        """Move all values to a time; ``glide`` is the time of a change, in seconds."""
        passed, self._at = now - self._at, now
        if self.values == self.targets:
            self._ramps.clear()
            return
        share = 1.0 if glide == 0 else -math.expm1(-_HASTE * passed / glide)
        self.values = {
            name: self._moved(name, self.values[name], target, share)
            for name, target in self.targets.items()
        }

    def _moved(self, name: str, value: Value, target: Value, share: float) -> Value:
        if (ramp := self._ramps.get(name)) is not None:
            done = (self._at - ramp.begun) / ramp.seconds if ramp.seconds else 1.0
            if done < 1:
                return ramp.start + done * (float(target) - ramp.start)
            del self._ramps[name]
            return target
        if name in self._at_once or not (isinstance(target, float) and isinstance(value, float)):
            return target
        moved = value + share * (target - value)
        return target if abs(target - moved) < _CLOSE * max(abs(target), 1e-3) else moved
