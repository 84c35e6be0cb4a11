"""Follows the tempo of a sound: which interval it repeats at, second by second."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.sound.features import HOP, RATE
from stream_dream.errors import SettingsError

Floats = NDArray[np.float64]

PER_SECOND = RATE // HOP
"""Onset strengths a second."""

SHORTEST = 2
"""Seconds below which a sound has no tempo."""

# BPM, 0.75 % apart.
_SLOWEST, _FASTEST, _COUNT = 50.0, 200.0, 186
_TEMPI = _SLOWEST * (_FASTEST / _SLOWEST) ** (np.arange(_COUNT) / (_COUNT - 1))

# Seconds: eight beats at 60 BPM, and short enough that a changing tempo remains a peak.
_WINDOW, _STEP = 8, 1

# BPM at which people tap along by preference, and the standard deviation in octaves.
_USUAL, _SPREAD = 120.0, 0.7

# Sound that repeats as well in half or a third of the time has its beats there: a metronome at 180
# BPM repeats at 90 and 60, too. Drums that alternate stay well below these ratios.
_SAME, _SURELY_SAME = 0.85, 0.95

_CHANGE = 4.0
"""What a change by an octave costs, in seconds of perfect repetition."""

_NOTHING, _LITTLE = 0.1, 2.0
"""Energy of a window's onsets: the rounding errors of a tone; a steady noise."""

# Repetition of speech-like sound: 0.15 at most, of songs: about 0.6, of clicks: 0.95 (measured by
# scripts/bench_music.py).
_UNSURE, _SURE = 0.2, 0.65

_AT_ONCE = 128


@dataclass(frozen=True, slots=True, eq=False)
class Tempo:
    """The tempo of a sound.

    Attributes:
        bpm: BPM at each onset strength, float64, (n,).
        confidence: From 0 where nothing repeats, as in noise and speech, to 1 for a metronome.
    """

    bpm: Floats
    confidence: float


def check_librosa() -> None:
    """Check, without importing it, that librosa is installed.

    Raises:
        SettingsError: It is not: the extra ``music`` is missing.
    """
    if find_spec("librosa") is None:
        raise SettingsError(
            "finding beats needs the extra music: pip install 'stream-dream[music]'"
        )


def load_librosa() -> Any:
    """Import librosa. Raises as ``check_librosa``."""
    check_librosa()
    import librosa

    return librosa


def follow_tempo(strength: Floats) -> Tempo:
    """Follow the tempo of onset strengths, float64, ``SHORTEST`` seconds or more, (n,).

    librosa's own estimate compresses repetition to a logarithm, so that its preference for 120 BPM
    doubles a metronome at 60; and it needs 1 GB for an hour of sound.
    """
    repetition, energy = _repetition(strength)
    weight = energy / (energy + _LITTLE)
    each = _at(repetition, _TEMPI)
    path = _likeliest(_scores(repetition, each) * weight[:, None])
    steps = np.arange(len(path))
    # Bass and snare drums that alternate repeat better every other beat.
    best = np.maximum(each[steps, path], _at(repetition, _TEMPI / 2)[steps, path])
    sure = float((best * weight).sum()) / max(float(weight.sum()), 1e-9)
    times = np.arange(len(strength)) / (_STEP * PER_SECOND)
    confidence = float(np.clip((sure - _UNSURE) / (_SURE - _UNSURE), 0, 1))
    return Tempo(np.interp(times, steps, _TEMPI[path]), confidence)


def _repetition(strength: Floats) -> tuple[Floats, Floats]:
    """Return, for a window each second, how well it repeats after 0, 1, ... hops, and its energy.

    Returns:
        Correlations, at most 1, float64, (windows, lags); energies, (windows,).
    """
    librosa = load_librosa()
    length = min(_WINDOW * PER_SECOND, len(strength))
    padded = np.pad(strength, (length // 2, length - length // 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[:: _STEP * PER_SECOND]
    taper = np.hanning(length + 2)[1:-1]
    lags = min(int(120 / _SLOWEST * PER_SECOND) + 2, length - 1)
    fading = librosa.autocorrelate(taper, max_size=lags)
    found = []
    for start in range(0, len(windows), _AT_ONCE):
        part = windows[start : start + _AT_ONCE]
        part = (part - (part * taper).sum(axis=-1, keepdims=True) / taper.sum()) * taper
        found.append(librosa.autocorrelate(part, max_size=lags, axis=-1))
    products = np.concatenate(found)
    energy = products[:, 0]
    # Distant hops overlap less; beyond a tenth, there is too little to tell.
    shares = np.maximum(fading / fading[0], 0.1)
    return products / shares / (energy[:, None] + _NOTHING), energy


def _at(repetition: Floats, tempi: Floats) -> Floats:
    """Return the repetition at tempi in BPM, (windows, tempi); 0 at those too slow to tell."""
    lags = np.arange(repetition.shape[1])
    wanted = 60 / tempi * PER_SECOND
    return np.stack([np.interp(wanted, lags, row, right=0) for row in repetition])


def _scores(repetition: Floats, each: Floats) -> Floats:
    """Return how likely each tempo is in each window, (windows, tempi).

    ``each`` is the repetition at these tempi.
    """
    multiples = [np.where(n * _TEMPI <= _FASTEST, _at(repetition, n * _TEMPI), 0) for n in (2, 3)]
    ratio = np.maximum(*multiples) / np.maximum(each, 0.1)
    same = np.clip((ratio - _SAME) / (_SURELY_SAME - _SAME), 0, 1)
    usual = np.exp(-np.square(np.log2(_TEMPI / _USUAL) / _SPREAD) / 2)
    return np.maximum(each, 0) * usual * (1 - same / 2)


def _likeliest(scores: Floats) -> NDArray[np.intp]:
    """Return the number of the tempo in each window of the best path (Viterbi), (windows,)."""
    octaves = np.log2(_TEMPI)
    costs = _CHANGE * np.abs(octaves[:, None] - octaves)
    total, came_from = scores[0], []
    for row in scores[1:]:
        sums = total - costs
        came_from.append(sums.argmax(axis=1))
        total = sums.max(axis=1) + row
    path = [total.argmax()]
    for before in reversed(came_from):
        path.append(before[path[-1]])
    return np.array(path[::-1])
