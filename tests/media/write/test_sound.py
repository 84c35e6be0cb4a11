"""Sound is checked before the first frame, and its decodable part reaches the film."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import clips
import pytest

from stream_dream.errors import ConversionError, DiskFull, SinkError
from stream_dream.media.read.ffmpeg_report import parse
from stream_dream.media.write.sound import Soundtrack, Way, check_sound, first_that_works
from stream_dream.media.write.video import VideoSink

TRACK = Soundtrack(Path("film.mp4"))
WAYS = [Way((), 1, ("copy",)), Way((), 1, ("encode",)), Way((), 1, ("mix",))]


def make_clip(path: Path, codec: str, *, layout: str = "mono", rate: int = 48000) -> Path:
    """Write a second of picture with a second of silence."""
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=1")
    sound = ("-f", "lavfi", "-i", f"anullsrc=cl={layout}:r={rate}", "-t", 1)
    clips.ffmpeg(*picture, *sound, "-c:v", "libx264", "-strict", -2, "-c:a", codec, path)
    return path


def make_unknown(path: Path) -> Path:
    """Write a clip whose sound has an unknown codec."""
    make_clip(path, "libmp3lame")
    path.write_bytes(path.read_bytes().replace(b"A_MPEG/L3", b"A_QQQQ/L3"))
    return path


def film_with(sound: Soundtrack, target: Path) -> Path:
    """Write a second of picture and add a sound."""
    with VideoSink(target, size=(64, 48), fps=Fraction(10), sound=sound) as sink:
        for index in range(10):
            sink.write(clips.counting_image(index))
    return target


@pytest.mark.slow
@pytest.mark.parametrize(
    ("codec", "rate", "layout", "source", "target", "made"),
    [
        ("libmp3lame", 8000, "mono", "avi", "mp4", "aac mono"),  # too low a rate for .mp4
        ("libmp3lame", 8000, "mono", "avi", "mkv", "mp3 mono"),
        ("libopencore_amrnb", 8000, "mono", "3gp", "mov", "aac mono"),
        ("pcm_mulaw", 8000, "mono", "mov", "mp4", "aac mono"),
        ("pcm_s32le", 48000, "stereo", "mov", "mkv", "flac stereo"),
        ("truehd", 48000, "5.1(side)", "mkv", "mp4", "aac 5.1"),
        ("ac3", 48000, "5.1(side)", "mkv", "webm", "opus 5.1"),
        ("pcm_s16le", 48000, "22.2", "mov", "mov", "pcm_s16le 22.2"),
        ("pcm_s16le", 48000, "22.2", "mov", "mp4", "aac 7.1"),
        ("pcm_u8", 48000, "22.2", "mov", "mkv", "flac 7.1"),
        ("pcm_s16le", 48000, "22.2", "mov", "webm", "opus 7.1"),
        ("pcm_s16le", 48000, "7.1.4", "mov", "mp4", "aac 7.1"),
        ("pcm_u8", 48000, "2.1", "mov", "mkv", "flac stereo"),  # FLAC would take it for 3.0
        ("pcm_s16le", 48000, "9 channels", "mov", "mp4", "aac stereo"),
        ("pcm_s16be", 48000, "9 channels", "mov", "mkv", "flac stereo"),
    ],
)
def test_awkward_sound_is_copied_converted_or_mixed_down(
    tmp_path: Path, codec: str, rate: int, layout: str, source: str, target: str, made: str
) -> None:
    clip = make_clip(tmp_path / f"clip.{source}", codec, layout=layout, rate=rate)
    check_sound(Soundtrack(clip), tmp_path / f"film.{target}")
    film = film_with(Soundtrack(clip), tmp_path / f"film.{target}")
    found = re.search(r"Audio: (\w+).* Hz, ([^,]+),", clips.report(film))
    assert found
    assert f"{found[1]} {found[2]}" == made
    assert clips.sound_length(film) == pytest.approx(1, abs=0.2)


def test_undecodable_sound_is_refused_at_once(tmp_path: Path) -> None:
    sound = Soundtrack(make_unknown(tmp_path / "clip.mkv"))
    with pytest.raises(SinkError, match=r"clip\.mkv .*no decoder.* --no-audio") as refused:
        check_sound(sound, tmp_path / "film.mp4")
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)
    check_sound(sound, tmp_path / "film.gif")  # GIF has no sound
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mkv"]


@pytest.mark.slow
def test_sound_that_fails_at_the_end_leaves_the_picture(tmp_path: Path) -> None:
    sound = Soundtrack(make_unknown(tmp_path / "clip.mkv"))
    with pytest.raises(SinkError, match=r"--no-audio; the picture .*film\.interrupted\.mp4"):
        film_with(sound, tmp_path / "film.mp4")
    assert len(clips.delays(tmp_path / "film.interrupted.mp4")) == 9


@pytest.mark.parametrize("seconds", [0.5, 90])
def test_sound_is_tried_from_the_start_of_the_excerpt_and_may_end_before(
    tmp_path: Path, seconds: float
) -> None:
    clip = make_clip(tmp_path / "clip.mkv", "libmp3lame", rate=8000)
    check_sound(Soundtrack(clip, start=seconds), tmp_path / "film.mp4")


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "target"), [("flac", "webm"), ("aac", "mp4")])
def test_sound_that_is_damaged_for_the_greater_part_is_kept(
    tmp_path: Path, codec: str, target: str
) -> None:
    clip = tmp_path / "clip.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=1")
    clips.ffmpeg(*picture, "-f", "lavfi", "-i", "sine=d=3", "-c:v", "libx264", "-c:a", codec, clip)
    noise = r"noise=amount=if(between(pts*tb\,0.1\,2.6)\,1\,0)"
    clips.ffmpeg("-i", clip, "-c", "copy", "-bsf:a", noise, tmp_path / "damaged.mkv")
    sound = Soundtrack(tmp_path / "damaged.mkv")
    check_sound(sound, tmp_path / f"film.{target}")
    film = film_with(sound, tmp_path / f"film.{target}")
    times = clips.ffmpeg("-i", film, "-map", "0:a:0", "-c", "copy", "-f", "framecrc", "-").decode()
    unit = Fraction(re.search(r"#tb 0: (\S+)", times)[1])  # type: ignore[index]
    assert int(times.splitlines()[-1].split(",")[2]) * unit == pytest.approx(3, abs=0.1)


def test_ways_are_attempted_until_one_works() -> None:
    attempted = []

    def attempt(way: Way) -> None:
        attempted.append(way)
        if len(attempted) < 2:
            raise ConversionError("not like this")

    first_that_works(TRACK, WAYS, attempt)
    assert attempted == WAYS[:2]


def test_the_first_failure_is_reported_when_no_way_works() -> None:
    def attempt(way: Way) -> None:
        raise ConversionError(f"cannot {way.output_args[0]}")

    with pytest.raises(SinkError, match=r"film\.mp4 .*\(cannot copy\).*--no-audio"):
        first_that_works(TRACK, WAYS, attempt)


def test_a_full_disk_is_not_the_fault_of_the_sound() -> None:
    attempted = []

    def attempt(way: Way) -> None:
        attempted.append(way)
        raise DiskFull("no room")

    with pytest.raises(DiskFull, match=r"^no room$"):
        first_that_works(TRACK, WAYS, attempt)
    assert len(attempted) == 1


def test_a_file_that_has_gone_is_not_taken_for_one_without_sound(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"gone\.mp4 cannot be read any more"):
        check_sound(Soundtrack(tmp_path / "gone.mp4"), tmp_path / "film.mp4")


@pytest.mark.parametrize(
    ("dispositions", "taken"),
    [
        (["", ""], 0),
        (["", "default"], 1),
        (["default", "default"], 0),
        (["default", ""], 0),
        (["visual_impaired", ""], 1),
        (["comment", "", "dub"], 1),
        (["default+comment", "default"], 1),
        (["visual_impaired+descriptions", "default+original"], 1),
        (["default+hearing_impaired", ""], 0),
        (["comment", "comment"], 0),
    ],
)
def test_the_default_track_is_taken_else_the_first_ordinary_one(
    dispositions: list[str], taken: int
) -> None:
    streams = [
        f"  Stream #0:{number}[0x{number}](eng): Audio: {codec}, 44100 Hz, stereo, s32 (24 bit)"
        + "".join(f" ({name.replace('_', ' ')})" for name in roles.split("+") if name)
        + "\n    Metadata:\n      title           : Commentary (default)\n"
        for number, (roles, codec) in enumerate(
            zip(dispositions, ("aac (LC) (mp4a / 0x6134706D)", "flac", "mp3"), strict=False), 1
        )
    ]
    head = "Input #0, matroska,webm, from 'a.mkv':\n  Duration: 00:00:01.00, start: 0.000000\n"
    picture = "  Stream #0:0: Video: h264 (High), yuv420p, 64x48, 10 fps (default)\n"
    found = parse(head + picture + "".join(streams))
    assert (found.audio, found.audio_stream) == (("aac", "flac", "mp3")[taken], taken + 1)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_the_default_track_is_heard(tmp_path: Path, suffix: str) -> None:
    beep = clips.make_beep(tmp_path / "beep.mp4")
    two = tmp_path / f"two.{suffix}"
    tracks = ("-map", "1:v", "-map", "0:a", "-map", "1:a", "-c:a", "aac")
    marks = ("-disposition:a:0", "comment", "-disposition:a:1", "default")
    clips.ffmpeg("-f", "lavfi", "-i", "sine=d=3", "-i", beep, *tracks, *marks, two)
    assert clips.beep_onset(film_with(Soundtrack(two), tmp_path / "film.mp4")) == pytest.approx(
        1, abs=0.01
    )
