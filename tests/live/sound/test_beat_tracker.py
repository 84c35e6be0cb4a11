"""The beat is found while the music plays, and is known before it comes."""

from __future__ import annotations

import numpy as np
import pytest
import sounds
from scipy.signal import resample_poly

from stream_dream.automation.sound.features import HOP, RATE
from stream_dream.live.sound.beat_tracker import BeatClock
from stream_dream.live.sound.live_analysis import LiveAnalysis

LENGTH = 24.0
# The tracker has heard enough by then.
SETTLED = 8.0


def beats_heard(sound: sounds.Sound, bpm: float | None = None) -> tuple[sounds.Times, LiveAnalysis]:
    """Return the times at which the clock came to a beat, by the sound heard until then."""
    analysis = LiveAnalysis(loopback=True, bpm=bpm)
    samples = resample_poly(sound, 80, 147).astype(np.float32)[:, None]  # 44.1 to 24 kHz
    times: list[float] = []
    last: float | None = None
    for start in range(0, len(samples) - HOP, HOP):
        analysis.push(samples[start : start + HOP])
        clock = analysis.beats.clock
        beats = clock.beats_at(analysis.hops) if clock else None
        if clock and beats is not None and last is not None and np.floor(beats) > np.floor(last):
            times.append((analysis.hops - beats % 1 * clock.period) * HOP / RATE)
        last = beats
    return np.array(times), analysis


def check(sound: sounds.Sound, true: sounds.Times, bpm: float | None = None) -> LiveAnalysis:
    """Check that 95 % of the beats come within 40 ms, and hardly any besides."""
    heard, analysis = beats_heard(sound, bpm)
    heard, true = heard[heard > SETTLED], true[true > SETTLED]
    assert sounds.recall(heard[heard > SETTLED], true[:-1]) >= 0.95
    assert len(heard) <= 1.1 * len(true) + 1
    return analysis


@pytest.mark.slow
@pytest.mark.parametrize("bpm", [60, 75, 90, 120, 150, 180])
def test_a_metronome_is_followed(bpm: float) -> None:
    true = sounds.regular(bpm, LENGTH)
    analysis = check(sounds.place(true, sounds.click(), LENGTH), true)
    assert analysis.beats.clock is not None
    assert analysis.beats.clock.tempo == pytest.approx(bpm, rel=0.01)
    assert analysis.beats.confidence > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("bpm", [95, 112, 126, 140])
def test_music_is_followed(bpm: float) -> None:
    check(sounds.drums(bpm, LENGTH), sounds.regular(bpm, LENGTH))
    check(sounds.song(bpm, LENGTH, seed=bpm), sounds.regular(bpm, LENGTH, 0.5))


@pytest.mark.slow
def test_swing_and_a_changing_tempo_are_followed() -> None:
    beats, between = sounds.swing(120, LENGTH)
    soft = sounds.place(between, sounds.click(900), LENGTH, 0.6)
    check(sounds.place(beats, sounds.click(), LENGTH) + soft, beats)
    for first, last in ((90, 130), (130, 90)):
        ramp = sounds.ramp(first, last, 40)
        check(sounds.place(ramp, sounds.click(), 40), ramp)


@pytest.mark.slow
def test_bars_begin_with_the_strongest_low_beat() -> None:
    true = sounds.regular(120, LENGTH)
    sound = sounds.place(true, sounds.click(), LENGTH, 0.5)
    sound += sounds.place(true[2::4], sounds.kick_drum(), LENGTH)
    _, analysis = beats_heard(sound)
    clock = analysis.beats.clock
    assert clock is not None
    bars = np.array([clock.beats_at(time * RATE / HOP) / 4 for time in true[2::4]])
    assert np.abs(bars - np.round(bars)).max() < 0.05


@pytest.mark.slow
def test_beats_are_counted_on_after_a_pause() -> None:
    true = sounds.regular(120, 12)
    part = sounds.place(true, sounds.click(), 12, 0.5)
    part += sounds.place(true[::4], sounds.kick_drum(), 12)
    _, first = beats_heard(part)
    _, analysis = beats_heard(np.concatenate((part, np.zeros(4 * sounds.RATE), part)))
    (was, now) = (first.beats.clock, analysis.beats.clock)
    assert was is not None
    assert now is not None
    passed = now.beats_at(analysis.hops) - was.beats_at(first.hops)
    assert passed == pytest.approx(32, abs=0.1)


@pytest.mark.slow
def test_a_given_tempo_is_kept() -> None:
    true = sounds.regular(120, LENGTH)
    _, analysis = beats_heard(sounds.place(true, sounds.click(), LENGTH), bpm=60)
    assert analysis.beats.clock is not None
    assert analysis.beats.clock.tempo == pytest.approx(60)


@pytest.mark.slow
@pytest.mark.parametrize("sound", [sounds.noise(20), sounds.sine(440, 20), np.zeros(44100)])
def test_where_nothing_repeats_there_is_no_beat(sound: sounds.Sound) -> None:
    heard, analysis = beats_heard(sound)
    assert len(heard) == 0
    assert analysis.beats.confidence < 0.3


def test_the_beat_falls_from_one_to_the_next() -> None:
    clock = BeatClock(origin=100, period=50)
    assert clock.tempo == 120
    assert clock.curves_at(100) == (1, 1)
    assert clock.curves_at(150) == (1, 0.75)
    assert clock.curves_at(175) == (0.5, 0.625)
    assert clock.curves_at(299.99) == pytest.approx((0, 0), abs=1e-3)
