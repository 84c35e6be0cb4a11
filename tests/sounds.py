"""Sounds made with code: clicks, swing, ramps, sweeps, drums and a little song."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 44100

Sound = NDArray[np.float64]
Times = NDArray[np.float64]


def write(path: Path, sound: Sound, rate: int = RATE) -> Path:
    """Write a sound, (samples,) or (samples, channels) in [-1, 1], as a WAV file of 16 bits."""
    channels = 1 if sound.ndim == 1 else sound.shape[1]
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes(np.round(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def seconds(length: float, rate: int = RATE) -> Times:
    """Return the times of the samples of a sound."""
    return np.arange(round(length * rate)) / rate


def place(times: Sequence[float] | Times, hit: Sound, length: float, gain: float = 1.0) -> Sound:
    """Return silence with a short sound at each time."""
    made = np.zeros(round(length * RATE))
    for time in times:
        first = round(float(time) * RATE)
        part = hit[: max(0, len(made) - first)]
        made[first : first + len(part)] += gain * part
    return made


def regular(bpm: float, length: float, start: float = 0.3) -> Times:
    """Return the times of beats."""
    return np.arange(start, length - 0.05, 60 / bpm)


def swing(bpm: float, length: float, start: float = 0.3) -> tuple[Times, Times]:
    """Return beats, and the notes between them, at two thirds of the way."""
    beats = regular(bpm, length, start)
    between = beats + 60 / bpm * 2 / 3
    return beats, between[between < length - 0.05]


def ramp(first: float, last: float, length: float, start: float = 0.3) -> Times:
    """Return beats of a tempo that changes evenly from ``first`` to ``last`` BPM."""
    time, made = start, []
    while time < length - 0.05:
        made.append(time)
        time += 60 / (first + (last - first) * time / length)
    return np.array(made)


def click(pitch: float = 1500) -> Sound:
    """Return 30 ms of a metronome."""
    time = seconds(0.03)
    return np.asarray(0.8 * np.sin(2 * np.pi * pitch * time) * np.exp(-time / 0.006))


def sine(pitch: float, length: float, gain: float = 0.5) -> Sound:
    """Return a steady tone that begins and ends softly."""
    time = seconds(length)
    fade = np.clip(np.minimum(time, length - time) / 0.02, 0, 1)
    return np.asarray(gain * fade * np.sin(2 * np.pi * pitch * time))


def noise(length: float, gain: float = 0.3, seed: int = 0) -> Sound:
    """Return white noise."""
    return gain * np.random.default_rng(seed).standard_normal(round(length * RATE))


def surf(length: float, seed: int = 0) -> Sound:
    """Return deep noise that swells and fades, as the sea does, never at the same pace."""
    rng = np.random.default_rng(seed)
    deep = np.convolve(rng.standard_normal(round(length * RATE)), np.ones(20) / 20, mode="same")
    ends = np.concatenate(([0], np.cumsum(rng.uniform(1.5, 6, round(length)))))
    time = seconds(length)
    swell = np.interp(time, ends, np.arange(len(ends))) * np.pi
    return np.asarray(0.6 * deep * (0.2 + np.square(np.sin(swell))))


def sweep(low: float, high: float, length: float, rate: int = RATE) -> Sound:
    """Return a tone that glides evenly, in octaves, from one pitch to another."""
    time, octaves = seconds(length, rate), np.log(high / low) / length
    phase = low * (np.exp(octaves * time) - 1) / octaves
    return np.asarray(0.5 * np.sin(2 * np.pi * phase))


def babble(length: float, seed: int = 0) -> Sound:
    """Return something like speech: syllables of uneven length, vowels and hisses, pauses."""
    rng, parts, total = np.random.default_rng(seed), [], 0.0
    while total < length:
        time = seconds(rng.uniform(0.08, 0.34))
        shape = np.abs(np.sin(np.pi * time / time[-1])) ** rng.uniform(0.5, 1.5)
        pitch, mouth = rng.uniform(90, 180) * (1 + 0.1 * time / time[-1]), rng.uniform(300, 900)
        harmonics = [k * pitch for k in range(1, 20)]
        vowel = sum(
            np.sin(2 * np.pi * harmonic * time) / (1 + np.abs(harmonic - mouth) / 200)
            for harmonic in harmonics
        )
        voiced = 0.3 * vowel if rng.random() < 0.7 else 0.2 * rng.standard_normal(len(time))
        pause = rng.uniform(0.2, 0.8) if rng.random() < 0.15 else rng.uniform(0, 0.05)
        parts += [shape * voiced * rng.uniform(0.3, 1), np.zeros(round(pause * RATE))]
        total += len(time) / RATE + pause
    return np.concatenate(parts)[: round(length * RATE)]


def kick_drum() -> Sound:
    """Return a bass drum: a tone that falls from 150 to 50 Hz."""
    time = seconds(0.25)
    phase = 2 * np.pi * (50 * time + 100 * 0.03 * (1 - np.exp(-time / 0.03)))
    return np.asarray(0.9 * np.sin(phase) * np.exp(-time / 0.08))


def snare_drum(seed: int = 1) -> Sound:
    """Return a snare drum: noise and a tone of 190 Hz."""
    time = seconds(0.2)
    rattle = np.random.default_rng(seed).standard_normal(len(time)) * np.exp(-time / 0.05)
    return 0.25 * rattle + 0.4 * np.sin(2 * np.pi * 190 * time) * np.exp(-time / 0.04)


def hi_hat(seed: int = 2) -> Sound:
    """Return a closed hi-hat: noise above 6 kHz."""
    time = seconds(0.06)
    hiss = np.random.default_rng(seed).standard_normal(len(time))
    return np.asarray(0.3 * np.diff(hiss, n=2, append=[0, 0]) * np.exp(-time / 0.015) / 4)


def drums(bpm: float, length: float, start: float = 0.3) -> Sound:
    """Return a rock beat: bass drum on 1 and 3, snare drum on 2 and 4, hi-hat in eighths."""
    beats = regular(bpm, length, start)
    eighths = np.arange(start, length - 0.05, 30 / bpm)
    bass, snare = place(beats[::2], kick_drum(), length), place(beats[1::2], snare_drum(), length)
    return np.asarray(bass + snare + place(eighths, hi_hat(), length))


def tone(pitch: float, length: float, *, harmonics: int = 6, decay: float = 0.6) -> Sound:
    """Return a plucked note."""
    time = seconds(length)
    waves = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, harmonics + 1))
    fade = np.minimum(time / 0.005, 1) * np.clip((length - time) / 0.02, 0, 1)
    return np.asarray(waves * np.exp(-time / decay) * fade)


def song(bpm: float = 112, length: float = 40, start: float = 0.5, seed: int = 3) -> Sound:
    """Return music in 4/4: drums, a bass in eighths, chords that change each bar, a melody.

    The bass drum plays on 1 and 3 and now and then between; the melody begins where it likes.
    """
    rng, beat = np.random.default_rng(seed), 60 / bpm
    made = 0.8 * drums(bpm, length, start)
    roots = (110.0, 87.31, 130.81, 98.0)
    beats = regular(bpm, length, start)
    for number, time in enumerate(beats):
        root = roots[number // 4 % 4]
        for part in (0.0, 0.5):
            low = root / 2 * (1.5 if rng.random() < 0.2 else 1)
            made += place([time + part * beat], tone(low, beat * 0.45, harmonics=4), length, 0.25)
        if number % 4 == 0:
            for step in (2, 2.5, 3):
                chord = tone(root * step, beat * 3.8, decay=1.5)
                made += place([time], chord, length, 0.06)
        if rng.random() < 0.15:
            made += place([time + 0.75 * beat], kick_drum(), length, 0.5)
        for part in (0.0, 0.25, 0.5, 0.75):
            if rng.random() < (0.35 if part in (0.0, 0.5) else 0.15):
                pitch = root * 4 * 2 ** (rng.choice([0, 3, 5, 7, 10]) / 12)
                made += place([time + part * beat], tone(pitch, beat * 0.4), length, 0.1)
    return made / max(1.0, float(np.abs(made).max()))


def recall(found: Times, true: Times, within: float = 0.04) -> float:
    """Return the share of true beats that have been found."""
    if not len(found):
        return 0.0
    return float(np.mean(np.abs(true[:, None] - found[None]).min(axis=1) <= within))


def extra(found: Times, true: Times, within: float = 0.04) -> float:
    """Return the number of beats found where there is none, as a share of the true ones.

    Those before the first and after the last true beat count too.
    """
    wrong = np.abs(found[:, None] - true[None]).min(axis=1) > within if len(found) else []
    return float(np.sum(wrong)) / len(true)
