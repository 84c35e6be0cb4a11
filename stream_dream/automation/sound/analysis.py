"""Analyses the sound of a film or song: its curves and beats, in the time of the film."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.curves import TimeCurve
from stream_dream.automation.sound import cache_file
from stream_dream.automation.sound.beats import PER_BAR, Beats
from stream_dream.automation.sound.beats import find_beats as beats_of
from stream_dream.automation.sound.cache_file import FileSound
from stream_dream.automation.sound.features import HOP, RATE
from stream_dream.automation.sound.measure import BLOCK, PEAK, measure
from stream_dream.automation.sound.tempo import PER_SECOND, load_librosa
from stream_dream.automation.timeline import AT_ONCE, BeatGrid
from stream_dream.media.read.ffmpeg_report import Probe
from stream_dream.media.read.sound import probe_sound, sound_blocks
from stream_dream.media.write.sound import Soundtrack


@dataclass(frozen=True, slots=True, eq=False)
class SoundAnalysis:
    """What the sound of a film does. All times are in seconds from its first picture.

    Attributes:
        curves: ``level``, ``bass``, ``mid``, ``high``, ``onset``, ``kick`` and ``centroid``, 0 to
            1, a value every 10 ms; 0 where there is no sound.
        beats: The beats; None if nothing repeats, or they were not looked for.
        tempo: BPM, the median; None without beats.
        confidence: How sure beats and tempo are, 0 to 1; below 0.3, there may well be none.
        seconds: Length of the sound in the excerpt.
        waveform: The largest absolute samples, 0 to 1, a value every 20 ms, for drawing.
    """

    curves: Mapping[str, TimeCurve]
    beats: BeatGrid | None
    tempo: float | None
    confidence: float
    seconds: float
    waveform: TimeCurve


def analyse(
    track: Soundtrack, *, cache: Path | None = None, find_beats: bool = True
) -> SoundAnalysis:
    """Analyse a soundtrack.

    The whole file is analysed, whatever the excerpt: a preview moves as the film will. The result
    depends on nothing but the file, to the bit on one machine.

    Args:
        track: The soundtrack.
        cache: A folder that keeps what is found in a file until the file changes, 11 MB an hour;
            None to keep nothing.
        find_beats: False to do without beats, which need the extra ``music``.

    Raises:
        SettingsError: If the file has no sound, or the extra is missing.
        SourceError: If the file cannot be read, or its sound not decoded.
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    file = probe_sound(track.path)
    kept = cache_file.cache_file(cache, file, with_beats=find_beats) if cache else None
    found = cache_file.load(kept) if kept else None
    if found is None:
        found = _analyse_file(file, with_beats=find_beats)
        if kept:
            cache_file.save(kept, found)
    return _excerpt(found, file.video_start + track.start, track)


def _analyse_file(file: Probe, *, with_beats: bool) -> FileSound:
    if with_beats:
        load_librosa()  # before the work that would be lost without it
    found = measure(sound_blocks(file, RATE, BLOCK))
    beats = Beats()
    if with_beats:
        strengths = math.ceil(found.seconds * PER_SECOND)
        beats = beats_of(found.onset[:strengths], found.kick[:strengths])
    return FileSound(found.curves, found.peaks, found.seconds, beats)


def _excerpt(found: FileSound, origin: float, track: Soundtrack) -> SoundAnalysis:
    """Return what was found, in seconds from ``origin``, the first picture's, in those before."""
    wanted = math.inf if track.end is None else track.end - track.start
    curves = {
        name: _cut(values, RATE / HOP, 0.0, origin, wanted) for name, values in found.curves.items()
    }
    grid = _grid(found.beats, origin)
    return SoundAnalysis(
        curves=curves,
        beats=grid,
        tempo=found.beats.tempo if grid else None,
        confidence=found.beats.confidence if grid else 0.0,
        seconds=max(0.0, min(wanted, found.seconds - origin)),
        waveform=_cut(found.peaks, RATE / PEAK, 0.5, origin, wanted),
    )


def _cut(
    values: NDArray[np.float32], rate: float, first: float, origin: float, wanted: float
) -> TimeCurve:
    """Return the values of an excerpt and one on either side, at least the last of all.

    Args:
        values: Values, (n,), ``rate`` a second; the last one holds for ever.
        rate: Values a second.
        first: When the first value holds, as a share of the distance between two.
        origin: Start of the excerpt in seconds.
        wanted: Length of the excerpt in seconds.
    """
    start = min(max(0, math.floor(origin * rate - first)), len(values) - 1)
    end = len(values)
    if wanted < math.inf:
        end = min(end, max(start + 1, math.ceil((origin + wanted) * rate - first) + 1))
    times = (np.arange(start, end, dtype=np.float64) + first) / rate - origin
    return TimeCurve(times, values[start:end])


def _grid(beats: Beats, origin: float) -> BeatGrid | None:
    """Return the beats from ``origin`` on, at least the last two; beat 0 begins a bar."""
    if len(beats.times) < 2:
        return None
    times = np.array(beats.times) - origin
    first = min(int(np.searchsorted(times, -AT_ONCE)), len(times) - 2)
    bar = (beats.first_bar - first) % PER_BAR
    return BeatGrid(tuple(times[first:].tolist()), PER_BAR, bar)
