"""The sound of every awkward file becomes one channel, in time with its picture."""

from __future__ import annotations

from pathlib import Path

import clips
import numpy as np
import pytest
import sounds
from numpy.typing import NDArray

from stream_dream.errors import SettingsError, SourceError
from stream_dream.media.read.sound import probe_sound, sound_blocks

RATE = 24000


def decoded(path: Path, samples: int = RATE) -> NDArray[np.float32]:
    blocks = list(sound_blocks(probe_sound(path), RATE, samples))
    assert all(len(block) == samples for block in blocks[:-1])
    return np.concatenate(blocks)


def beep(sound: NDArray[np.float32]) -> float:
    """Return when a sound becomes loud, in seconds."""
    return float(np.argmax(np.abs(sound) > 0.1)) / RATE


def make(path: Path, layout: str, rate: int = 48000, codec: str = "pcm_s16le") -> Path:
    """Write a second of noise in all channels of a layout, the same in each."""
    noise = sounds.write(path.with_name("noise.wav"), sounds.noise(1))
    clips.ffmpeg("-i", noise, "-ac", 1, "-ar", rate, path.with_name("mono.wav"))
    # ffmpeg makes no channels without names: join the same one several times.
    count = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8, "22.2": 24, "9 channels": 9}[layout]
    raw = np.frombuffer(
        clips.ffmpeg("-i", path.with_name("mono.wav"), "-f", "s16le", "-"), np.int16
    )
    form = ("-f", "s16le", "-ar", rate, "-ch_layout", layout, "-i", "-", "-c:a", codec)
    clips.ffmpeg(*form, path, stdin=np.repeat(raw, count).tobytes())
    return path


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1", "22.2", "9 channels"])
def test_any_layout_becomes_one_channel(tmp_path: Path, layout: str) -> None:
    sound = decoded(make(tmp_path / "sound.mov", layout))
    assert len(sound) == pytest.approx(RATE, abs=2)
    assert sound.std() == pytest.approx(0.3 * (12 / 22.05) ** 0.5, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8000, 11025, 44100, 96000])
def test_any_rate_keeps_its_length(tmp_path: Path, rate: int) -> None:
    assert len(decoded(make(tmp_path / "sound.wav", "mono", rate))) == pytest.approx(RATE, abs=5)


def test_channels_for_deep_sounds_are_heard(tmp_path: Path) -> None:
    raw = np.zeros((48000, 8), np.int16)
    raw[:, 3] = 20000 * np.sin(2 * np.pi * 50 * np.arange(48000) / 48000)
    form = ("-f", "s16le", "-ar", 48000, "-ch_layout", "7.1", "-i", "-")
    clips.ffmpeg(*form, tmp_path / "sound.wav", stdin=raw.tobytes())
    assert np.abs(decoded(tmp_path / "sound.wav")).max() == pytest.approx(
        20000 / 32768 / 8, rel=0.05
    )


@pytest.mark.parametrize("samples", [1000, RATE, 10 * RATE])
def test_blocks_join_without_a_gap(tmp_path: Path, samples: int) -> None:
    path = sounds.write(tmp_path / "sound.wav", sounds.sine(440, 3.21))
    np.testing.assert_array_equal(decoded(path, samples), decoded(path, 777))


@pytest.mark.parametrize("delay", [0.0, 0.7])
def test_sound_that_begins_late_is_preceded_by_silence(tmp_path: Path, delay: float) -> None:
    clips.make_beep(tmp_path / "clip.mp4")
    both = ("-i", tmp_path / "clip.mp4", "-itsoffset", delay, "-i", tmp_path / "clip.mp4")
    clips.ffmpeg(*both, "-map", "0:v", "-map", "1:a", "-c", "copy", tmp_path / "late.mkv")
    assert beep(decoded(tmp_path / "late.mkv")) == pytest.approx(1 + delay, abs=0.03)


def test_damage_leaves_a_gap(tmp_path: Path) -> None:
    clips.ffmpeg("-i", sounds.write(tmp_path / "a.wav", sounds.noise(4)), tmp_path / "a.mka")
    noise = r"noise=amount=if(between(pts*tb\,1\,2)\,1\,0)"
    clips.ffmpeg("-i", tmp_path / "a.mka", "-c", "copy", "-bsf:a", noise, tmp_path / "b.mka")
    assert len(decoded(tmp_path / "b.mka")) == pytest.approx(4 * RATE, rel=0.03)


def test_samples_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    raw = np.full(48000, 0.5, "<f4")
    raw[1000:2000], raw[3000:3100] = np.nan, np.inf
    clips.ffmpeg(
        *("-f", "f32le", "-ar", RATE, "-ac", 1, "-i", "-", "-c:a", "pcm_f32le"),
        tmp_path / "sound.wav",
        stdin=raw.tobytes(),
    )
    sound = decoded(tmp_path / "sound.wav")
    assert np.isfinite(sound).all()
    assert sound[-1000:].mean() == pytest.approx(0.5, rel=0.01)


def test_files_without_sound_are_refused_in_one_line(tmp_path: Path) -> None:
    clips.make(tmp_path / "mute.mp4")
    (tmp_path / "text.mp3").write_text("la la la\n" * 99)
    with pytest.raises(SettingsError, match=r"mute\.mp4 has no sound: give --soundtrack a file"):
        probe_sound(tmp_path / "mute.mp4")
    with pytest.raises(SourceError, match=r"gone\.mp3 does not exist"):
        probe_sound(tmp_path / "gone.mp3")
    with pytest.raises((SourceError, SettingsError), match=r"text\.mp3 "):
        probe_sound(tmp_path / "text.mp3")


def test_sound_of_an_unknown_codec_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "clip.mka"
    clips.ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-c:a", "libmp3lame", path)
    path.write_bytes(path.read_bytes().replace(b"A_MPEG/L3", b"A_QQQQ/L3"))
    with pytest.raises(SourceError, match=r"the sound of .*clip\.mka cannot be decoded") as refused:
        decoded(path)
    assert "\n" not in str(refused.value)


def test_ffmpeg_ends_with_the_reader(tmp_path: Path) -> None:
    path = sounds.write(tmp_path / "sound.wav", sounds.noise(30))
    before = clips.children()
    blocks = sound_blocks(probe_sound(path), RATE, 1000)
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert clips.children() == before
