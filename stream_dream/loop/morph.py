"""Objectives that change on the way around a loop and come back to where they began."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from stream_dream.dream.ascent import Ascended, Ascent
from stream_dream.frame import ImageF

# Share of the way from a station to the next that is spent at either of them.
_DWELL = 0.2


class Morph:
    """Dreams frames of a loop, whose stations are spread evenly over its frames.

    At a station it dreams as that station alone. Between two it takes the weighted mean of their
    steps, from the same start.
    """

    def __init__(self, stations: Sequence[Ascent], frames: int) -> None:
        """Create a morph of one ascent per station over a loop of so many frames."""
        self._stations = stations
        self._frames = frames

    def __call__(
        self, source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> Ascended:
        """Ascend from ``clip(source + carried)``; ``index`` is the place in the loop."""
        residual, loss = np.zeros_like(source), 0.0
        for station, weight in self._near(index, rng):
            grown = station(source, carried, index=index, rng=rng)
            residual += np.float32(weight) * grown.residual
            loss += weight * grown.loss
        return Ascended(residual, loss)

    def begin(self, source: ImageF, *, index: int, rng: np.random.Generator) -> ImageF:
        """Return the residual that a shot begins with; ``index`` is the place in the loop."""
        residual = np.zeros_like(source)
        for station, weight in self._near(index, rng):
            residual += np.float32(weight) * station.begin(source, index=index, rng=rng)
        return residual

    def _near(self, index: int, rng: np.random.Generator) -> Iterator[tuple[Ascent, float]]:
        """Yield the stations that a place lies at or between, and their weights."""
        state = rng.bit_generator.state
        for station, weight in _weights(index / self._frames, len(self._stations)):
            # The same jitter for both: what they agree on is dreamed once.
            rng.bit_generator.state = state
            yield self._stations[station], weight


def _weights(phase: float, stations: int) -> list[tuple[int, float]]:
    """Return the stations that a place lies at or between, and their weights.

    Station ``k`` of ``n`` lies at ``(k + 1/2) / n``: the loop's seam is on the way between two.
    """
    station, way = divmod(phase * stations - 0.5, 1)
    share = min(1.0, max(0.0, (way - _DWELL) / (1 - 2 * _DWELL)))
    share = share * share * (3 - 2 * share)
    here = int(station) % stations
    weights = [(here, 1 - share), ((here + 1) % stations, share)]
    return [(number, weight) for number, weight in weights if weight > 0]
