"""Keyframes that blend into each other around a loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stream_dream.dream.ascent import Ascended, Ascent
from stream_dream.frame import ImageF

# Share of the way between two keyframes that is spent at each of them.
_DWELL = 0.2


class Morph:
    """Dreams frames of a loop whose keyframes are spread evenly over it.

    Between two keyframes it takes the weighted mean of their ascents from the same start.
    """

    def __init__(self, keyframes: Sequence[Ascent], frames: int) -> None:
        """Create a morph of one ascent per keyframe over a loop of ``frames`` frames."""
        self._keyframes = keyframes
        self._frames = frames

    def __call__(
        self, source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> Ascended:
        """Ascend from ``clip(source + carried)``; ``index`` is the position in the loop."""
        residual, loss = np.zeros_like(source), 0.0
        for keyframe, weight in self._near(index, rng):
            grown = keyframe(source, carried, index=index, rng=rng)
            residual += np.float32(weight) * grown.residual
            loss += weight * grown.loss
        return Ascended(residual, loss)

    def begin(self, source: ImageF, *, index: int, rng: np.random.Generator) -> ImageF:
        """Return a shot's first residual; ``index`` is the position in the loop."""
        residual = np.zeros_like(source)
        for keyframe, weight in self._near(index, rng):
            residual += np.float32(weight) * keyframe.begin(source, index=index, rng=rng)
        return residual

    def _near(self, index: int, rng: np.random.Generator) -> Iterator[tuple[Ascent, float]]:
        state = rng.bit_generator.state
        for keyframe, weight in _weights(index / self._frames, len(self._keyframes)):
            # The same jitter for both: shapes that they share coincide.
            rng.bit_generator.state = state
            yield self._keyframes[keyframe], weight


def _weights(phase: float, keyframes: int) -> list[tuple[int, float]]:
    """Return the keyframes at or around a phase of the loop, 0..1, and their weights.

    Keyframe ``k`` of ``n`` lies at ``(k + 1/2) / n``: the loop's seam is between two of them.
    """
    keyframe, way = divmod(phase * keyframes - 0.5, 1)
    share = min(1.0, max(0.0, (way - _DWELL) / (1 - 2 * _DWELL)))
    share = share * share * (3 - 2 * share)
    here = int(keyframe) % keyframes
    weights = [(here, 1 - share), ((here + 1) % keyframes, share)]
    return [(number, weight) for number, weight in weights if weight > 0]
