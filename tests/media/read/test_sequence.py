"""Numbered pictures are read as a film, in the order of their numbers, with nothing left out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
from PIL import Image

from stream_dream.errors import SourceError
from stream_dream.image import to_16bit
from stream_dream.media.read.sequence import is_sequence, sequence_files
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.video import VideoSink

FRAMES = 5
SIZE = (64, 48)


def write(folder: Path, suffix: str = ".png", bits: int | None = None) -> Path:
    """Write counting images as ``a-001`` to ``a-005``; return the folder."""
    folder.mkdir()
    pattern = folder / f"a-%03d{suffix}"
    with VideoSink(pattern, size=SIZE, fps=Fraction(25), bits=bits) as sink:
        for number in range(FRAMES):
            sink.write(clips.counting_image(number, SIZE))
    return folder


def name_of(number: int, suffix: str = ".png") -> str:
    return f"a-{number:03d}{suffix}"


@pytest.mark.parametrize("form", ["{}", "{}/a-%03d.png", "{}/a-%d.png", "{}/*.png", "{}/a-00?.png"])
def test_a_folder_a_pattern_and_a_wildcard_name_a_sequence(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path / "it's #1?")
    with VideoSource(form.format(folder), fps=Fraction(24000, 1001)) as source:
        frames = list(source)
    assert source.is_sequence
    assert source.info.fps == Fraction(24000, 1001)
    assert source.info.frame_count == len(frames) == FRAMES
    assert source.shortfall is None
    for number, frame in enumerate(frames):
        assert np.array_equal(frame.image, clips.counting_image(number, SIZE))


@pytest.mark.parametrize(
    ("suffix", "bits", "levels"),
    [(".png", 16, 0), (".tif", 8, 0), (".tiff", 16, 0), (".exr", 16, 32)],
)
def test_what_was_written_is_read(tmp_path: Path, suffix: str, bits: int, levels: float) -> None:
    """Half floats have 11 bits."""
    folder = write(tmp_path / "f", suffix, bits)
    with VideoSource(folder, deep=True) as source:
        frames = list(source)
    assert source.info.bits == bits
    for number, frame in enumerate(frames):
        got = to_16bit(frame.image) if frame.deep is None else frame.deep
        wanted = to_16bit(clips.counting_image(number, SIZE))
        assert np.abs(got.astype(int) - wanted).max() <= levels


@pytest.mark.parametrize("suffix", [".dpx", ".jpg", ".bmp", ".tga"])
def test_pictures_of_other_programs_are_read(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    picture = ("-f", "lavfi", "-i", "color=0xc83c28:s=64x48:d=0.2")
    pixels = ("-pix_fmt", "gbrp10le") if suffix == ".dpx" else ("-q:v", 1)
    clips.ffmpeg(*picture, *pixels, folder / f"%d{suffix}")
    with VideoSource(folder, deep=True) as source:
        frames = list(source)
    assert len(frames) == 5
    assert np.abs(frames[-1].image.astype(int) - (200, 60, 40)).max() <= 3


def test_an_excerpt_starts_at_its_picture(tmp_path: Path) -> None:
    folder = write(tmp_path / "f")
    with VideoSource(folder, start=0.08, end=0.16) as source:
        images = [frame.image for frame in source]
    assert (source.first, len(images)) == (2, 2)
    assert np.array_equal(images[0], clips.counting_image(2, SIZE))


def test_numbers_count_not_letters(tmp_path: Path) -> None:
    for name in ("x9.png", "x10.png", "x100.png", ".x1.png", "y.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in sequence_files(tmp_path / "*.png")] == [
        *("x9.png", "x10.png", "x100.png")
    ]


def test_a_file_with_such_a_name_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "100%d[1].mp4"
    assert is_sequence(path)
    path.touch()
    assert not is_sequence(path)
    assert is_sequence(tmp_path)
    assert not is_sequence(tmp_path / "none.mp4")


@pytest.mark.parametrize("form", ["{}", "{}/a-%03d.png"])
def test_gaps_are_named(tmp_path: Path, form: str) -> None:
    folder = write(tmp_path / "f")
    for number in (2, 4):
        (folder / name_of(number)).unlink()
    with pytest.raises(SourceError, match="has gaps: of 1 to 5 it lacks 2, 4") as caught:
        VideoSource(form.format(folder))
    assert str(caught.value).endswith(f"or take what is there with '{folder / '*.png'}'")
    with VideoSource(folder / "*.png") as source:
        assert len(list(source)) == 3


def test_another_size_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "f")
    clips.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:d=0.04", folder / name_of(4))
    with pytest.raises(SourceError, match=r"a-004.png has 32x32 pixels, and the first one 64x48"):
        VideoSource(folder)


@pytest.mark.parametrize("damage", [b"", b"hello", None])
def test_a_damaged_picture_is_named_and_nothing_moves_up(
    tmp_path: Path, damage: bytes | None
) -> None:
    folder = write(tmp_path / "f")
    path = folder / name_of(4)
    path.write_bytes(path.read_bytes()[:90] if damage is None else damage)
    with pytest.raises(SourceError, match=r"a-004.png is damaged, or no picture"):
        VideoSource(folder)


def test_a_folder_of_several_kinds_or_of_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is a folder without pictures"):
        VideoSource(tmp_path)
    with pytest.raises(SourceError, match=r"%d.png fits no file"):
        VideoSource(tmp_path / "%d.png")
    folder = write(tmp_path / "f")
    (folder / "b-1.exr").touch()
    with pytest.raises(SourceError, match=r"several kinds \(.exr, .png\): name one, as in"):
        VideoSource(folder)


def test_a_film_keeps_its_own_rate(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mp4")
    with pytest.raises(SourceError, match="has a frame rate of its own: leave out --fps"):
        VideoSource(path, fps=Fraction(12))


def test_light_above_white_is_cut_off(tmp_path: Path) -> None:
    light = np.full((3, 48, 64), 4.0, "<f4")
    light[:, :, :32] = 0.2140  # of a medium grey, 0.5 in sRGB
    raw = ("-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-s", "64x48", "-i", "-")
    clips.ffmpeg(*raw, tmp_path / "1.exr", stdin=light.tobytes())
    with VideoSource(tmp_path) as source:
        image = next(iter(source)).image
    assert np.abs(image[:, :32].astype(int) - 128).max() <= 1
    assert image[:, 32:].min() == 255


def test_pictures_that_lie_on_their_side_are_turned(tmp_path: Path) -> None:
    for number in (1, 2):
        exif = Image.Exif()
        exif[0x0112] = 6  # orientation: turn it to the right
        picture = Image.fromarray(clips.counting_image(number, SIZE))
        picture.save(tmp_path / f"{number}.jpg", exif=exif, quality=98)
    with VideoSource(tmp_path) as source:
        images = [frame.image for frame in source]
    assert source.info.size == SIZE[::-1]
    wanted = np.rot90(clips.counting_image(2, SIZE), -1)
    assert np.abs(images[1].astype(int) - wanted).mean() < 4


def test_pictures_of_another_kind_are_named(tmp_path: Path) -> None:
    pixels = clips.counting_image(1, SIZE)
    for folder, second in (("alpha", "rgba"), ("deep", "rgb48be")):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "1.png")
        raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-i", "-", "-pix_fmt", second)
        clips.ffmpeg(*raw, tmp_path / folder / "2.png", stdin=pixels.tobytes())
    with pytest.raises(SourceError, match=r"2.png has transparent pixels, unlike the first one"):
        VideoSource(tmp_path / "alpha")
    with pytest.raises(SourceError, match=r"2.png has 16 bits, unlike the first one"):
        VideoSource(tmp_path / "deep")


def test_pictures_of_few_colours_are_of_the_same_kind(tmp_path: Path) -> None:
    picture = Image.fromarray(clips.counting_image(1, SIZE))
    for number, mode in enumerate(("RGB", "P", "L", "RGB"), 1):
        picture.convert(mode).save(tmp_path / f"{number}.png")
    with VideoSource(tmp_path) as source:
        assert len(list(source)) == 4


def test_an_animation_among_them_is_refused(tmp_path: Path) -> None:
    clips.make(tmp_path / "1.apng", "-plays", 0, seconds=0.2)
    (tmp_path / "1.apng").rename(tmp_path / "1.png")
    with pytest.raises(SourceError, match="is an animation: read it as a film"):
        VideoSource(tmp_path)


def test_large_numbers_need_no_memory(tmp_path: Path) -> None:
    for name in ("a20240101120000.png", "a20250101120000.png"):
        (tmp_path / name).touch()
    with pytest.raises(SourceError, match="it lacks 20240101120001 to 20250101119999"):
        sequence_files(tmp_path)


def test_a_line_break_in_a_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "a\n1.png").touch()
    with pytest.raises(SourceError, match="has a line break in its name"):
        sequence_files(tmp_path)
