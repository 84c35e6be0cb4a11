"""Dreams a sequence whose end is followed by its beginning, so that nobody sees where it begins."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import FrameReport, ImageF
from stream_dream.temporal.dreamer import Prepared, TemporalDreamer

# Fewer, and the window's weights would not add up to the same calm everywhere.
FEWEST_ROUNDS = 3
_MOST_ROUNDS = 4


class Orbit:
    """Dreams round after round of a periodic sequence, and closes it.

    Rounds alone never meet: the gradient depends on the dream, and two rounds that differ a little
    differ as much after the next one (by 8 levels of 255 in a dream of 30; measured over six). So
    the last three are laid over each other, as one long dream under a Hann window:

        ``loop(t) = sum_k w(t + k * frames) * dream(t + k * frames)``,  ``k = 0, 1, 2``,
        ``w(n) = 2/3 * sin(pi * (n + 1/2) / (3 * frames)) ** 2``.

    The weights of a frame add up to 1, and at the loop's end each round hands over to the next,
    which begins where it ended: the seam is a step of the dream like any other. The squares of the
    weights add up to the same for every frame, too: no part of the loop flickers more than another.
    What the rounds differ by is shared out among all frames. Rounds go on until a frame's share is
    at most one level of 255.

    Attributes:
        frames: Number of frames in the loop.
        rounds: Rounds begun.
        seam: A frame's share: what closing adds to the change from one frame to the next. The
            largest mean change of a frame between the last two rounds, over ``frames``; in levels
            of 255. Infinite before there are two.
    """

    def __init__(self, dreamer: TemporalDreamer, frames: int) -> None:
        """Take what dreams, made with ``looping``, and the number of frames."""
        self.frames = frames
        self.rounds = 0
        self.seam = float("inf")
        self._dreamer = dreamer
        # The last frames dreamed, three rounds at most. Half precision is exact to an eighth of a
        # level.
        self._dreamed: list[NDArray[np.float16]] = []

    @property
    def closed(self) -> bool:
        """True where no further round is needed."""
        enough = self.rounds >= FEWEST_ROUNDS and (self.seam <= 1 or self.rounds >= _MOST_ROUNDS)
        return enough and len(self._dreamed) == FEWEST_ROUNDS * self.frames

    @property
    def closable(self) -> bool:
        """True where there is a loop already, even in the middle of a round."""
        return len(self._dreamed) > self.frames

    def dream_round(
        self, prepared: Iterable[Prepared], on_report: Callable[[FrameReport], None]
    ) -> None:
        """Dream every frame once more.

        Args:
            prepared: All frames, in order, from the same dreamer's ``prepare``.
            on_report: Called after each.
        """
        self.rounds += 1
        largest = 0.0
        if self.rounds > FEWEST_ROUNDS:
            del self._dreamed[: self.frames]
        for item in prepared:
            dreamed = self._dreamer.ascend(item)
            if self.rounds > 1:
                change = np.abs(dreamed.residual - self._dreamed[-self.frames]).mean()
                largest = max(largest, float(change) * 255)
            self._dreamed.append(dreamed.residual.astype(np.float16))
            on_report(dreamed.report)
        if self.rounds > 1:
            self.seam = largest / self.frames

    def residual(self, index: int) -> ImageF:
        """Return the closed loop's residual of a frame, float32 at dream size in [-1, 1].

        In the middle of a round the window ends with the last frame dreamed, and its weights are
        scaled to add up to 1.
        """
        length = len(self._dreamed)
        # What was dreamed begins with a loop's first frame, always.
        places = range(index, length, self.frames)
        weights = [math.sin(math.pi * (place + 0.5) / length) ** 2 for place in places]
        total = np.zeros(self._dreamed[index].shape, np.float32)
        for place, weight in zip(places, weights, strict=True):
            total += np.float32(weight / sum(weights)) * self._dreamed[place]
        return total
