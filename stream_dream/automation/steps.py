"""The steps of a parsed formula in postfix order, and their evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from stream_dream.automation.curves import SOUND_CURVES, Curve
from stream_dream.automation.functions import FUNCTIONS, NEEDS, OPERATORS, VARIABLES, Now, released
from stream_dream.automation.text import shown
from stream_dream.automation.timeline import Length
from stream_dream.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Number:
    """Push a number."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """Push the values of a variable or curve."""

    name: str


@dataclass(frozen=True, slots=True)
class Rise:
    """Push 1 where a curve has risen above a threshold, falling to 0."""

    curve: str
    threshold: float
    cooldown: Length


@dataclass(frozen=True, slots=True)
class Apply:
    """Replace the last ``count`` values by what a function or operator makes of them."""

    name: str
    count: int


Step: TypeAlias = Number | Length | Name | Rise | Apply
Code: TypeAlias = tuple[Step, ...]


def needs_of(step: Step) -> frozenset[str]:
    """Return what a step needs to know of a timeline: ``length`` or ``beats``, or nothing."""
    if isinstance(step, Length):
        return step.needs
    if isinstance(step, Rise):
        return step.cooldown.needs
    return frozenset({NEEDS[step.name]} if isinstance(step, Name) and step.name in NEEDS else ())


def curve_of(step: Step) -> str | None:
    """Return the name of the curve that a step reads, if it reads one."""
    if isinstance(step, Rise):
        return step.curve
    return step.name if isinstance(step, Name) and step.name not in VARIABLES else None


def run(steps: Code, now: Now, curves: Mapping[str, Curve]) -> Any:
    """Return the value of a formula: an array like ``now.frames``, or one number.

    Raises:
        SettingsError: A curve, or what a step needs of the timeline, is unknown.
    """
    stack: list[Any] = []
    for step in steps:
        if isinstance(step, Apply):
            values = stack[-step.count :]
            stack[-step.count :] = [_applied(step.name, values, now)]
        else:
            stack.append(_pushed(step, now, curves))
    return stack.pop()


def _applied(name: str, values: list[Any], now: Now) -> Any:
    function = FUNCTIONS.get(name)
    if function is None:
        return OPERATORS[name](*values)
    return function.call(now, *values) if function.timed else function.call(*values)


def _pushed(step: Number | Length | Name | Rise, now: Now, curves: Mapping[str, Curve]) -> Any:
    if isinstance(step, Number):
        return np.float64(step.value)
    if isinstance(step, Length):
        return step
    if isinstance(step, Rise):
        return released(now, _curve(step.curve, curves), step.threshold, step.cooldown)
    if step.name in VARIABLES:
        return VARIABLES[step.name](now)
    return _curve(step.name, curves).sample(now.timeline.elapsed("seconds", now.frames))


def _curve(name: str, curves: Mapping[str, Curve]) -> Curve:
    if name in curves:
        return curves[name]
    if name in SOUND_CURVES:
        raise SettingsError(f"{shown(name)} needs sound, and there is none: give --soundtrack FILE")
    raise SettingsError(f"there is no curve {shown(name)} here")
