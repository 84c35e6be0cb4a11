"""What one moment of sound is like: loudness by band, brightness, onsets.

Sound files and live sound share these definitions. All of it is causal: a feature depends on the
window of samples given and on the windows before it. An offline analysis centres its windows and
so knows of a sound half a window (21 ms) earlier than a listener does.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RATE = 24000
"""Samples per second of the sound analysed: it reaches to 12 kHz."""

HOP = 240
"""Samples from one window to the next: 100 values a second."""

WINDOW = 1024
"""Samples of a window (43 ms): bins of 23 Hz tell a bass from a voice, drums stay apart."""

NAMES = ("level", "bass", "mid", "high", "onset", "kick", "centroid")

EDGES = {"bass": (20.0, 200.0), "mid": (200.0, 2000.0), "high": (2000.0, 12000.0)}
"""Lowest and highest frequency of a band, in Hz."""

SILENCE = 0.001
"""RMS (-60 dB of full scale) below which all is silence: noise of converters and codecs."""

QUIETEST = {
    "level": SILENCE,
    "bass": 0.03,
    "mid": 0.03,
    "high": 0.01,
    "onset": 0.25,
    "kick": 0.5,
    "centroid": 0.1,
}
"""The least that a curve's 1 stands for: a flute has no bass, whatever its loudest rumble.

Bands as a share of the RMS that counts as loud; the others in their own units.
"""

LAG = 2
"""Hops between the windows that an onset compares: half a window (as SuperFlux)."""

ATTACK, RELEASE = 0.02, 0.25
"""Time constants in seconds of a curve's rise and fall."""

_BANDS = 32
_LOWEST, _HIGHEST = 30.0, 11000.0
_KICK = 150.0
_COMPRESSION = 100.0
_KICK_COMPRESSION = 10.0  # less, as the low end of a click is no kick
_USUAL = 0.5
_DARKEST = 100.0


class Spectra(NamedTuple):
    """What the spectra of n windows say, float32.

    Attributes:
        level: RMS without any constant offset; 1 is a square wave of full scale. (n,)
        bass: RMS of the band. (n,)
        mid: RMS of the band. (n,)
        high: RMS of the band. (n,)
        centroid: Mean frequency weighted by amplitude, in octaves above 100 Hz, divided by those
            up to 12 kHz: 0 to 1. (n,)
        bands: RMS in narrow bands, evenly spaced on the mel scale. (n, 32)
    """

    level: NDArray[np.float32]
    bass: NDArray[np.float32]
    mid: NDArray[np.float32]
    high: NDArray[np.float32]
    centroid: NDArray[np.float32]
    bands: NDArray[np.float32]


def spectra(windows: NDArray[np.float32]) -> Spectra:
    """Analyse windows of mono sound, float32 in [-1, 1], (n, WINDOW)."""
    shape, frequencies = _hann(), np.fft.rfftfreq(WINDOW, 1 / RATE)
    # A mean that is not weighted would leak the part of a wave that is cut off into the bass.
    mean = windows @ (shape / shape.sum())
    spectrum = np.fft.rfft((windows - mean[:, None]) * shape, axis=-1)
    # The power of a bin and its mirror image, such that their sum is the mean square.
    power = np.square(np.abs(spectrum)) * (2 / (WINDOW * float(np.square(shape).sum())))
    weights, filters = _edges(), _filters()
    total = power.sum(axis=-1)
    bands = np.sqrt(power @ filters).astype(np.float32)
    low, mid, high = np.sqrt(power @ weights).astype(np.float32).T
    amplitude = np.sqrt(power)
    middle = amplitude @ frequencies / np.maximum(amplitude.sum(axis=-1), 1e-9)
    octaves = np.log2(np.maximum(middle, _DARKEST) / _DARKEST)
    centroid = np.clip(octaves / np.log2(RATE / 2 / _DARKEST), 0, 1).astype(np.float32)
    return Spectra(np.sqrt(total).astype(np.float32), low, mid, high, centroid, bands)


def flux(
    bands: NDArray[np.float32], before: NDArray[np.float32], loud: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much sound begins (onset), and how much of it is low (kick), float32, (n,).

    The mean rise of the logarithm of the bands. What slides to a neighbouring band, as a vibrato
    does, has not begun.

    Args:
        bands: ``Spectra.bands``, (n, 32).
        before: Those ``LAG`` hops earlier, (n, 32).
        loud: The RMS that counts as loud in this sound; louder and quieter copies give the same.
    """
    scale = np.float32(1 / max(loud, SILENCE))
    widest = before.copy()
    np.maximum(widest[:, 1:], before[:, :-1], out=widest[:, 1:])
    np.maximum(widest[:, :-1], before[:, 1:], out=widest[:, :-1])
    low = int(np.searchsorted(_centres(), _KICK))
    rises = []
    for many, compression in ((slice(None), _COMPRESSION), (slice(low), _KICK_COMPRESSION)):
        louder = np.maximum(bands[:, many], widest[:, many])
        factor = scale * np.float32(compression)
        rises.append((np.log1p(factor * louder) - np.log1p(factor * widest[:, many])).mean(axis=-1))
    return rises[0], rises[1]


class Unusual:
    """What exceeds the mean of the last half second: onsets in a noise that flickers all the time.

    Attributes:
        mean: The mean of the last half second.
    """

    def __init__(self) -> None:
        """Create a silent measurement."""
        self.mean = 0.0
        self._gain = 1 - float(np.exp(-HOP / RATE / _USUAL))

    def __call__(self, values: list[float]) -> list[float]:
        """Return the excess of values that follow those given before."""
        mean, gain, found = self.mean, self._gain, []
        for value in values:
            found.append(value - mean if value > mean else 0.0)
            mean += (value - mean) * gain
        self.mean = mean
        return found


class Envelope:
    """A curve that rises within 20 ms and falls within 250 ms.

    Attributes:
        value: The last value.
    """

    def __init__(self) -> None:
        """Create an envelope at 0."""
        self.value = 0.0
        self._rise, self._fall = (1 - float(np.exp(-HOP / RATE / t)) for t in (ATTACK, RELEASE))

    def __call__(self, values: list[float]) -> list[float]:
        """Return the curve at values that follow those given before."""
        last, rise, fall, found = self.value, self._rise, self._fall, []
        for value in values:
            last += (value - last) * (rise if value > last else fall)
            found.append(last)
        self.value = last
        return found


@cache
def _hann() -> NDArray[np.float32]:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@cache
def _edges() -> NDArray[np.float32]:
    """Return which bins belong to bass, mid and high, 0 or 1, (bins, 3)."""
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rows = [(bins >= low) & (bins < high) for low, high in EDGES.values()]
    return np.stack(rows, axis=-1).astype(np.float32)


@cache
def _centres() -> NDArray[np.float64]:
    """Return the frequencies in the middle of the narrow bands, in Hz, (32,)."""
    return _mel_points()[1:-1]


def _mel_points() -> NDArray[np.float64]:
    ends = 2595 * np.log10(1 + np.array((_LOWEST, _HIGHEST)) / 700)
    mels = np.linspace(ends[0], ends[1], _BANDS + 2)
    points: NDArray[np.float64] = 700 * (10 ** (mels / 2595) - 1)
    return points


@cache
def _filters() -> NDArray[np.float32]:
    """Return the share of each bin in the narrow bands, triangles that overlap, (bins, 32)."""
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)[:, None]
    points = _mel_points()
    below, centre, above = points[:-2], points[1:-1], points[2:]
    rising, falling = (bins - below) / (centre - below), (above - bins) / (above - centre)
    return np.clip(np.minimum(rising, falling), 0, 1).astype(np.float32)
