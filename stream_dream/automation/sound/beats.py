"""Finds the beats of a sound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.sound.tempo import (
    PER_SECOND,
    SHORTEST,
    Floats,
    follow_tempo,
    load_librosa,
)

PER_BAR = 4

_TIGHTNESS = 100
"""librosa's default: weight of an even tempo against strong onsets."""

# Onset strengths within which others count as one; drums of one beat are not quite together.
_SPREAD = 1.5

_AUDIBLE = 0.1
"""Share of the median beat's strength below which there is no first or last beat."""

_SPAN = 8
"""Beats over which a tempo is taken: a single distance is exact to a few percent only."""


@dataclass(frozen=True, slots=True)
class Beats:
    """The beats of a sound.

    Attributes:
        times: Seconds, ascending, at least two; none where nothing repeats.
        tempo: BPM, the median; None without beats.
        confidence: From 0 where nothing repeats, as in noise and speech, to 1 for a metronome.
        first_bar: Index of the first beat that begins a bar of four.
    """

    times: tuple[float, ...] = ()
    tempo: float | None = None
    confidence: float = 0.0
    first_bar: int = 0


def find_beats(onset: NDArray[np.float32], kick: NDArray[np.float32]) -> Beats:
    """Find the beats of a sound.

    Args:
        onset: How much sound begins, ``PER_SECOND`` values a second, float32, (n,).
        kick: How much low sound begins, likewise.

    Raises:
        SettingsError: If the extra ``music`` is missing.
    """
    librosa = load_librosa()
    if len(onset) < SHORTEST * PER_SECOND or not onset.any():
        return Beats()
    strength = _smooth(_above_mean(onset))
    tempo = follow_tempo(strength)
    if not tempo.confidence:
        return Beats()
    # librosa would trim whatever is quieter than usual, such as an introduction.
    _, found = librosa.beat.beat_track(
        onset_envelope=strength,
        sr=PER_SECOND,
        hop_length=1,
        bpm=tempo.bpm,
        tightness=_TIGHTNESS,
        trim=False,
        units="frames",
    )
    places = _audible(np.asarray(found, np.intp), strength)
    if len(places) < 2:
        return Beats()
    times = _exact(places, strength) / PER_SECOND
    span = min(_SPAN, len(times) - 1)
    bpm = float(np.median(60 * span / (times[span:] - times[:-span])))
    bar = _first_bar(places, _smooth(_above_mean(kick)))
    return Beats(tuple(times.tolist()), bpm, tempo.confidence, bar)


def _above_mean(values: NDArray[np.float32]) -> Floats:
    """Return what exceeds the mean of the second around."""
    half = PER_SECOND // 2
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    ends = np.arange(len(values))
    first, last = np.maximum(ends - half, 0), np.minimum(ends + half + 1, len(values))
    found: Floats = np.maximum(values - (sums[last] - sums[first]) / (last - first), 0)
    return found


def _smooth(values: Floats) -> Floats:
    shape = np.exp(-np.square(np.arange(-4, 5) / _SPREAD) / 2)
    return np.convolve(values, shape / shape.sum(), mode="same")


def _around(places: NDArray[np.intp], values: Floats) -> Floats:
    """Return the values from two before to two after each place, (places, 5)."""
    rows = np.clip(places[:, None] + np.arange(-2, 3), 0, len(values) - 1)
    found: Floats = values[rows]
    return found


def _audible(places: NDArray[np.intp], strength: Floats) -> NDArray[np.intp]:
    """Return the beats without those at the ends where nothing is heard."""
    loudest = _around(places, strength).max(axis=-1, initial=0)
    heard = np.flatnonzero(loudest > _AUDIBLE * np.median(loudest)) if len(places) else places
    return places[heard[0] : heard[-1] + 1] if len(heard) else places[:0]


def _exact(places: NDArray[np.intp], strength: Floats) -> Floats:
    """Return where the beats' onsets are, between the hops too: the top of a parabola."""
    near = _around(places, strength)
    top = np.clip(near.argmax(axis=-1), 1, 3)
    rows = np.arange(len(places))
    before, at, after = (near[rows, top + step] for step in (-1, 0, 1))
    curvature = before - 2 * at + after
    peaked = curvature < 0
    shift = np.where(peaked, 0.5 * (before - after) / np.where(peaked, curvature, 1), 0)
    exact = places.astype(np.float64)
    exact += np.where(peaked, top - 2 + np.clip(shift, -1, 1), 0)
    # Of two beats that share an onset, which librosa finds where there are none, keep its times.
    return exact if (np.diff(exact) > 0).all() else np.asarray(places, np.float64)


def _first_bar(places: NDArray[np.intp], kick: Floats) -> int:
    """Return the first beat of a bar: the strongest low onsets begin one."""
    low = _around(places, kick).max(axis=-1)
    return int(np.argmax([low[first::PER_BAR].mean() for first in range(min(PER_BAR, len(low)))]))
