"""The beats of a film, in words and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_dream.automation.sound.analysis import SoundAnalysis
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.settings.automation import Automation

_UNSURE = 0.3
"""Confidence below which there may well be no beat."""

_AT_ONCE = 1e-6
"""Beats by which the first one may precede the first frame, by rounding."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The beats of a film, those included that go on after the last one heard.

    Attributes:
        beats: Seconds of each beat from the first frame, ascending.
        bars: For each beat, whether it begins a bar.
        tempo: BPM, the median; None without beats.
        confidence: How sure they are, 0 to 1; None if they were given.
        given: Where they come from if they were given: ``as given``, or ``from beats.txt``.
    """

    beats: tuple[float, ...] = ()
    bars: tuple[bool, ...] = ()
    tempo: float | None = None
    confidence: float | None = 0.0
    given: str = ""

    @property
    def figures(self) -> str:
        """Tempo and where it comes from, such as ``128.0 BPM (confidence 0.93)``."""
        if self.tempo is None:
            return "no beat found"
        origin = self.given if self.confidence is None else f"confidence {self.confidence:.2f}"
        return f"{self.tempo:.1f} BPM ({origin})"

    @property
    def is_unsure(self) -> bool:
        """True if there may well be no beat."""
        return self.confidence is not None and self.confidence < _UNSURE

    def in_words(self) -> Iterator[str]:
        """Yield tempo and number of beats, and what to do without a clear beat."""
        if self.tempo is not None:
            count = len(self.beats)
            yield f"tempo {self.figures}, {count} {'beat' if count == 1 else 'beats'}"
        if self.is_unsure:
            yield "no clear beat: give --bpm or --beats"

    def to_json(self) -> dict[str, Any]:
        """Return tempo, confidence, and the seconds of beats and of bars as JSON data."""
        figures = {"tempo": self.tempo, "confidence": self.confidence}
        rounded = {name: value and round(value, 3) for name, value in figures.items()}
        beats = [round(beat, 3) for beat in self.beats]
        bars = [beat for beat, begins in zip(beats, self.bars, strict=True) if begins]
        return {**rounded, "beats": beats, "bars": bars}


def rhythm_of(
    automation: Automation, timeline: Timeline, sound: SoundAnalysis | None
) -> Rhythm | None:
    """Return the beats of a film whose length is known; None if there are none to speak of.

    Args:
        automation: What changes, with the beats that were given.
        timeline: The film's time, beats included.
        sound: Its sound, if beats were looked for.
    """
    given = ""
    if automation.beats is not None:
        given = f"from {automation.beats.name}"
    elif automation.bpm is not None:
        given = "as given"
    elif sound is None:
        return None
    grid = timeline.beats
    if grid is None or timeline.frames is None:
        return Rhythm()
    beats, bars = _beats_in(grid, timeline.frames / float(timeline.fps))
    if sound is None or given:
        tempo = float(60 / np.median(np.diff(grid.times)))
        return Rhythm(beats, bars, tempo, None, given)
    return Rhythm(beats, bars, sound.tempo, sound.confidence)


def _beats_in(grid: BeatGrid, seconds: float) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Return the beats from the first frame to the end, and which of them begin bars."""
    first, end = grid.beats_at(np.array([0.0, seconds])).tolist()
    numbers = np.arange(math.ceil(first - _AT_ONCE), math.ceil(end - _AT_ONCE))
    bars = numbers % grid.per_bar == 0
    return tuple(grid.seconds_at(numbers.astype(np.float64)).tolist()), tuple(bars.tolist())
