"""Dreams a periodic sequence without a visible seam."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import FrameReport, ImageF
from stream_dream.temporal.dreamer import Prepared, TemporalDreamer

# With this power of a sine over this many rounds, the squared weights of a frame add up to nearly
# the same for every frame: no part of the loop is calmer than another by more than 8 %. Hann's
# window (power 2) needs 3 rounds for that, a fifth more time.
_WINDOW_ROUNDS = 2.5
_WINDOW_POWER = 1.5
_MOST_ROUNDS = 3.5


class ClosedDream:
    """Dreams a periodic sequence round after round, and closes it.

    Rounds do not converge: the gradient depends on the dream, and the difference between two rounds
    does not shrink (8 levels of 255 in a dream of 30; measured over six). So the last rounds are
    blended, as one long dream under a window that fades in and out:

        ``loop(t) = sum_k w(t + k * frames) * dream(t + k * frames) / sum_k w(t + k * frames)``,
        ``w(n) = sin(pi * (n + 1/2) / length) ** 1.5``,  ``length = 2.5 * frames``.

    Each round starts where the one before ended, with the weight that it ended with: the seam is a
    step of the dream like any other. The difference between rounds is shared out among all frames.
    Rounds go on until a frame's share is at most one level of 255, 3.5 rounds at most.

    Attributes:
        frames: Number of frames in the loop.
        dreamed: Frames dreamed so far, over all rounds.
    """

    def __init__(self, dreamer: TemporalDreamer, frames: int) -> None:
        """Create the seam of a loop of ``frames`` frames; the dreamer needs ``looping``."""
        self.frames = frames
        self.dreamed = 0
        self._dreamer = dreamer
        # Of all rounds; half precision is exact to an eighth of a level.
        self._residuals: list[NDArray[np.float16]] = []
        self._changes: list[float] = []

    @property
    def rounds(self) -> float:
        """Number of times the sequence was dreamed."""
        return self.dreamed / self.frames

    @property
    def seam(self) -> float:
        """Change between neighbouring frames that closing the loop adds, in levels of 255.

        The largest mean change of a frame between the last two rounds, divided by ``frames``;
        infinite before there are two rounds.
        """
        if len(self._changes) < self.frames:
            return math.inf
        return max(self._changes[-self.frames :]) * 255 / self.frames

    @property
    def to_dream(self) -> range:
        """Frames to dream next, counted over all rounds; empty when the loop is closed."""
        if self.rounds < _WINDOW_ROUNDS:
            return range(self.dreamed, math.ceil(_WINDOW_ROUNDS * self.frames))
        if self.seam > 1 and self.rounds < _MOST_ROUNDS:
            return range(self.dreamed, self.dreamed + self.frames)
        return range(0)

    @property
    def closable(self) -> bool:
        """True if the loop can be closed already, even if not well."""
        return self.rounds > 1

    def dream(self, prepared: Iterable[Prepared], on_report: Callable[[FrameReport], None]) -> None:
        """Dream the frames ``to_dream``, or the first of them.

        Args:
            prepared: The frames in order, from the same dreamer's ``prepare``, with their indices
                in the loop.
            on_report: Called after each frame; its index counts over all rounds.
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
        # Only a whole round is dropped: the window starts with the loop's first frame.
        dropped = self.frames * (self.dreamed > math.ceil(_WINDOW_ROUNDS * self.frames))
        length = self.dreamed - dropped
        places = range(index, length, self.frames)
        weights = [math.sin(math.pi * (place + 0.5) / length) ** _WINDOW_POWER for place in places]
        total = np.zeros(self._residuals[index].shape, np.float32)
        for place, weight in zip(places, weights, strict=True):
            total += np.float32(weight / sum(weights)) * self._residuals[dropped + place]
        return total
