"""The curves of a film's sound: which band, when, how much, and in whose time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import clips
import numpy as np
import pytest
import sounds

from stream_dream.automation.curves import SOUND_CURVES
from stream_dream.automation.sound import analysis
from stream_dream.automation.sound.analysis import SoundAnalysis, analyse
from stream_dream.automation.sound.beats import Beats
from stream_dream.automation.sound.features import EDGES, NAMES
from stream_dream.errors import SettingsError
from stream_dream.media.write.sound import Soundtrack

MEGABYTES = 300
"""Memory that an hour of sound may take, above that of the imports."""


def analysed(path: Path, start: float = 0.0, end: float | None = None) -> SoundAnalysis:
    return analyse(Soundtrack(path, start, end), find_beats=False)


def at(found: SoundAnalysis, name: str, *seconds: float) -> list[float]:
    return found.curves[name].sample(np.array(seconds)).tolist()


def begins(found: SoundAnalysis) -> float:
    """Return when the level passes a tenth, in seconds."""
    level = found.curves["level"]
    return float(level.times[np.argmax(level.values > 0.1)])


def test_every_curve_is_there() -> None:
    assert NAMES == SOUND_CURVES


def test_a_sweep_passes_through_the_bands_in_order(tmp_path: Path) -> None:
    path = sounds.write(tmp_path / "sweep.wav", sounds.sweep(30, 11000, 12))
    found = analysed(path)
    for name, (low, high) in EDGES.items():
        ends = [12 * np.log(edge / 30) / np.log(11000 / 30) for edge in (low, high)]
        middle = (max(ends[0], 0) + min(ends[1], 12)) / 2
        assert at(found, name, middle)[0] > 0.9
        others = EDGES.keys() - {name}
        assert max(at(found, other, middle)[0] for other in others) < 0.15
    brightness = at(found, "centroid", 2, 4, 6, 8, 10)
    assert brightness == sorted(brightness)
    assert max(at(found, "onset", *np.arange(1, 11.5, 0.01))) < 0.3


def test_curves_are_scaled_to_their_95th_percentile(tmp_path: Path) -> None:
    found = analysed(sounds.write(tmp_path / "song.wav", sounds.song(112, 10)))
    for name, curve in found.curves.items():
        values = curve.values[:1000]
        assert 0 <= values.min() <= values.max() <= 1, name
        assert np.percentile(values, 95) == pytest.approx(1, abs=0.02), name
        assert (values == 1).mean() < 0.1, name


@pytest.mark.slow
@pytest.mark.parametrize("every", [0.5, 2.0, 9.0])
def test_rare_onsets_reach_1(tmp_path: Path, every: float) -> None:
    times = np.arange(1, 30, every)
    sound = sounds.place(times, sounds.click(), 30) + sounds.place(times, sounds.kick_drum(), 30)
    found = analysed(sounds.write(tmp_path / "clicks.wav", sound))
    for name in ("onset", "kick"):
        peaks = [max(at(found, name, *np.arange(time, time + 0.1, 0.01))) for time in times]
        assert min(peaks) > 0.8
        before = at(found, name, *(times - 0.05))
        assert max(before) < 0.4


def test_attack_and_release(tmp_path: Path) -> None:
    sound = np.concatenate((np.zeros(sounds.RATE), sounds.sine(1000, 2), np.zeros(sounds.RATE)))
    found = analysed(sounds.write(tmp_path / "tone.wav", sound))
    assert at(found, "level", 0.9)[0] < 0.01
    assert at(found, "level", 1.1)[0] > 0.95
    end, later = at(found, "level", 3.1, 3.35)
    assert later / end == pytest.approx(np.exp(-1), rel=0.1)


def test_silence_is_zero(tmp_path: Path) -> None:
    found = analysed(sounds.write(tmp_path / "silence.wav", np.zeros(3 * sounds.RATE)))
    assert all(not curve.values.any() for curve in found.curves.values())
    assert found.seconds == pytest.approx(3)
    assert not found.waveform.values.any()
    assert (found.beats, found.tempo, found.confidence) == (None, None, 0)


def test_dither_is_next_to_silence(tmp_path: Path) -> None:
    found = analysed(sounds.write(tmp_path / "dither.wav", sounds.noise(3, gain=1 / 32768)))
    assert max(float(curve.values.max()) for curve in found.curves.values()) < 0.1


def test_what_is_missing_is_not_blown_up(tmp_path: Path) -> None:
    flute = sounds.sine(880, 5) + sounds.noise(5, gain=0.0005)
    found = analysed(sounds.write(tmp_path / "flute.wav", flute))
    assert found.curves["mid"].values.max() == 1
    assert max(at(found, "bass", 1, 2, 3)) < 0.1
    assert max(at(found, "high", 1, 2, 3)) < 0.2


@pytest.mark.parametrize("rate", [8000, 96000])
def test_any_rate(tmp_path: Path, rate: int) -> None:
    low, high = 100, 3000
    time = sounds.seconds(2, rate)
    sound = 0.5 * np.where(
        time < 1, np.sin(2 * np.pi * low * time), np.sin(2 * np.pi * high * time)
    )
    found = analysed(sounds.write(tmp_path / "tones.wav", sound, rate))
    assert at(found, "bass", 0.5)[0] > 0.9
    assert at(found, "high", 1.5)[0] > 0.9
    assert at(found, "high", 0.5)[0] < 0.1
    assert found.seconds == pytest.approx(2, abs=0.01)


def test_sound_around_the_listener(tmp_path: Path) -> None:
    raw = np.zeros((96000, 8), np.int16)
    time = np.arange(48000) / 48000
    raw[:48000, 3] = 20000 * np.sin(2 * np.pi * 50 * time)  # the channel for deep sounds
    raw[48000:, 7] = 20000 * np.sin(2 * np.pi * 900 * time)  # a side
    form = ("-f", "s16le", "-ar", 48000, "-ch_layout", "7.1", "-i", "-")
    clips.ffmpeg(*form, tmp_path / "around.wav", stdin=raw.tobytes())
    found = analysed(tmp_path / "around.wav")
    assert at(found, "bass", 0.5)[0] > 0.9
    assert at(found, "mid", 1.5)[0] > 0.9


def test_time_begins_with_the_first_picture_of_the_excerpt(tmp_path: Path) -> None:
    beep = clips.make_beep(tmp_path / "beep.mp4")
    assert begins(analysed(beep)) == pytest.approx(1, abs=0.04)
    assert begins(analysed(beep, start=0.6)) == pytest.approx(0.4, abs=0.04)
    assert begins(analysed(beep, start=0.6, end=1.5)) == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize(("picture", "sound", "heard"), [(0, 0.5, 1.5), (0.5, 0, 0.5)])
def test_picture_and_sound_that_begin_apart(
    tmp_path: Path, picture: float, sound: float, heard: float
) -> None:
    beep = clips.make_beep(tmp_path / "beep.mp4")
    parts = ("-itsoffset", picture, "-i", beep, "-itsoffset", sound, "-i", beep)
    clips.ffmpeg(*parts, "-map", "0:v", "-map", "1:a", "-c", "copy", tmp_path / "apart.mkv")
    assert begins(analysed(tmp_path / "apart.mkv")) == pytest.approx(heard, abs=0.05)


def test_an_excerpt_is_scaled_like_the_whole(tmp_path: Path) -> None:
    sound = sounds.noise(6) * np.repeat([0.1, 1.0], 3 * sounds.RATE)
    path = sounds.write(tmp_path / "sound.wav", sound)
    whole, part = analysed(path), analysed(path, start=1, end=2)
    assert part.seconds == pytest.approx(1)
    for name in NAMES:
        times = np.arange(0, 1, 0.013)
        np.testing.assert_allclose(
            part.curves[name].sample(times), whole.curves[name].sample(times + 1), atol=1e-6
        )


def test_after_the_end_of_the_sound_all_is_still(tmp_path: Path) -> None:
    path = sounds.write(tmp_path / "sound.wav", sounds.noise(1))
    found = analysed(path)
    assert found.seconds == pytest.approx(1)
    assert found.waveform.sample(np.array([0.5])) > 0.3
    assert found.waveform.sample(np.array([1.5])) == 0
    for start, later in ((0.0, 9.0), (5.0, 0.0)):
        found = analysed(path, start)
        assert [at(found, name, later)[0] for name in NAMES] == [0] * len(NAMES)
    assert found.seconds == 0


def test_beats_are_counted_from_the_first_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats = Beats((0.5, 1.0, 1.5, 2.0, 2.5, 3.0), 120.0, 0.9, first_bar=1)
    monkeypatch.setattr(analysis, "beats_of", lambda onset, kick: beats)
    monkeypatch.setattr(analysis, "load_librosa", lambda: None)
    path = sounds.write(tmp_path / "sound.wav", sounds.noise(4))
    whole = analyse(Soundtrack(path)).beats
    part = analyse(Soundtrack(path, 1.2, 3)).beats
    last = analyse(Soundtrack(path, 3.5)).beats
    assert whole
    assert part
    assert last
    assert (whole.times, whole.first_bar) == (beats.times, 1)
    assert part.times == pytest.approx((0.3, 0.8, 1.3, 1.8))
    assert part.first_bar == 3  # at 3 s of the file, as at 1 s
    assert last.times == pytest.approx((-1.0, -0.5))


@pytest.mark.slow
def test_a_file_is_analysed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sounds.write(tmp_path / "song.wav", sounds.drums(112, 4))
    track, cache = Soundtrack(path, 0.5, 3), tmp_path / "cache" / "sound"
    first = analyse(track, cache=cache, find_beats=False)
    measured: list[str] = []
    measure = analysis.measure
    monkeypatch.setattr(
        analysis, "measure", lambda blocks: measured.append("again") or measure(blocks)
    )
    second = analyse(track, cache=cache, find_beats=False)
    assert not measured
    for name in NAMES:
        np.testing.assert_array_equal(first.curves[name].values, second.curves[name].values)
        np.testing.assert_array_equal(first.curves[name].times, second.curves[name].times)
    assert first.seconds == second.seconds
    next(cache.iterdir()).write_bytes(b"PK damaged")
    analyse(track, cache=cache, find_beats=False)
    sounds.write(path, sounds.drums(90, 4))
    analyse(track, cache=cache, find_beats=False)
    assert measured == ["again", "again"]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    path = sounds.write(tmp_path / "sound.wav", sounds.noise(1))
    (tmp_path / "cache").write_text("a file")
    assert analyse(Soundtrack(path), cache=tmp_path / "cache", find_beats=False).seconds == 1


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    mute = clips.make(tmp_path / "mute.mp4")
    with pytest.raises(SettingsError, match=r"mute\.mp4 has no sound: give --soundtrack a file"):
        analysed(mute)


def test_a_missing_extra_is_named_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    monkeypatch.setattr(analysis, "measure", lambda blocks: pytest.fail("measured"))
    path = sounds.write(tmp_path / "sound.wav", sounds.noise(1))
    with pytest.raises(SettingsError, match="needs the extra music"):
        analyse(Soundtrack(path))


@pytest.mark.slow
def test_real_sound_of_six_channels(tmp_path: Path) -> None:
    found = analyse(Soundtrack(clips.real_clip("bigbuckbunny.mp4")), cache=tmp_path)
    assert found.seconds == pytest.approx(5.31, abs=0.1)
    assert all(curve.values.max() > 0.5 for curve in found.curves.values())
    assert found.confidence < 0.3  # birds, wind and a single chord


# Not by getrusage: its peak begins with that of the process that starts this one.
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_an_hour_takes_little_memory(tmp_path: Path) -> None:
    hour = tmp_path / "hour.wav"
    beeps = "sine=frequency=220:beep_factor=4:sample_rate=16000:duration=3600"
    clips.ffmpeg("-f", "lavfi", "-i", beeps, hour)
    code = (
        "import re, sys\n"
        "from pathlib import Path\n"
        "from stream_dream.automation.sound.analysis import analyse\n"
        "from stream_dream.media.write.sound import Soundtrack\n"
        "status = Path('/proc/self/status')\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+) kB', status.read_text())[1])\n"
        "analyse(Soundtrack(Path(sys.argv[1])))\n"  # imports and compiles librosa
        "before = peak()\n"
        "found = analyse(Soundtrack(Path(sys.argv[2])))\n"
        "print(peak() - before, found.tempo)\n"
    )
    short = sounds.write(tmp_path / "short.wav", sounds.drums(120, 10))
    command = [sys.executable, "-c", code, str(short), str(hour)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    memory, tempo = map(float, done.stdout.split())
    assert memory / 1024 < MEGABYTES
    assert tempo == pytest.approx(60, rel=0.01)
