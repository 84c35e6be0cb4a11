"""The contract of both decoders, and the choice between them for each file."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import clips
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from stream_dream.errors import SourceError, StreamDreamError
from stream_dream.frame import Image8
from stream_dream.media.read import ffmpeg_report, probe
from stream_dream.media.read.decoder import Decoder
from stream_dream.media.read.ffmpeg_decoder import FFmpegDecoder
from stream_dream.media.read.opencv_decoder import OpenCVDecoder
from stream_dream.media.read.probe import as_ffmpeg_reads, as_opencv_reads, probe_video
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.sound import Soundtrack, check_sound

Open = Callable[[Path], Decoder]
OPENCV, FFMPEG = "OpenCV", "ffmpeg"


def decoder(path: Path, kind: str) -> Decoder:
    found, thumbnail = ffmpeg_report.look_at(path)
    if kind == FFMPEG:
        return FFmpegDecoder(as_ffmpeg_reads(found, "the test wants it"))
    file = as_opencv_reads(found, thumbnail)
    assert file is not None
    return OpenCVDecoder(file)


def why_ffmpeg(path: Path) -> str | None:
    return probe_video(path).why_ffmpeg


@pytest.fixture(params=[OPENCV, FFMPEG])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Return a function that opens a file with one of the decoders."""
    made: list[Decoder] = []

    def open_file(path: Path) -> Decoder:
        made.append(decoder(path, request.param))
        return made[-1]

    yield open_file
    for each in made:
        each.close()
    assert not [name for name in clips.children() if name.startswith("ffmpeg")]


def numbered(path: Path, *options: object, seconds: float = 1.0) -> Path:
    """Write a clip of numbered pictures with a key frame every ten."""
    return clips.make(path, "-c:v", "libx264", "-bf", 2, "-g", 10, *options, seconds=seconds)


def shown(path: Path) -> list[Image8]:
    with VideoSource(path) as source:
        return [frame.image for frame in source]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_every_picture_comes_once_with_its_time_stamp(
    opened: Open, tmp_path: Path, suffix: str
) -> None:
    reordered = 0 if suffix == "avi" else 2  # AVI has no time stamps for B frames
    reader = opened(numbered(tmp_path / f"a.{suffix}", "-bf", reordered))
    for _ in range(2):  # each time from the start
        pictures = list(reader.pictures())
        times = [time for _, time in pictures]
        np.testing.assert_allclose(times, np.arange(25) / 25, atol=0.0011)
        assert {image.shape for image, _ in pictures} == {(48, 64, 3)}
    assert reader.file.length == pytest.approx(1.0, abs=0.02)
    assert reader.is_complete(25)


@pytest.mark.slow
def test_a_jump_leads_to_any_picture(opened: Open, tmp_path: Path) -> None:
    reader = opened(numbered(tmp_path / "a.mp4", seconds=8))
    whole = list(reader.pictures())
    assert len(whole) == 200
    for number in (0, 1, 124, 125, 131, 150, 199):
        found = [(image, time) for image, time in reader.pictures(number / 25)]
        assert found[0][1] <= number / 25 + 1e-6
        assert len(found) <= 200
        for (image, time), (expected, when) in zip(
            reversed(found), islice(reversed(whole), 200 - number), strict=False
        ):
            assert time == pytest.approx(when, abs=1e-5)
            assert np.array_equal(image, expected)
    assert len(list(reader.pictures(9))) >= 1  # after the end, one of the last


def test_pictures_are_upright_and_keep_the_shape_of_a_pixel(opened: Open, tmp_path: Path) -> None:
    flat = numbered(tmp_path / "a.mp4", "-vf", "setsar=4/3")
    assert opened(flat).file.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
def test_a_truncated_file_ends_early_and_is_not_complete(
    opened: Open, tmp_path: Path, kind: str
) -> None:
    path = numbered(tmp_path / f"a.{kind}", "-movflags", "+faststart", seconds=4)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = opened(path)
    pictures = list(reader.pictures())
    assert 10 < len(pictures) < 90
    assert not reader.is_complete(len(pictures))


def test_closing_ends_the_iteration(opened: Open, tmp_path: Path) -> None:
    reader = opened(numbered(tmp_path / "a.mp4", seconds=4))
    pictures = reader.pictures()
    next(pictures)
    reader.close()
    reader.close()
    assert len(list(pictures)) < 99  # pictures in the buffer may still come
    assert list(reader.pictures()) == []


def test_a_search_that_fails_after_closing_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = OpenCVDecoder(probe_video(numbered(tmp_path / "a.mp4", seconds=7)))
    next(reader.pictures())  # later ones are sought

    def grab() -> bool:
        reader.close()
        return False

    monkeypatch.setattr(reader, "_grab", grab)
    opened: list[Path] = []
    monkeypatch.setattr("stream_dream.media.read.opencv_decoder.open_capture", opened.append)
    reader._fresh = True
    assert list(reader.pictures(6.0)) == []
    assert not opened


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        {"matrix": "bt601"},
        {"matrix": "bt709"},
        {"matrix": "bt709", "full": True, "pixels": "yuvj420p"},
        {"matrix": "bt601", "tagged": False},
        {"matrix": "bt709", "tagged": False},
    ],
    ids=str,
)
def test_both_show_the_same_colours(tmp_path: Path, kind: dict[str, bool]) -> None:
    path = clips.make_patches(tmp_path / "a.mp4", **kind)
    seen = []
    for name in (OPENCV, FFMPEG):
        reader = decoder(path, name)
        seen.append(clips.patch_colours(next(reader.pictures())[0]))
        reader.close()
    assert np.abs(seen[0] - seen[1]).max() <= 2


# Which decoder reads a file


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mp4", ("-c:v", "libx264")),
        ("mkv", ("-c:v", "libx264", "-pix_fmt", "yuv444p")),
        ("avi", ("-c:v", "mpeg4")),
        ("avi", ("-c:v", "mjpeg")),
        ("webm", ("-c:v", "libvpx", "-b:v", "1M")),
        ("mkv", ("-c:v", "ffv1")),
    ],
)
def test_opencv_reads_ordinary_files(
    tmp_path: Path, suffix: str, options: tuple[object, ...]
) -> None:
    size = "320x240"
    assert why_ffmpeg(clips.make(tmp_path / f"a.{suffix}", *options, size=size)) is None


def spread(path: Path) -> float:
    """Return the spread of brightness in a file's first picture."""
    return float(shown(path)[0].std())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ("-c:v", "libx264", "-x264-params", "interlaced=1:tff=1")),
        ("a.ts", ("-c:v", "libx264", "-x264-params", "interlaced=1:bff=1")),
        ("a.mpg", ("-c:v", "mpeg2video", "-flags", "+ilme+ildct")),
        ("a.avi", ("-c:v", "dvvideo", "-pix_fmt", "yuv420p", "-s", "720x576")),
        ("a.mov", ("-c:v", "prores_ks", "-flags", "+ildct", "-vf", "setfield=tff")),
    ],
)
def test_interlaced_film_is_not_black(
    tmp_path: Path, name: str, options: tuple[object, ...]
) -> None:
    path = clips.make(tmp_path / name, "-pix_fmt", "yuv420p", *options, seconds=0.2)
    assert why_ffmpeg(path) == "it is interlaced"
    frames = shown(path)
    assert len(frames) == 5
    assert min(float(frame.std()) for frame in frames) > 40


def test_interlaced_film_loses_its_comb(tmp_path: Path) -> None:
    """A bar that moves 8 pixels a field appears twice, on alternate lines."""
    bar = "color=black:s=128x96:r=50:d=0.4[a];color=white:s=16x96:r=50:d=0.4[b]"
    moved = f"{bar};[a][b]overlay=x=8*n:eval=frame,format=yuv420p,interlace=scan=tff:lowpass=0"
    path = tmp_path / "a.mkv"
    clips.ffmpeg("-filter_complex", moved, "-c:v", "libx264", "-flags", "+ildct", path)
    assert why_ffmpeg(path) == "it is interlaced"
    comb = [
        float(np.abs(2 * image[1:-1:2].astype(int) - image[:-2:2] - image[2::2]).mean())
        for image in shown(path)
    ]
    raw = clips.ffmpeg("-i", path, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    woven = np.frombuffer(raw, np.uint8).reshape(-1, 96, 128, 3)[4].astype(int)
    assert max(comb) < np.abs(2 * woven[1:-1:2] - woven[:-2:2] - woven[2::2]).mean() / 3


def test_av1_is_read(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mp4", "-c:v", "libsvtav1", seconds=0.4)
    assert why_ffmpeg(path) == "it is AV1"
    assert len(shown(path)) == 10
    assert spread(path) > 40


@pytest.mark.slow
def test_av1_beside_longer_sound_keeps_its_length(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv"):
        path = clips.make_beep(tmp_path / name, "-c:v", "libsvtav1", "-c:a", "aac")
        with VideoSource(path) as source:
            assert source.info.frame_count == len(list(source)) == 50
            assert source.shortfall is None


def sticker(folder: Path, *options: object, name: str) -> Path:
    """Write a film of a red square with noise hidden in its transparent part."""
    rng = np.random.default_rng(0)
    for index in range(3):
        pixels = rng.integers(0, 255, (64, 96, 4), dtype=np.uint8)
        pixels[..., 3] = 0
        pixels[16:48, 20 + index * 4 : 60 + index * 4] = (230, 40, 40, 255)
        Image.fromarray(pixels).save(folder / f"f{index}.png")
    clips.ffmpeg("-framerate", 10, "-i", folder / "f%d.png", *options, folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mov", ("-c:v", "png")),
        ("b.mov", ("-c:v", "qtrle")),
        ("c.mov", ("-c:v", "prores_ks", "-pix_fmt", "yuva444p10le")),
        ("a.webm", ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-b:v", "4M")),
        ("b.webm", ("-c:v", "libvpx", "-pix_fmt", "yuva420p", "-b:v", "4M", "-auto-alt-ref", 0)),
        ("a.apng", ("-plays", 0)),
        ("a.webp", ("-c:v", "libwebp_anim", "-lossless", 1)),
        ("a.gif", ("-lavfi", "split[a][b];[a]palettegen[p];[b][p]paletteuse")),
    ],
)
@pytest.mark.slow
def test_transparent_films_are_laid_over_a_colour(
    tmp_path: Path, name: str, options: tuple[object, ...]
) -> None:
    path = sticker(tmp_path, *options, name=name)
    for colour in ((0, 0, 0), (10, 200, 90)):
        with VideoSource(path, background=colour) as source:
            frames = [frame.image.astype(int) for frame in source]
        assert len(frames) == 3
        for index, image in enumerate(frames):
            assert np.abs(image[:8] - colour).max() <= 8, "what is hidden has come to light"
            assert np.abs(image[24:40, 28 + index * 4 : 52 + index * 4] - (230, 40, 40)).max() < 24


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        (("-display_hflip",), lambda image: image[:, ::-1]),
        (("-display_vflip",), lambda image: image[::-1]),
        (("-display_rotation", 90), lambda image: np.rot90(image)),
        (("-display_rotation", 180), lambda image: np.rot90(image, 2)),
        (("-display_rotation", 270), lambda image: np.rot90(image, 3)),
        (("-display_rotation", 90, "-display_hflip"), lambda image: np.rot90(image)[:, ::-1]),
        (("-display_rotation", 270, "-display_hflip"), lambda image: np.rot90(image, 3)[:, ::-1]),
    ],
    ids=["hflip", "vflip", "90", "180", "270", "90-hflip", "270-hflip"],
)
@pytest.mark.slow
def test_every_rotation_and_mirroring_is_applied(
    tmp_path: Path,
    turns: tuple[object, ...],
    expected: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
) -> None:
    flat = clips.make(tmp_path / "a.mp4", "-vf", "setsar=2", "-c:v", "libx264", seconds=0.2)
    clips.ffmpeg(*turns, "-i", flat, "-c", "copy", tmp_path / "turned.mp4")
    upright = clips.ffmpeg("-i", flat, "-frames:v", 1, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    image = np.frombuffer(upright, np.uint8).reshape(48, 64, 3)
    with VideoSource(tmp_path / "turned.mp4") as source:
        first = next(iter(source)).image
        assert source.info.pixel_aspect == (2 if first.shape == image.shape else Fraction(1, 2))
    wanted = expected(image)
    assert first.shape == wanted.shape
    assert np.abs(first.astype(int) - wanted).mean() < 10


@pytest.mark.parametrize("matrix", ["bt2020nc", "smpte240m", "fcc"])
def test_colours_of_rare_matrices_are_right(tmp_path: Path, matrix: str) -> None:
    name = {"bt2020nc": "bt2020"}.get(matrix, matrix)
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "128x64", "-i", "-")
    made = f"scale=out_color_matrix={name}:flags=accurate_rnd+full_chroma_int,format=yuv444p"
    tagged = ("-vf", f"{made},setparams=colorspace={matrix}", "-c:v", "ffv1")
    path = tmp_path / "a.mkv"
    clips.ffmpeg(*raw, *tagged, "-colorspace", matrix, path, stdin=clips.patch_image().tobytes())
    assert why_ffmpeg(path) == f"its matrix is {matrix}"
    assert np.abs(clips.patch_colours(shown(path)[0]) - clips.PATCHES).max() <= 3


def test_files_that_opencv_decodes_differently_are_read_by_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV reports success also for pictures that it has not written."""
    path = clips.make(tmp_path / "a.mp4", "-c:v", "libx264", size="320x240")

    class Black:
        def read(self) -> tuple[bool, NDArray[np.uint8]]:
            return True, np.zeros((240, 320, 3), np.uint8)

        def get(self, number: int) -> float:
            return 0.0

        def release(self) -> None:
            pass

    monkeypatch.setattr("stream_dream.media.read.probe.open_capture", lambda path: Black())
    assert why_ffmpeg(path) == "OpenCV decodes other pictures"
    assert spread(path) > 40


@pytest.mark.slow
def test_the_choice_is_shown_when_debugging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAM_DREAM_DEBUG", "1")
    plain = clips.make(tmp_path / "a.mp4", "-c:v", "libx264", size="320x240")
    deep = clips.make(tmp_path / "b.mkv", "-c:v", "ffv1", "-pix_fmt", "yuv420p10le")
    for path in (plain, deep, deep):
        shown(path)
    told = [line for line in capfd.readouterr().err.splitlines() if "is read by" in line]
    assert told == [
        f"{plain} is read by OpenCV",
        f"{deep} is read by ffmpeg: it has more than 8 bits a channel",
    ]


def test_a_file_is_probed_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clips.make(tmp_path / "a.mp4", "-c:v", "libx264")
    looked: list[Path] = []

    def counted(path: Path) -> tuple[ffmpeg_report.Probe, Image8 | None]:
        looked.append(path)
        return ffmpeg_report.look_at(path)

    monkeypatch.setattr(probe, "look_at", counted)
    assert len(shown(path)) == len(shown(path)) == 25
    check_sound(Soundtrack(path), tmp_path / "b.mp4")
    assert looked == [path]
    clips.make(path, "-c:v", "libx264", "-x264-params", "interlaced=1:tff=1", seconds=0.4)
    assert len(shown(path)) == 10
    assert looked == [path, path]


# File names


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    folder = tmp_path / odd
    folder.mkdir()
    clips.make(tmp_path / "a.mp4", "-c:v", "libx264")
    for path in (tmp_path / f"{odd}.mp4", folder / "a.mp4"):
        shutil.copy(tmp_path / "a.mp4", path)
        assert len(shown(path)) == 25


def test_files_in_a_folder_that_is_not_utf8_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    clips.make(folder / "a.mp4", "-c:v", "libx264")
    monkeypatch.chdir(folder)
    assert len(shown(Path("a.mp4"))) == 25


# Causes of failures


def program(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.skipif(os.name == "nt", reason="scripts of a shell are no programs there")
def test_a_broken_ffmpeg_is_blamed_and_not_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = clips.make(tmp_path / "a.mp4", "-c:v", "libx264")
    missing, silent = tmp_path / "missing", program(tmp_path / "silent", "exit 1")
    barred = tmp_path / "barred"
    barred.write_text("no program")
    for exe in (missing, silent, barred):
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(exe))
        with pytest.raises(StreamDreamError, match=exe.name) as caught:
            VideoSource(film)
        assert "not a video" not in str(caught.value)
        assert caught.value.exit_code == 1


@pytest.mark.skipif(os.name == "nt", reason="scripts of a shell are no programs there")
def test_a_slow_disk_is_blamed_and_not_the_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = clips.make(tmp_path / "a.mp4", "-c:v", "libx264")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program(tmp_path / "slow", "exec sleep 600")))
    monkeypatch.setattr(ffmpeg_report, "_SECONDS", 0.1)
    with pytest.raises(StreamDreamError, match="very slow"):
        VideoSource(film)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SourceError, match="is a pipe"):  # opening it would block
        VideoSource(tmp_path / "pipe.mp4")
