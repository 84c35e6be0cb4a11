"""Beats are found where there are some, to within a frame, and not elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sounds

from stream_dream.automation.sound import tempo as tempo_module
from stream_dream.automation.sound.analysis import SoundAnalysis, analyse
from stream_dream.automation.sound.beats import Beats, find_beats
from stream_dream.errors import SettingsError
from stream_dream.media.write.sound import Soundtrack

LENGTH = 24.0


def analysed(tmp_path: Path, sound: sounds.Sound) -> SoundAnalysis:
    return analyse(Soundtrack(sounds.write(tmp_path / "sound.wav", sound)))


def assert_found(found: SoundAnalysis, true: sounds.Times, within: float = 0.04) -> None:
    assert found.beats
    times = np.array(found.beats.times)
    assert sounds.recall(times, true, within) >= 0.95
    assert sounds.extra(times, true, within) <= 0.1
    assert found.confidence > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("bpm", range(60, 181, 10))
def test_a_metronome(tmp_path: Path, bpm: int) -> None:
    true = sounds.regular(bpm, LENGTH)
    found = analysed(tmp_path, sounds.place(true, sounds.click(), LENGTH))
    assert_found(found, true, within=0.01)
    assert found.tempo == pytest.approx(bpm, rel=0.005)
    assert found.confidence > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("bpm", [80, 120, 160])
def test_swing(tmp_path: Path, bpm: int) -> None:
    true, between = sounds.swing(bpm, LENGTH)
    click = sounds.click()
    sound = sounds.place(true, click, LENGTH) + sounds.place(between, click, LENGTH, gain=0.5)
    assert_found(analysed(tmp_path, sound), true)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), [(80, 140), (150, 90)])
def test_a_tempo_that_changes(tmp_path: Path, first: int, last: int) -> None:
    true = sounds.ramp(first, last, 60)
    assert_found(analysed(tmp_path, sounds.place(true, sounds.click(), 60)), true)


@pytest.mark.slow
@pytest.mark.parametrize("bpm", [70, 90, 112, 128, 150])
def test_drums(tmp_path: Path, bpm: int) -> None:
    assert_found(analysed(tmp_path, sounds.drums(bpm, LENGTH)), sounds.regular(bpm, LENGTH))


@pytest.mark.slow
@pytest.mark.parametrize(("bpm", "seed"), [(76, 1), (96, 2), (112, 3), (128, 4), (145, 5)])
def test_music(tmp_path: Path, bpm: int, seed: int) -> None:
    found = analysed(tmp_path, sounds.song(bpm, LENGTH, seed=seed))
    assert_found(found, sounds.regular(bpm, LENGTH, 0.5))


@pytest.mark.slow
def test_music_that_begins_quietly_and_pauses(tmp_path: Path) -> None:
    bpm = 112
    true = sounds.regular(bpm, 40, 0.5)
    sound = sounds.song(bpm, 40)
    time = sounds.seconds(40)
    gain = np.where(time < 10, 0.1, np.where((time > 20) & (time < 22), 0.0, 1.0))
    found = analysed(tmp_path, sound * gain)
    assert_found(found, true[(true < 20) | (true > 22)])


@pytest.mark.slow
def test_quiet_music_has_the_same_beats(tmp_path: Path) -> None:
    loud = analysed(tmp_path, sounds.song(112, LENGTH))
    quiet = analysed(tmp_path, 0.01 * sounds.song(112, LENGTH))
    assert loud.beats
    assert quiet.beats
    np.testing.assert_allclose(quiet.beats.times, loud.beats.times, atol=0.01)


@pytest.mark.slow
def test_a_bar_begins_with_the_bass_drum(tmp_path: Path) -> None:
    beats = sounds.regular(110, LENGTH, 0.4 + 60 / 110)
    click, kick = sounds.hi_hat(), sounds.kick_drum()
    first = sounds.place(beats[3::4], kick, LENGTH)
    found = analysed(tmp_path, first + sounds.place(beats, click, LENGTH)).beats
    assert found
    bar = found.times[found.first_bar]
    assert np.abs(beats[3::4] - bar).min() < 0.04


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["noise", "fading noise", "surf", "babble", "sine", "sweep"])
def test_sound_without_a_beat(tmp_path: Path, kind: str) -> None:
    sound = {
        "noise": lambda: sounds.noise(LENGTH),
        "fading noise": lambda: sounds.noise(LENGTH) * np.minimum(sounds.seconds(LENGTH) / 5, 1),
        "surf": lambda: sounds.surf(LENGTH),
        "babble": lambda: sounds.babble(LENGTH),
        "sine": lambda: sounds.sine(440, LENGTH),
        "sweep": lambda: sounds.sweep(30, 15000, LENGTH),
    }[kind]()
    assert analysed(tmp_path, sound).confidence < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("length", [2.0, 3.0])
def test_short_sounds(tmp_path: Path, length: float) -> None:
    true = sounds.regular(120, length, 0.1)
    found = analysed(tmp_path, sounds.place(true, sounds.click(), length))
    assert found.beats
    assert sounds.recall(np.array(found.beats.times), true) >= 0.7


@pytest.mark.parametrize("values", [0, 100, 1000])
def test_nothing_has_no_beats(values: int) -> None:
    pytest.importorskip("librosa")
    assert find_beats(np.zeros(values, np.float32), np.zeros(values, np.float32)) == Beats()


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(SettingsError, match=r"extra music: pip install 'stream-dream\[music\]'$"):
        tempo_module.load_librosa()


def test_librosa_is_imported_only_for_beats() -> None:
    code = (
        "import sys, stream_dream.automation.sound.analysis;"
        "sys.exit(str({'librosa', 'numba', 'scipy'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.stderr.strip()
