"""How far a long call is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is.

    Attributes:
        done: Frames done; of ``dream_stills`` pictures, with the share of the one at work.
        total: How many there are; None if that is unknown. Of a loop, over all rounds: it grows
            if one more is needed.
        rate: How many are done a second; 0 until that is known.
        seconds_left: Estimated remaining time; None until that is known.
    """

    done: float
    total: int | None
    rate: float = 0.0
    seconds_left: float | None = None


def ignore_progress(progress: Progress) -> None:
    """Do nothing: the callback of those who give none."""


class ProgressMeter:
    """Measures the rate of what is done.

    The first frame takes long, as the network is prepared with it: the rate is that of the others.
    """

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        """Create a meter that reports to a callback."""
        self._on_progress = on_progress
        self._total: int | None = None
        self._begun: tuple[float, float] | None = None

    def begin(self, total: int | None) -> None:
        """Set how many there are; call it again if there are more than was said."""
        self._total = total

    def advance(self, done: float) -> None:
        """Report how many are done."""
        now = time.monotonic()
        if self._begun is None and done > 0:
            self._begun = now, done
        rate, left = 0.0, None
        if self._begun is not None and now > self._begun[0]:
            rate = (done - self._begun[1]) / (now - self._begun[0])
        if rate > 0 and self._total is not None:
            left = max(0.0, (self._total - done) / rate)
        self._on_progress(Progress(done, self._total, rate, left))
