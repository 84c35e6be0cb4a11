"""The curves of sound as it comes: causal, with gain that follows the room."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.sound.features import (
    EDGES,
    HOP,
    LAG,
    NAMES,
    QUIETEST,
    RATE,
    WINDOW,
    Envelope,
    Unusual,
    flux,
    spectra,
)
from stream_dream.live.sound.beat_tracker import BeatTracker
from stream_dream.live.sound.room_gain import NoiseGate, RoomGain

SILENT_SECONDS = 2.0
"""Silence for this long counts as the end of the music."""

_SILENT_HOPS = int(SILENT_SECONDS * RATE / HOP)
# A player's volume may be low: -70 dB of full scale.
_QUIETEST_LEVEL = 0.0003
# Share of its 1 below which a curve of events is between two of them.
_BETWEEN = 0.05


class LiveAnalysis:
    """Turns blocks of sound into curves, one value every 10 ms.

    Attributes:
        hops: Number of values so far.
        values: The newest value of each curve but ``beat`` and ``bar``, 0..1.
        silent: True before the first sound, and after two seconds of silence.
        beats: The beat.
    """

    def __init__(self, *, loopback: bool, bpm: float | None = None) -> None:
        """Start in silence.

        Args:
            loopback: True for what a speaker plays, False for a microphone.
            bpm: The tempo, if it is known.
        """
        self.hops = 0
        self.values = dict.fromkeys(NAMES, 0.0)
        self.silent = True
        self.beats = BeatTracker(bpm)
        self._waiting = np.zeros(0, np.float32)
        self._window = np.zeros(WINDOW, np.float32)
        self._bands: deque[NDArray[np.float32]] = deque(maxlen=LAG + 1)
        self._gate = NoiseGate(loopback=loopback)
        self._gains = {name: RoomGain() for name in NAMES}
        self._envelopes = {name: Envelope() for name in NAMES}
        self._unusual = {name: Unusual() for name in ("onset", "kick")}
        self._quiet = _SILENT_HOPS

    def push(self, block: NDArray[np.float32]) -> None:
        """Accept sound: float32 in [-1, 1], (samples, channels), at ``features.RATE``."""
        # One channel among many silent ones is still heard.
        mono = block.sum(axis=1) / np.float32(max(1, block.shape[1]) ** 0.5)
        # A driver may give anything; one bad sample would stay in the gain for ever.
        mono = np.clip(np.nan_to_num(mono, nan=0.0, posinf=0.0, neginf=0.0), -4, 4)
        self._waiting = np.concatenate((self._waiting, mono))
        while len(self._waiting) >= HOP:
            self._window = np.concatenate((self._window[HOP:], self._waiting[:HOP]))
            self._waiting = self._waiting[HOP:]
            self._hop()

    def _hop(self) -> None:
        """Analyse the newest window."""
        self.hops += 1
        found = spectra(self._window[None])
        level = float(found.level[0])
        opened = self._gate(level)
        loud = max(self._gains["level"].reference, level, _QUIETEST_LEVEL)
        self._bands.append(found.bands)
        onset, kick = flux(found.bands, self._bands[0], loud)
        raw = {
            "level": level,
            "bass": float(found.bass[0]),
            "mid": float(found.mid[0]),
            "high": float(found.high[0]),
            "centroid": float(found.centroid[0]),
            "onset": self._unusual["onset"]([float(onset[0])])[0] * opened,
            "kick": self._unusual["kick"]([float(kick[0])])[0] * opened,
        }
        self.beats.push(raw["onset"] + 0.5 * raw["kick"], raw["kick"])
        self._quiet = 0 if opened else self._quiet + 1
        self._follow(raw, opened)

    def _follow(self, raw: dict[str, float], opened: float) -> None:
        """Set the curves to what the gains and the gate make of the features."""
        was_silent, self.silent = self.silent, self._quiet >= _SILENT_HOPS
        if self.silent:
            if not was_silent:
                self._envelopes = {name: Envelope() for name in NAMES}
                self.beats.clear()
                self.values = dict.fromkeys(NAMES, 0.0)
            return
        loud = self._gains["level"].reference
        for name, value in raw.items():
            gain = self._gains[name]
            smooth = self._envelopes[name]([value * opened])[0]
            # Events leave most of the time empty; only what they do themselves counts.
            between = name in self._unusual and smooth < _BETWEEN * gain.reference
            if opened and not between:
                gain.follow(smooth, self._lowest(name, loud))
            self.values[name] = gain.scaled(smooth)

    @staticmethod
    def _lowest(name: str, loud: float) -> float:
        """Return the least that counts as 1: a flute has no bass."""
        if name == "level":
            return _QUIETEST_LEVEL
        return QUIETEST[name] * (loud if name in EDGES else 1.0)
