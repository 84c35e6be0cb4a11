"""The curves of sound that comes block by block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from stream_dream.automation.sound.features import HOP, NAMES, RATE
from stream_dream.live.sound.live_analysis import LiveAnalysis

Samples = NDArray[np.float32]


def seconds(length: float) -> NDArray[np.float64]:
    return np.arange(round(length * RATE)) / RATE


def tone(hertz: float, length: float, gain: float = 0.3) -> Samples:
    return (gain * np.sin(2 * np.pi * hertz * seconds(length))).astype(np.float32)


def hiss(length: float, gain: float) -> Samples:
    noise = np.random.default_rng(0).standard_normal(round(length * RATE))
    return (gain * noise).astype(np.float32)


def nothing(length: float) -> Samples:
    return np.zeros(round(length * RATE), np.float32)


def thump() -> Samples:
    time = seconds(0.25)
    drum = np.sin(2 * np.pi * (55 * time + 3 * (1 - np.exp(-time / 0.03))))
    return (0.8 * drum * np.exp(-time / 0.08)).astype(np.float32)


def click() -> Samples:
    return np.repeat(np.array([0.5, -0.5], np.float32), 24)


def curves(
    sound: Samples, *, loopback: bool = True, block: int = HOP
) -> dict[str, NDArray[np.float64]]:
    """Return the curves, a value a hop."""
    analysis = LiveAnalysis(loopback=loopback)
    rows = []
    for start in range(0, len(sound) // block * block, block):
        analysis.push(sound[start : start + block, None])
        rows.append(analysis.values)
        analysis.values = dict(analysis.values)
    return {name: np.array([row[name] for row in rows]) for name in NAMES}


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (thump, ("level", "bass", "onset", "kick")),
        (click, ("level", "mid", "high", "onset", "centroid")),
    ],
)
def test_curves_rise_at_most_40_ms_after_the_sound(
    make: Callable[[], Samples], names: tuple[str, ...]
) -> None:
    # The other 20 ms are for the sound card and the way from there.
    for shift in range(0, HOP, 40):  # where in a hop it begins
        first = RATE + shift
        sound = nothing(3)
        for start in range(first, 2 * RATE + shift + 1, RATE // 2):
            sound[start : start + len(make())] += make()
        start = 2 * RATE + shift
        found = curves(sound)
        for name in names:
            # The value of hop h is known when sample (h + 1) * HOP has come.
            before = found[name][start // HOP - 1]
            rise = found[name][start // HOP : start // HOP + 20]
            half = (before + rise.max()) / 2
            assert rise.max() > before + 0.2
            delay = (start // HOP + int(np.argmax(rise >= half)) + 1) * HOP - start
            assert delay <= 0.040 * RATE, (name, delay)


@pytest.mark.slow
def test_a_value_depends_only_on_what_came_before() -> None:
    sound = np.concatenate((hiss(1, 0.1), thump(), nothing(0.5), tone(700, 1)))
    half = len(sound) // 2 // HOP
    changed = sound.copy()
    changed[half * HOP :] = hiss(len(sound) / RATE, 0.9)[half * HOP : len(sound)]
    for name, values in curves(sound).items():
        assert np.array_equal(values[:half], curves(changed)[name][:half])


@pytest.mark.slow
@pytest.mark.parametrize("block", [17, 480, 24_000])
def test_blocks_may_have_any_length(block: int) -> None:
    sound = np.concatenate((hiss(1, 0.1), tone(100, 1)))
    for name, values in curves(sound, block=block).items():
        assert values[-1] == pytest.approx(curves(sound)[name][-1], abs=0.05)


@pytest.mark.parametrize(("hertz", "band"), [(70, "bass"), (700, "mid"), (5000, "high")])
def test_a_tone_is_in_its_band(hertz: float, band: str) -> None:
    found = curves(tone(hertz, 4))
    for name in ("bass", "mid", "high"):
        assert (found[name][-1] > 0.9) == (name == band)


@pytest.mark.slow
def test_the_gain_follows_the_room() -> None:
    phrase = np.concatenate([np.concatenate((thump(), nothing(0.25))) for _ in range(8)])
    loud = curves(phrase)["bass"].max()
    assert loud > 0.9
    quiet = curves(np.concatenate((phrase, *[0.1 * phrase] * 12)))["bass"]
    hops = len(phrase) // HOP
    assert quiet[hops : 2 * hops].max() < 0.3  # not at once
    assert quiet[-hops:].max() > 0.9
    louder = curves(np.concatenate((0.01 * phrase, phrase, phrase)))["bass"]
    assert 0.9 < louder[-hops:].max() <= 1
    assert np.mean(louder[-hops:] > 0.99) < 0.3


def test_two_seconds_of_silence_end_the_music() -> None:
    analysis = LiveAnalysis(loopback=True)
    assert analysis.silent
    analysis.push(tone(440, 1)[:, None])
    assert not analysis.silent
    analysis.push(nothing(1.9)[:, None])
    assert not analysis.silent
    analysis.push(nothing(0.3)[:, None])
    assert analysis.silent
    assert analysis.values == dict.fromkeys(NAMES, 0.0)
    assert analysis.beats.clock is None
    analysis.push(tone(440, 0.1)[:, None])
    assert not analysis.silent
    assert analysis.values["mid"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("gain", [0.0003, 0.001, 0.003])
def test_the_noise_of_a_room_is_silence(gain: float) -> None:
    """-70 to -50 dB of full scale."""
    found = curves(hiss(20, gain), loopback=False)
    assert not found["level"][-1000:].any()
    music = np.concatenate((hiss(5, gain), tone(700, 3, 0.05) + hiss(3, gain), hiss(5, gain)))
    found = curves(music, loopback=False)
    assert found["mid"][700:790].min() > 0.9
    assert not found["mid"][-200:].any()


def test_quiet_music_is_heard_where_there_is_no_noise() -> None:
    assert curves(tone(700, 2, 0.001))["mid"][-1] > 0.9


@pytest.mark.slow
def test_music_through_a_microphone_is_not_taken_for_noise() -> None:
    phrase = np.concatenate([np.concatenate((thump(), nothing(0.25))) for _ in range(60)])
    found = curves(0.3 * phrase + hiss(30, 0.001), loopback=False)
    assert found["bass"][-100:].max() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_a_bad_sample_does_no_harm(bad: float) -> None:
    sound = tone(700, 6)
    sound[RATE] = bad
    found = curves(sound)
    assert all(np.isfinite(values).all() for values in found.values())
    assert found["mid"][-1] > 0.5


def test_one_channel_of_many_is_enough() -> None:
    analysis = LiveAnalysis(loopback=False)
    block = hiss(2, 0.0001)[:, None] * np.ones(8, np.float32)
    block[:, 5] = tone(700, 2, 0.1)
    analysis.push(block)
    analysis.push(np.zeros((0, 8), np.float32))
    assert analysis.values["mid"] > 0.9
