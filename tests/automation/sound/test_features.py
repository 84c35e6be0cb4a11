"""What one window of sound says, and how curves follow it."""

from __future__ import annotations

import numpy as np
import pytest
import sounds
from numpy.typing import NDArray

from stream_dream.automation.sound.features import (
    EDGES,
    HOP,
    LAG,
    RATE,
    WINDOW,
    Envelope,
    Spectra,
    Unusual,
    flux,
    spectra,
)


def spectra_of(sound: NDArray[np.float64]) -> Spectra:
    """Analyse a sound of ``RATE`` samples a second in windows ``HOP`` apart."""
    windows = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float32), WINDOW)[::HOP]
    return spectra(windows)


def onsets_of(sound: NDArray[np.float64], loud: float) -> NDArray[np.float32]:
    bands = spectra_of(sound).bands
    return flux(bands[LAG:], bands[:-LAG], loud)[0]


@pytest.mark.parametrize("pitch", [60, 120, 170, 250, 500, 1000, 1800, 2300, 5000, 11000])
def test_a_tone_lands_in_its_band_with_its_rms(pitch: float) -> None:
    time = sounds.seconds(0.5, RATE)
    found = spectra_of(0.5 * np.sin(2 * np.pi * pitch * time))
    bands = {name: getattr(found, name) for name in EDGES}
    own = next(name for name, (low, high) in EDGES.items() if low <= pitch < high)
    np.testing.assert_allclose(found.level, 0.5 / np.sqrt(2), rtol=0.03)
    np.testing.assert_allclose(bands.pop(own), found.level, rtol=0.05)
    assert max(float(other.max()) for other in bands.values()) < 0.2 * 0.35


def test_brightness_rises_with_pitch() -> None:
    time = sounds.seconds(0.2, RATE)
    tones = [np.sin(2 * np.pi * pitch * time) for pitch in (60, 200, 800, 3000, 10000)]
    means = [float(spectra_of(tone).centroid.mean()) for tone in tones]
    assert means == sorted(means)
    assert 0 <= means[0] < 0.4
    assert 0.8 < means[-1] <= 1


def test_silence_and_a_constant_are_nothing() -> None:
    for value in (0.0, 0.7):
        found = spectra_of(np.full(RATE, value))
        assert max(float(np.abs(values).max()) for values in found) < 1e-6
        assert onsets_of(np.full(RATE, value), 0.0).max() < 1e-3


def test_onsets_do_not_depend_on_loudness() -> None:
    sound = np.concatenate((np.zeros(RATE // 2), 0.8 * np.sin(np.arange(RATE // 2) * 0.3)))
    loud = onsets_of(sound, 0.5)
    quiet = onsets_of(sound / 100, 0.5 / 100)
    np.testing.assert_allclose(loud, quiet, atol=1e-3)
    assert loud.argmax() == pytest.approx((RATE // 2 - WINDOW // 2) / HOP - LAG / 2, abs=2)


def test_a_vibrato_is_no_onset_but_a_new_note_is() -> None:
    time = sounds.seconds(2, RATE)
    vibrato = 0.5 * np.sin(2 * np.pi * 880 * time + 5 * np.sin(2 * np.pi * 6 * time))
    notes = np.where(time < 1, np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 660 * time)) / 2
    assert onsets_of(vibrato, 0.35).max() < 0.3 * onsets_of(notes, 0.35).max()


def test_only_low_onsets_are_kicks() -> None:
    def highest(sound: NDArray[np.float64]) -> float:
        bands = spectra_of(np.pad(sound, (RATE // 4, RATE // 4))).bands
        return float(flux(bands[LAG:], bands[:-LAG], 0.3)[1].max())

    time = sounds.seconds(0.2, RATE)
    fading = np.exp(-time / 0.05)
    kick = highest(np.sin(2 * np.pi * 60 * time) * fading)
    assert highest(np.sin(2 * np.pi * 3000 * time) * fading) < 0.2 * kick


def test_an_envelope_rises_in_20_ms_and_falls_in_250() -> None:
    follow = Envelope()
    rising = follow([1.0] * 50)
    falling = follow([0.0] * 100)
    assert rising[1] == pytest.approx(1 - np.exp(-1), abs=1e-6)  # after two hops of 10 ms
    assert rising[-1] == pytest.approx(1, abs=1e-6)
    assert falling[24] == pytest.approx(np.exp(-1), abs=1e-4)


@pytest.mark.parametrize("kind", [Envelope, Unusual])
def test_curves_continue_from_block_to_block(kind: type[Envelope | Unusual]) -> None:
    values = np.random.default_rng(0).random(300).tolist()
    whole, parts = kind(), kind()
    assert whole(values) == parts(values[:100]) + parts(values[100:101]) + parts(values[101:])
