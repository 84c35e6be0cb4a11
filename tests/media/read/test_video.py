"""Reading gives what a player shows: each picture once, on time, upright, in its colours."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import clips
import numpy as np
import pytest
from PIL import Image

from stream_dream.errors import SourceError
from stream_dream.frame import Frame
from stream_dream.media.read.ffmpeg_report import has_more, parse
from stream_dream.media.read.frame_rate import ConstantRate
from stream_dream.media.read.video import VideoSource


def read(path: Path, **span: float) -> tuple[VideoSource, list[Frame]]:
    with VideoSource(path, **span) as source:
        return source, list(source)


def repeats(frames: list[Frame]) -> int:
    return sum(a.image is b.image for a, b in pairwise(frames))


def truncated_clip(path: Path) -> Path:
    """Write the first half of a file of 100 frames."""
    clips.make(path, "-c:v", "mpeg4", "-movflags", "+faststart", seconds=4, size="320x240")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def test_options_meant_for_cameras_do_not_spoil_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "fflags;nobuffer|flags;low_delay"
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", options)
    _, frames = read(clips.make(tmp_path / "a.mp4", "-c:v", "libx264", seconds=0.4))
    assert len(frames) == 10
    assert os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] == options


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "fps", "aspect", "count"),
    [
        ("bigbuckbunny.mp4", (1280, 720), Fraction(25), Fraction(1), 132),
        ("bikes.mp4", (640, 272), Fraction(25), Fraction(1), 250),
        ("carphone_pristine.mp4", (176, 144), Fraction(30000, 1001), Fraction(128, 117), 120),
    ],
)
def test_real_clips(
    name: str, size: tuple[int, int], fps: Fraction, aspect: Fraction, count: int
) -> None:
    source, frames = read(clips.real_clip(name))
    info = source.info
    assert (info.size, info.fps, info.pixel_aspect, info.frame_count) == (size, fps, aspect, count)
    assert len(frames) == count
    assert repeats(frames) == 0
    assert source.shortfall is None
    assert [frame.index for frame in frames] == list(range(count))
    assert frames[-1].time == pytest.approx(float((count - 1) / fps))


@pytest.mark.slow
@pytest.mark.parametrize("fps", ["24000/1001", "30000/1001", "25", "120"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "avi", "ts"])
def test_constant_rate_gives_each_picture_once(tmp_path: Path, fps: str, suffix: str) -> None:
    codec = ("libvpx-vp9", "-cpu-used", 8) if suffix == "webm" else ("libx264", "-bf", 3)
    clip = clips.make(tmp_path / f"clip.{suffix}", "-c:v", *codec, fps=fps)
    source, frames = read(clip)
    count = round(Fraction(fps))
    assert len(frames) == count
    assert repeats(frames) == 0
    assert source.shortfall is None
    if suffix != "avi":  # x264 in AVI doubles the rate in the header
        assert source.info.fps == Fraction(fps)
        assert source.info.frame_count == count


def test_an_implausible_rate_is_replaced_by_time_stamps(tmp_path: Path) -> None:
    original = clips.make(tmp_path / "a.mp4", "-c:v", "libx264", seconds=2)
    clips.ffmpeg("-i", original, "-c", "copy", tmp_path / "a.avi")  # claims 600 fps
    source, frames = read(tmp_path / "a.avi")
    assert source.info.fps == 25
    assert len(frames) == 50


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_rate_keeps_every_picture_and_the_duration(tmp_path: Path, suffix: str) -> None:
    pauses = "setpts='(N+if(gt(N,20),15,0)+if(gt(N,35),10,0))/25/TB'"
    clip = clips.make(tmp_path / f"vfr.{suffix}", "-vf", pauses, "-fps_mode", "vfr", seconds=2)
    source, frames = read(clip)
    assert len(frames) / source.info.fps == pytest.approx(3, abs=1.1 / 25)
    assert len(frames) - repeats(frames) == 50
    held = frames[20:36]  # picture 20 is held for 16 frames
    assert all(frame.image is held[0].image for frame in held)


def test_gif_keeps_its_uneven_delays(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (40, 30), (shade, 100, 50)) for shade in (0, 60, 120, 180, 240)]
    delays = [100, 300, 100, 100, 900]
    pictures[0].save(
        tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=delays, loop=0
    )
    _, frames = read(tmp_path / "a.gif")
    shades = [round(int(frame.image[0, 0, 0]) / 60) for frame in frames]
    assert shades == [0, 1, 1, 1, 2, 3] + [4] * 9


@pytest.mark.slow
def test_delays_of_animations_are_those_of_browsers(tmp_path: Path) -> None:
    """Browsers turn delays of 1/100 s or less into 1/10 s."""
    pictures = [Image.new("RGB", (40, 30), (shade, 100, 50)) for shade in (0, 60, 120, 180, 240)]
    for name in ("a.gif", "a.png", "a.webp"):
        for delays, fps, count in (([10] * 5, 10, 5), ([0, 10, 100, 100, 300], 10, 7)):
            pictures[0].save(
                tmp_path / name,
                save_all=True,
                append_images=pictures[1:],
                duration=delays,
                loop=0,
            )
            source, frames = read(tmp_path / name)
            assert source.info.fps == fps, name
            assert source.info.frame_count == len(frames) == count, name


@pytest.mark.slow
@pytest.mark.parametrize("rate", ["300", "480", "1000", "120000/1001"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_fast_cameras_keep_every_frame(tmp_path: Path, rate: str, suffix: str) -> None:
    path = clips.make(tmp_path / f"a.{suffix}", "-c:v", "libx264", fps=rate, seconds=0.2)
    source, frames = read(path)
    assert source.info.fps == Fraction(rate)
    assert len(frames) == round(Fraction(rate) / 5)
    assert repeats(frames) == 0


def paused(path: Path, seconds: float) -> Path:
    """Write 3 s of black and 3 s of white at 2 fps, with a pause between, and sound."""
    two = "color=black:s=64x48:r=2:d=3[a];color=white:s=64x48:r=2:d=3[b];[a][b]concat"
    later = f"{two},format=yuv420p,setpts='if(lt(N,6),N*0.5,N*0.5+{seconds})/TB'"
    sound = ("-f", "lavfi", "-i", f"sine=d={6 + seconds}:sample_rate=8000")
    coded = ("-fps_mode", "vfr", "-c:v", "libx264", "-c:a", "aac")
    clips.ffmpeg("-f", "lavfi", "-i", later, *sound, *coded, path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_long_pause_is_a_still(tmp_path: Path, suffix: str) -> None:
    source, frames = read(paused(tmp_path / f"a.{suffix}", 90))
    assert source.shortfall is None
    assert len(frames) / source.info.fps == pytest.approx(96, abs=0.6)
    white = [frame.time for frame in frames if frame.image.mean() > 128]
    assert white[0] == pytest.approx(93, abs=0.6)


def test_a_leap_that_the_length_does_not_confirm_is_damage() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    stamps = [0.0, 0.5, 1.0, 500.0, 500.5, 501.0]
    pictures = [(image, stamp) for stamp in stamps]
    assert len(list(ConstantRate(Fraction(2), 0.0, 3.0).frames(pictures))) == 6
    assert len(list(ConstantRate(Fraction(2), 0.0, None).frames(pictures))) == 6
    assert len(list(ConstantRate(Fraction(2), 0.0, 501.5).frames(pictures))) == 1003


@pytest.mark.parametrize("tag", ["DURATION", "DURATION-eng", "DURATION-ger"])
def test_the_length_is_found_wherever_tools_write_it(tag: str) -> None:
    report = f"""Input #0, matroska,webm, from 'a.mkv':
  Duration: 00:00:09.00, start: 0.000000, bitrate: 86 kb/s
  Stream #0:0(eng): Video: h264 (High), yuv420p(progressive), 64x48, 23.98 fps, 1k tbn (default)
    Metadata:
      {tag:<16}: 00:00:02.500000000
      NUMBER_OF_FRAMES-eng: 60
  Stream #0:1: Audio: aac (LC), 48000 Hz, stereo, fltp (default)
    Metadata:
      {tag:<16}: 00:00:09.000000000
"""
    found = parse(report)
    assert found.video_end == 2.5
    assert found.rate == float(Fraction(24000, 1001))


def test_raw_stream_without_time_stamps(tmp_path: Path) -> None:
    source, frames = read(clips.make(tmp_path / "a.h264", "-c:v", "libx264"))
    assert source.info.frame_count is None
    assert len(frames) == 25
    assert repeats(frames) == 0


def test_one_frame_and_odd_size(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "a.mkv", "-vf", "scale=33:17", "-c:v", "ffv1", "-frames:v", 1)
    source, frames = read(clip)
    assert source.info.size == (33, 17)
    assert [frame.image.shape for frame in frames] == [(17, 33, 3)]


def test_rotation_is_applied(tmp_path: Path) -> None:
    flat = clips.make(tmp_path / "a.mp4", "-vf", "setsar=2", "-c:v", "libx264", "-bf", 0)
    clips.ffmpeg("-display_rotation", 90, "-i", flat, "-c", "copy", tmp_path / "turned.mp4")
    _, upright = read(flat)
    source, turned = read(tmp_path / "turned.mp4")
    assert source.info.size == (48, 64)
    assert source.info.pixel_aspect == Fraction(1, 2)
    difference = turned[0].image.astype(int) - np.rot90(upright[0].image)
    assert np.abs(difference).mean() < 10


def test_cover_art_is_not_the_video(tmp_path: Path) -> None:
    clip = clips.make_beep(tmp_path / "a.mp4")
    cover = clips.make(tmp_path / "cover.png", "-frames:v", 1, size="100x100")
    both = ("-map", 1, "-map", 0, "-c", "copy", "-disposition:v:0", "attached_pic")
    clips.ffmpeg("-i", clip, "-i", cover, *both, tmp_path / "b.mp4")
    assert read(tmp_path / "b.mp4")[0].info.size == (64, 48)


@pytest.mark.parametrize(
    "kind",
    [
        {"matrix": "bt601"},
        {"matrix": "bt709"},
        {"matrix": "bt601", "full": True, "pixels": "yuvj420p"},
        {"matrix": "bt709", "full": True, "pixels": "yuvj420p"},
        {"matrix": "bt601", "tagged": False},
        {"matrix": "bt709", "tagged": False},
        {"matrix": "bt709", "pixels": "yuv420p10le"},
        {"matrix": "bt601", "pixels": "yuv422p"},
        {"matrix": "bt709", "pixels": "yuv444p"},
    ],
    ids=str,
)
def test_colours(tmp_path: Path, kind: dict[str, bool]) -> None:
    _, frames = read(clips.make_patches(tmp_path / "a.mp4", **kind))
    seen = clips.patch_colours(frames[0].image)
    assert np.abs(seen - clips.PATCHES).max() <= 3


@pytest.mark.slow
@pytest.mark.parametrize(("start", "end"), [(0.5, 0.9), (6.0, 6.4), (9.9, None), (None, 0.2)])
def test_span_is_exact_to_the_frame(start: float | None, end: float | None) -> None:
    clip = clips.real_clip("bikes.mp4")
    _, whole = read(clip)
    source, part = read(clip, start=start, end=end)
    first, stop = round((start or 0) * 25), round((end or 10) * 25)
    assert source.start == first / 25
    assert source.info.frame_count == len(part) == stop - first
    assert [frame.index for frame in part] == list(range(len(part)))
    for one, other in zip(part, whole[first:stop], strict=True):
        assert np.array_equal(one.image, other.image)


def test_pictures_are_counted_without_decoding(tmp_path: Path) -> None:
    regular = clips.make(tmp_path / "a.h264", "-c:v", "libx264")
    assert has_more(regular, 24, Fraction(25))
    assert not has_more(regular, 25, Fraction(25))
    pause = ("-vf", "setpts='(N+if(gt(N,5),30,0))/25/TB'", "-fps_mode", "vfr")
    held = clips.make(tmp_path / "a.mkv", *pause, "-c:v", "libx264", seconds=0.4)
    assert has_more(held, 35, Fraction(25))
    assert not has_more(held, 42, Fraction(25))
    assert not has_more(tmp_path / "missing.mkv", 0, Fraction(25))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_truncated_file_gives_what_is_readable_and_says_so(tmp_path: Path, suffix: str) -> None:
    source, frames = read(truncated_clip(tmp_path / f"a.{suffix}"))
    assert 25 < len(frames) < 75
    assert source.shortfall is None or "cut short" in source.shortfall
    if suffix != "avi":  # its length is in the index, which is lost
        assert source.shortfall is not None


def test_sound_longer_than_the_picture_adds_nothing(tmp_path: Path) -> None:
    for suffix in ("mp4", "mkv"):
        source, frames = read(clips.make_beep(tmp_path / f"a.{suffix}"))
        assert len(frames) == source.info.frame_count == 50
        assert source.shortfall is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.mp4", b"To be, or not to be\n" * 50, "is not a video"),
        ("empty.mp4", b"", "is empty"),
        ("missing.mp4", None, "does not exist"),
        (".", None, "is a folder"),
    ],
)
def test_files_that_are_no_videos_are_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        VideoSource(path)
    assert "\n" not in str(caught.value)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    clips.ffmpeg("-f", "lavfi", "-i", "sine=d=1", tmp_path / "a.m4a")
    with pytest.raises(SourceError, match="no moving picture"):
        VideoSource(tmp_path / "a.m4a")


@pytest.mark.parametrize("span", [{"start": -1}, {"start": 20}, {"start": 3, "end": 3}])
def test_impossible_span_is_refused(span: dict[str, float]) -> None:
    with pytest.raises(SourceError, match="start"):
        VideoSource(clips.real_clip("bikes.mp4"), **span)


def test_closing_ends_the_iteration(tmp_path: Path) -> None:
    source = VideoSource(clips.make(tmp_path / "a.mp4"))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []
    assert source.shortfall is None


@pytest.mark.slow
@pytest.mark.parametrize("debug", [False, True])
def test_decoder_is_silent_unless_debugging(tmp_path: Path, debug: bool) -> None:
    clip = truncated_clip(tmp_path / "a.mp4")
    code = (
        "import sys; from pathlib import Path;"
        "from stream_dream.media.read.video import VideoSource;"
        "list(VideoSource(Path(sys.argv[1])))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENCV")}
    environment["STREAM_DREAM_DEBUG"] = "1" if debug else ""
    result = subprocess.run(
        [sys.executable, "-c", code, str(clip)], env=environment, capture_output=True, check=True
    )
    assert result.stdout == b""
    assert bool(result.stderr) == debug


def test_each_iteration_starts_anew(tmp_path: Path) -> None:
    with VideoSource(clips.make(tmp_path / "a.mp4", seconds=0.4)) as source:
        assert next(iter(source)).index == 0
        first, second = ([frame.image for frame in source] for _ in range(2))
    assert len(first) == 10
    np.testing.assert_array_equal(first, second)
