"""Finds the beat in onsets as they come, and says where it is before the next one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.sound.features import HOP, RATE

_HOPS = RATE / HOP  # a second
_MEMORY = int(6 * _HOPS)
_EVERY = int(0.25 * _HOPS)
_BARS_MEMORY = 0.97  # of what is known of bars, from one look to the next: 8 s

_SLOWEST, _FASTEST = 55.0, 190.0  # BPM
_USUAL, _SPREAD = 120.0, 0.8  # BPM, octaves
# Onsets midway between beats are beats themselves if nearly as regular; if every other beat is
# empty, it is none. As shares of the correlation of all.
_AS_REGULAR, _EMPTY = 0.9, 0.3
_MULTIPLES = 4
# The tempo that is held, within a share, counts this much more than another.
_HOLD, _SAME = 1.25, 0.06
_SMOOTH = 2.0  # hops: an onset is this uncertain
# Mean correlation of onsets a beat apart. Noise has up to 0.15, music from 0.3 (measured).
_FOUND, _LOST = 0.3, 0.15
# A beat elsewhere must be this much better, this often in a row: syncopes do not move the beat.
_BETTER, _PATIENCE = 1.3, 6
_NEAR = 0.1  # of a beat
_CORRECTION = 0.5  # of the distance, at each look
_RECENT = 6.0  # beats: of the weight of older ones
_PER_BAR = 4
_STRONGER = 1.25  # than the beat that begins bars now
# Hops from a sound to the peak that it makes in the onsets (measured).
DELAY = 0.8


@dataclass(frozen=True, slots=True)
class BeatClock:
    """A regular beat.

    Attributes:
        origin: Time of beat 0, in hops.
        period: Hops from a beat to the next.
    """

    origin: float
    period: float

    @property
    def tempo(self) -> float:
        """Beats per minute."""
        return 60 * _HOPS / self.period

    def beats_at(self, hops: float) -> float:
        """Return the number of beats at a time, fractional; every fourth begins a bar."""
        return (hops - self.origin) / self.period

    def curves_at(self, hops: float) -> tuple[float, float]:
        """Return ``beat`` and ``bar``: 1 where one begins, falling to 0 before the next."""
        beats = self.beats_at(hops)
        return 1 - beats % 1, 1 - beats / _PER_BAR % 1


class BeatTracker:
    """Follows the beat by autocorrelation and a comb, causally.

    Attributes:
        clock: The beat; None while there is none.
        confidence: How regular the onsets of the last six seconds are, 0..1.
    """

    def __init__(self, bpm: float | None = None) -> None:
        """Start without a beat; ``bpm`` fixes the tempo, and only the beat is looked for."""
        self._bpm = bpm
        self._hops = 0
        self.clock: BeatClock | None = None
        self._before: BeatClock | None = None
        self.clear()

    def clear(self) -> None:
        """Forget the beat; time goes on, and the numbers of beats do."""
        self._lose()
        self.confidence = 0.0
        self._onsets = np.zeros(_MEMORY)
        self._low = np.zeros(_MEMORY)
        self._known = 0
        self._elsewhere = 0
        self._bars = np.zeros(_PER_BAR)

    def push(self, onset: float, low: float) -> None:
        """Accept the strength of onsets in the newest hop, of all and of the low ones."""
        at = self._hops % _MEMORY
        self._onsets[at], self._low[at] = onset, low
        self._hops += 1
        self._known = min(self._known + 1, _MEMORY)
        if self._hops % _EVERY == 0 and self._known >= _MEMORY / 3:
            self._look()

    def _look(self) -> None:
        """Find tempo and beat anew."""
        onsets = _smoothed(np.roll(self._onsets, -self._hops)[-self._known :])
        correlation = _autocorrelation(onsets)
        held = self.clock.period if self.clock else None
        period = 60 * _HOPS / self._bpm if self._bpm else _period(correlation, held)
        self.confidence = max(0.0, float(_regularity(correlation, np.array([period]))[0]))
        if self.confidence < (_LOST if self.clock else _FOUND):
            if self._bpm is None:
                self._lose()
            return
        widths = np.array([1.0]) if self._bpm else np.linspace(0.98, 1.02, 9)
        self._align(onsets, period * widths)
        self._find_bars()

    def _lose(self) -> None:
        self._before, self.clock = self.clock or self._before, None

    def _align(self, onsets: NDArray[np.float64], periods: NDArray[np.float64]) -> None:
        """Set the clock to the comb that fits best, near the present beat if that fits as well."""
        best = _best_comb(onsets, periods)
        clock, newest = self.clock, self._hops - 1 - DELAY
        if clock is None:
            at, before = newest - best.ago, self._before
            # As if the beat that was lost had gone on.
            number = round(before.beats_at(at)) if before else 0
            self.clock = BeatClock(at - number * best.period, best.period)
            return
        kept = _best_comb(onsets, periods, near=clock.beats_at(newest) % 1)
        self._elsewhere = self._elsewhere + 1 if best.score > _BETTER * kept.score else 0
        if self._elsewhere > _PATIENCE:
            self._elsewhere = 0
            self._bars[:] = 0
            kept = best
        # The beat keeps its number.
        at = newest - kept.ago
        number = round(clock.beats_at(at))
        shift = (at - (clock.origin + number * clock.period)) * _CORRECTION
        if abs(shift) > _NEAR * kept.period:
            shift /= _CORRECTION
        origin = clock.origin + number * clock.period + shift - number * kept.period
        self.clock = BeatClock(origin, kept.period)

    def _find_bars(self) -> None:
        """Align bars to the beat of four that has the strongest low onsets."""
        clock = self.clock
        assert clock is not None
        low = np.roll(self._low, -self._hops)
        # Of the last two seconds, so that each beat counts alike.
        first = self._hops - 2 * _HOPS
        number = math.ceil(clock.beats_at(first))
        strengths = np.zeros(_PER_BAR)
        while (at := clock.origin + number * clock.period + DELAY) < self._hops - 2:
            index = _MEMORY - self._hops + round(at)
            if index >= 2:
                strengths[number % _PER_BAR] += low[index - 2 : index + 3].max()
            number += 1
        self._bars = self._bars * _BARS_MEMORY + strengths
        strongest = int(self._bars.argmax())
        if self._bars[strongest] > _STRONGER * self._bars[0]:
            # It becomes the nearest number that begins a bar.
            shift = strongest if strongest <= _PER_BAR // 2 else strongest - _PER_BAR
            self.clock = BeatClock(clock.origin + shift * clock.period, clock.period)
            self._bars = np.roll(self._bars, -strongest)


@dataclass(frozen=True, slots=True)
class _Comb:
    """Evenly spaced beats, held against the onsets.

    Attributes:
        period: Hops from a beat to the next.
        ago: Hops since the newest one.
        score: Mean strength of the onsets that it meets.
    """

    period: float
    ago: float
    score: float


def _smoothed(onsets: NDArray[np.float64]) -> NDArray[np.float64]:
    reach = np.arange(-6, 7)
    kernel = np.exp(-np.square(reach / _SMOOTH) / 2)
    return np.convolve(onsets, kernel / kernel.sum(), mode="same")


def _autocorrelation(onsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation at each lag in hops, 1 at lag 0."""
    length = len(onsets)
    spectrum = np.fft.rfft(onsets - onsets.mean(), 2 * length)
    found = np.fft.irfft(np.square(np.abs(spectrum)))[:length]
    found /= np.arange(length, 0, -1)
    return np.asarray(found / max(found[0], 1e-12))


def _regularity(
    correlation: NDArray[np.float64], periods: NDArray[np.float64], *, odd: bool = False
) -> NDArray[np.float64]:
    """Return the mean correlation at multiples of periods; with ``odd`` at 1, 3, 5, 7 of them."""
    multiples = np.arange(1, 2 * _MULTIPLES, 2) if odd else np.arange(1, _MULTIPLES + 1)
    lags = periods[:, None] * multiples
    found = np.interp(lags, np.arange(len(correlation)), correlation)
    # Few pairs of onsets are as far apart as the window is long.
    counts = lags < 0.75 * len(correlation)
    return np.asarray((found * counts).sum(axis=1) / np.maximum(counts.sum(axis=1), 1))


def _period(correlation: NDArray[np.float64], held: float | None) -> float:
    """Return the hops from beat to beat that the correlation suggests, rather those ``held``."""
    periods = np.arange(60 * _HOPS / _FASTEST, 60 * _HOPS / _SLOWEST, 0.25)
    octaves = np.log2(60 * _HOPS / periods / _USUAL) / _SPREAD
    found = _regularity(correlation, periods)
    likely = np.exp(-np.square(octaves) / 2)
    if held is not None:
        likely[np.abs(periods / held - 1) < _SAME] *= _HOLD
    period = float(periods[(found * likely).argmax()])
    between, odd = _regularity(correlation, np.array([period / 2, period]), odd=True)
    every = _regularity(correlation, np.array([period]))[0]
    if between > _AS_REGULAR * every > 0 and period / 2 >= periods[0]:
        return period / 2
    if odd < _EMPTY * every and 2 * period <= 60 * _HOPS / _SLOWEST:
        return 2 * period
    return period


def _best_comb(
    onsets: NDArray[np.float64], periods: NDArray[np.float64], near: float | None = None
) -> _Comb:
    """Return the comb that meets the most; with ``near``, its newest beat is about as long ago.

    Args:
        onsets: Strengths, the newest at last, (n,).
        periods: Hops from beat to beat to try.
        near: The time since the newest beat, as a share of the period.
    """
    found = []
    for period in periods:
        first, last = (0.0, 1.0) if near is None else (near - _NEAR, near + _NEAR)
        ago = np.arange(first * period, last * period, 0.5)
        numbers = np.arange(int((len(onsets) - 1) / period - last))
        weights = np.exp(-numbers / _RECENT)
        at = len(onsets) - 1 - ago[:, None] - numbers * period
        met = np.interp(at, np.arange(len(onsets)), onsets) @ (weights / weights.sum())
        best = int(met.argmax())
        found.append(_Comb(float(period), float(ago[best]), float(met[best])))
    return max(found, key=lambda comb: comb.score)
