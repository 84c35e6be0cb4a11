"""Measures the sound of a whole file: its curves, and the onsets that beats are found in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.sound.features import (
    EDGES,
    HOP,
    LAG,
    NAMES,
    QUIETEST,
    RATE,
    SILENCE,
    WINDOW,
    Envelope,
    Spectra,
    Unusual,
    flux,
    spectra,
)
from stream_dream.media.read.sound import Sound

Floats32 = NDArray[np.float32]

BLOCK = 10 * RATE
"""Samples to decode at a time."""

PEAK = RATE // 50
"""Samples of a peak of the waveform."""

_AFTER = 3 * RATE
"""Samples of silence put after the end, in which the curves fall to nothing."""

_GATE = 0.05
"""Share of what counts as loud below which brightness counts less and less: noise is bright."""

_BETWEEN = 0.05
"""Share of its maximum below which a curve of events is between two of them."""

_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The sound of a file, from its first time stamp on.

    Attributes:
        curves: Values of each curve, 0 to 1, ``RATE / HOP`` a second, float32, (n,). They go on for
            three seconds of silence after the end, and end with 0.
        onset: How much sound begins, not smoothed, float32, (n,).
        kick: How much low sound begins, not smoothed, float32, (n,).
        peaks: Largest absolute samples, 0 to 1, ``RATE / PEAK`` a second, float32, (m,); 0 at last.
        seconds: Length of the sound.
    """

    curves: dict[str, Floats32]
    onset: Floats32
    kick: Floats32
    peaks: Floats32
    seconds: float


def measure(blocks: Iterable[Sound]) -> Measured:
    """Measure sound, ``RATE`` samples a second, in blocks of ``BLOCK`` samples, or fewer at last.

    The sound itself is not kept; what is takes about 80 MB an hour.
    """
    found: list[Spectra] = []
    peaks: list[Floats32] = []
    samples = 0
    rest = np.zeros(WINDOW // 2, np.float32)  # the first window is centred on the first sample
    for block in blocks:
        samples += len(block)
        peaks.append(_peaks(block))
        rest = _take(np.concatenate((rest, block)), found)
    _take(np.concatenate((rest, np.zeros(_AFTER, np.float32))), found)
    joined = Spectra(*(np.concatenate(rows) for rows in zip(*found, strict=True)))
    found.clear()
    loud = _reference(joined.level, joined.level > SILENCE, SILENCE)
    onset, kick = _onsets(joined.bands, loud)
    waveform = np.concatenate([*peaks, np.zeros(1, np.float32)])
    return Measured(_curves(joined, onset, kick, loud), onset, kick, waveform, samples / RATE)


def _take(sound: Sound, found: list[Spectra]) -> Sound:
    """Analyse all whole windows of a sound; return what the next one begins with."""
    if len(sound) < WINDOW:
        return sound
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    for start in range(0, len(windows), _ROWS):
        found.append(spectra(windows[start : start + _ROWS]))
    return sound[len(windows) * HOP :]


def _peaks(block: Sound) -> Floats32:
    padded = np.pad(np.abs(block), (0, -len(block) % PEAK))
    peaks: Floats32 = np.minimum(padded.reshape(-1, PEAK).max(axis=-1), 1)
    return peaks


def _onsets(bands: Floats32, loud: float) -> tuple[Floats32, Floats32]:
    """Return how much begins at each window, and how much of it is low."""
    onset, kick = (np.empty(len(bands), np.float32) for _ in range(2))
    before = np.concatenate((np.zeros((LAG, bands.shape[1]), np.float32), bands[:-LAG]))
    for start in range(0, len(bands), _ROWS):
        rows = slice(start, start + _ROWS)
        onset[rows], kick[rows] = flux(bands[rows], before[rows], loud)
    return onset, kick


def _curves(found: Spectra, onset: Floats32, kick: Floats32, loud: float) -> dict[str, Floats32]:
    sounds = found.level > SILENCE
    if not sounds.any():
        return {name: np.zeros_like(found.level) for name in NAMES}
    gate = np.minimum(found.level / (_GATE * loud), 1)
    raw = {
        "level": found.level,
        "bass": found.bass,
        "mid": found.mid,
        "high": found.high,
        "onset": np.array(Unusual()(onset.tolist()), np.float32),
        "kick": np.array(Unusual()(kick.tolist()), np.float32),
        "centroid": found.centroid * gate,
    }
    curves = {}
    for name, values in raw.items():
        curve = np.array(Envelope()(values.tolist()), np.float32)
        least = QUIETEST[name] * (loud if name in EDGES else 1)
        events = name in ("onset", "kick")
        counted = curve > _BETWEEN * curve.max() if events else sounds
        curves[name] = np.minimum(curve / np.float32(_reference(curve, counted, least)), 1)
        curves[name][-1] = 0  # e^-12 is left
    return curves


def _reference(values: Floats32, counted: NDArray[np.bool_], least: float) -> float:
    """Return the 95th percentile of the values that count, ``least`` if that is more."""
    return max(float(np.percentile(values[counted], 95)), least) if counted.any() else least
