"""Dreams a sequence whose end is followed by its beginning, so that nobody sees where it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import FrameReport, ImageF
from stream_dream.temporal.dreamer import Prepared, TemporalDreamer

# With this power of a sine over this many rounds, the squares of a frame's weights add up to nearly
# the same for every frame: no part of the loop is calmer than another by more than 8 %. Hann's
# window (the power 2) has that over 3 rounds, which take a fifth longer.
_WINDOW_ROUNDS = 2.5
_WINDOW_POWER = 1.5
_MOST_ROUNDS = 3.5


class Orbit:
    """Dreams a periodic sequence round after round, and closes it.

    Rounds alone never meet: the gradient depends on the dream, and two rounds that differ a little
    differ as much after the next one (by 8 levels of 255 in a dream of 30; measured over six). So
    the last rounds are laid over each other, as one long dream under a window that fades in and
    out:

        ``loop(t) = sum_k w(t + k * frames) * dream(t + k * frames) / sum_k w(t + k * frames)``,
        ``w(n) = sin(pi * (n + 1/2) / length) ** 1.5``,  ``length = 2.5 * frames``.

    At the loop's end each round hands over to the next one with the weight that this begins with,
    and begins where the other ended: the seam is a step of the dream like any other. What the
    rounds differ by is shared out among all frames. They go on until a frame's share is at most one
    level of 255.

    Attributes:
        frames: Number of frames in the loop.
        dreamed: Frames dreamed so far, counted on from round to round.
    """

    def __init__(self, dreamer: TemporalDreamer, frames: int) -> None:
        """Create an orbit of so many frames; the dreamer must be made with ``looping``."""
        self.frames = frames
        self.dreamed = 0
        self._dreamer = dreamer
        # What lies under the window; half precision is exact to an eighth of a level.
        self._residuals: list[NDArray[np.float16]] = []
        self._changes: list[float] = []

    @property
    def rounds(self) -> float:
        """How many times the sequence was dreamed."""
        return self.dreamed / self.frames

    @property
    def seam(self) -> float:
        """What closing adds to the change from one frame to the next, in levels of 255.

        It is the largest mean change of a frame from a round to the next, over ``frames``; infinite
        before there are two rounds.
        """
        if len(self._changes) < self.frames:
            return math.inf
        return max(self._changes[-self.frames :]) * 255 / self.frames

    @property
    def to_dream(self) -> range:
        """The frames that are to be dreamed next, counted on; none where the loop is closed."""
        if self.rounds < _WINDOW_ROUNDS:
            return range(self.dreamed, math.ceil(_WINDOW_ROUNDS * self.frames))
        if self.seam > 1 and self.rounds < _MOST_ROUNDS:
            return range(self.dreamed, self.dreamed + self.frames)
        return range(0)

    @property
    def closable(self) -> bool:
        """True where there is a loop already, if not the best."""
        return self.rounds > 1

    def dream(self, prepared: Iterable[Prepared], on_report: Callable[[FrameReport], None]) -> None:
        """Dream the frames ``to_dream``, or as many of them as come.

        Args:
            prepared: The frames, in order, from the same dreamer's ``prepare``; the index of each
                is its place in the loop.
            on_report: Called after each; its index counts on from round to round.
        """
        for item in prepared:
            dreamed = self._dreamer.ascend(item)
            if self.dreamed >= self.frames:
                change = np.abs(dreamed.residual - self._residuals[-self.frames])
                self._changes.append(float(change.mean()))
            self._residuals.append(dreamed.residual.astype(np.float16))
            on_report(replace(dreamed.report, index=self.dreamed))
            self.dreamed += 1

    def residual(self, index: int) -> ImageF:
        """Return the closed loop's residual of a frame, float32 at dream size in [-1, 1]."""
        # Whole rounds are left out: the window begins with the loop's first frame.
        dropped = self.frames * (self.dreamed > math.ceil(_WINDOW_ROUNDS * self.frames))
        length = self.dreamed - dropped
        places = range(index, length, self.frames)
        weights = [math.sin(math.pi * (place + 0.5) / length) ** _WINDOW_POWER for place in places]
        total = np.zeros(self._residuals[index].shape, np.float32)
        for place, weight in zip(places, weights, strict=True):
            total += np.float32(weight / sum(weights)) * self._residuals[dropped + place]
        return total
