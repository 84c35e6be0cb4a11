"""What a show hears: its sound as formulas and the status see it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from stream_dream.automation.timeline import Values
from stream_dream.live.status import HeardSound

# Of a rise's cooldown in beats, which follows the tempo: it is still the same one.
_SAME = 0.1
_MOST_WATCHES = 16


class Sound(Protocol):
    """What is heard now, as a ``live.sound`` listener tells it."""

    @property
    def state(self) -> str:
        """``ok`` while there is sound."""

    @property
    def tempo(self) -> float | None:
        """Beats per minute; None while there is no beat."""

    def curves(self) -> Mapping[str, float]:
        """Return the value of each curve, 0..1."""

    def beats(self) -> float | None:
        """Return the number of beats so far; None while there is no beat."""


def heard(sound: Sound) -> HeardSound:
    """Return what is heard now, for the status."""
    curves = {name: round(value, 3) for name, value in sound.curves().items()}
    return HeardSound(sound.state, sound.tempo, curves)


@dataclass(slots=True)
class _Watch:
    """The latest rises above a threshold, in seconds."""

    threshold: float
    cooldown: float
    rises: deque[float] = field(default_factory=lambda: deque(maxlen=2))


class HeardCurve:
    """A curve of sound that is heard: its newest value, and its latest rises.

    Rises are found from when they are first asked for. It needs no more memory in days.
    """

    def __init__(self) -> None:
        """Create a silent curve."""
        self._at = self._value = 0.0
        self._watches: list[_Watch] = []

    def hear(self, seconds: float, value: float) -> None:
        """Accept its value at a time, in seconds from the first frame."""
        for watch in self._watches:
            if self._value <= watch.threshold < value:
                way = (watch.threshold - self._value) / (value - self._value)
                rise = self._at + way * (seconds - self._at)
                if not watch.rises or rise - watch.rises[-1] >= watch.cooldown:
                    watch.rises.append(rise)
        self._at, self._value = seconds, value

    def sample(self, seconds: Values) -> Values:
        """Return the newest value for all seconds."""
        return np.full(seconds.shape, self._value)

    def rises(self, threshold: float, cooldown: float) -> Values:
        """Return when it rose above a threshold the last times; see ``automation.curves.Curve``."""
        for watch in self._watches:
            near = abs(cooldown - watch.cooldown) <= _SAME * watch.cooldown
            if watch.threshold == threshold and near:
                watch.cooldown = cooldown
                return np.array(watch.rises)
        self._watches = [*self._watches[1 - _MOST_WATCHES :], _Watch(threshold, cooldown)]
        return np.zeros(0)
