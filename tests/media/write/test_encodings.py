"""Films can be written in every codec, with its bits, in every container that holds it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest

from stream_dream.errors import SinkError
from stream_dream.image import to_16bit
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.codecs import CODECS
from stream_dream.media.write.formats import FORMATS, encoding_of
from stream_dream.media.write.video import VideoSink

NTSC = Fraction(30000, 1001)
COMBINATIONS = [
    (suffix, codec, bits)
    for suffix, found in FORMATS.items()
    for codec in found.codecs
    for bits in CODECS[codec].pixels
]
NAMES = {"h264": "h264", "h265": "hevc", "prores4444": "prores", "dnxhr": "dnxhd", "hapq": "hap"}
PRORES_4444_BITS = 12  # whatever was encoded, it says so


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "codec", "bits"), COMBINATIONS)
def test_every_codec_keeps_frames_rate_depth_and_colours(
    tmp_path: Path, suffix: str, codec: str, bits: int
) -> None:
    path = tmp_path / f"a{suffix}"
    image, crf = to_16bit(clips.patch_image(320, 240)), 10 if bits == 12 else 18
    image[200:] = 0
    with VideoSink(path, size=(320, 240), fps=NTSC, codec=codec, bits=bits, crf=crf) as sink:
        for number in range(31):
            numbered = image.copy()
            numbered[200:, number * 10 : number * 10 + 10] = 65535  # frames differ by their place
            sink.write(numbered)
    with VideoSource(path, deep=True) as source:
        frames = list(source)
    assert (len(frames), source.info.fps, source.info.size) == (31, NTSC, (320, 240))
    assert f"Video: {NAMES.get(codec, codec)} " in clips.report(path).replace(",", " ")
    assert source.info.bits == (PRORES_4444_BITS if codec == "prores4444" else bits)
    places = [np.argmax(frame.image[220, :, 1].reshape(32, 10).mean(axis=1)) for frame in frames]
    assert places == list(range(31))
    got = clips.patch_colours(to_16bit(frames[15].image) if bits == 8 else frames[15].deep)
    # Two levels of 8 bits, or three of 10 (one of chroma); a block of Hap Q has four colours.
    levels = 2 / 255 if bits == 8 else 3 / 1023
    allowed = levels * 65535 * (2 if codec == "hapq" else 1)
    assert np.abs(got - np.array(clips.PATCHES) * 257).max() <= allowed


@pytest.mark.parametrize(
    ("name", "codec", "bits", "source_bits", "chosen"),
    [
        ("a.mp4", None, None, 8, ("h264", 8)),
        ("a.mp4", None, None, 10, ("h265", 10)),
        ("a.mp4", None, None, 12, ("h265", 10)),  # 12 play in few programs
        ("a.mp4", None, 12, 8, ("h265", 12)),
        ("a.mp4", None, 8, 10, ("h264", 8)),
        ("a.mp4", "h264", None, 10, ("h264", 8)),  # as do 10 in H.264
        ("a.mp4", "h264", 10, 8, ("h264", 10)),
        ("a.mov", None, None, 8, ("h264", 8)),
        ("a.mov", None, 10, 8, ("prores", 10)),
        ("a.mov", None, 12, 8, ("h265", 12)),
        ("a.mov", None, None, 16, ("prores", 10)),
        ("a.mov", "prores", None, 8, ("prores", 10)),
        ("a.mov", "hap", None, 16, ("hap", 8)),
        ("a.mkv", "ffv1", None, 9, ("ffv1", 10)),
        ("a.mkv", "ffv1", None, 16, ("ffv1", 16)),
        ("A.WEBM", None, None, 10, ("vp9", 10)),
    ],
)
def test_a_film_gets_the_codec_and_the_bits_that_suit_it(
    name: str, codec: str | None, bits: int | None, source_bits: int, chosen: tuple[str, int]
) -> None:
    found = encoding_of(Path(name), codec, bits, source_bits=source_bits)
    assert (found.codec, found.bits) == (CODECS[chosen[0]], chosen[1])


@pytest.mark.parametrize(
    ("name", "bits", "source_bits", "chosen"),
    [
        ("%d.png", None, 8, 8),
        ("%d.png", None, 10, 16),
        ("%d.png", 8, 10, 8),
        ("a.gif", None, 10, 8),
    ],
)
def test_pictures_have_8_or_16_bits(
    name: str, bits: int | None, source_bits: int, chosen: int
) -> None:
    assert encoding_of(Path(name), None, bits, source_bits=source_bits).bits == chosen


@pytest.mark.parametrize(
    ("name", "codec", "bits", "problem"),
    [
        ("a.webm", "h264", None, ".webm does not hold h264: choose vp9 or av1, or write .mp4"),
        (
            "a.mp4",
            "hap",
            None,
            ".mp4 does not hold hap: choose h264, h265, av1 or vp9, or write .mov",
        ),
        ("a.mov", "prores", 8, "prores has 10 bits, not 8: choose --bits 10"),
        ("a.mp4", "h264", 12, "h264 has 8 or 10 bits, not 12: choose --bits 8 or 10"),
        ("a.mp4", None, 16, "bits, not 16"),
        ("a.gif", "h264", None, ".gif is no film and has no choice of codecs: leave out --codec"),
        ("a.gif", None, 10, ".gif has 8 bits, not 10: choose --bits 8"),
        ("%d.png", None, 10, ".png has 8 or 16 bits, not 10: choose --bits 8 or 16"),
    ],
)
def test_what_a_format_does_not_have_is_refused_in_one_line(
    name: str, codec: str | None, bits: int | None, problem: str
) -> None:
    with pytest.raises(SinkError, match=re.escape(problem)) as caught:
        encoding_of(Path(name), codec, bits)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_images_in_hdr_need_a_film_that_holds_them(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="HDR needs more than 8 bits"):
        VideoSink(tmp_path / "a.mp4", size=(64, 48), fps=NTSC, hdr="pq")


def test_a_size_that_a_codec_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with pytest.raises(SinkError, match="64x48 pixels, its codec needs 256x120") as caught:
        VideoSink(path, size=(64, 48), fps=NTSC, codec="dnxhr")
    assert caught.value.exit_code == 2
    assert not path.exists()


def test_hap_gains_pixels_up_to_a_multiple_of_4(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with VideoSink(path, size=(62, 47), fps=NTSC, codec="hap") as sink:
        sink.write(clips.counting_image(2, (62, 47)))
    with VideoSource(path) as source:
        assert source.info.size == (64, 48)
        image = next(iter(source)).image
    assert np.array_equal(image[:, 61], image[:, 63])  # one block of four


def test_images_of_8_bits_become_films_of_10_and_the_other_way_round(tmp_path: Path) -> None:
    shallow = clips.patch_image(64, 48)
    for number, (image, bits) in enumerate(((shallow, 10), (to_16bit(shallow), 8))):
        path = tmp_path / f"{number}.mkv"
        with VideoSink(path, size=(64, 48), fps=NTSC, codec="ffv1", bits=bits) as sink:
            sink.write(image)
        with VideoSource(path, deep=True) as source:
            frame = next(iter(source))
        assert source.info.bits == bits
        assert np.array_equal(frame.image, shallow)


@pytest.mark.slow
def test_quality_0_is_the_best_in_every_codec(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    for codec in ("h264", "h265", "av1", "vp9"):
        sizes = []
        for crf in (0, 3, 40):
            path = tmp_path / f"{codec}-{crf}.mp4"
            with VideoSink(path, size=(128, 96), fps=NTSC, codec=codec, crf=crf) as sink:
                for turn in range(5):
                    sink.write(np.roll(image, turn * 7, axis=1))
            sizes.append(path.stat().st_size)
        assert sizes[0] >= sizes[1] > sizes[2], codec


@pytest.mark.slow
def test_a_film_made_smaller_keeps_its_tag(tmp_path: Path) -> None:
    """Players of one maker insist on it."""
    path, image = tmp_path / "a.mp4", np.random.default_rng(0).integers(0, 256, (96, 128, 3))
    with VideoSink(path, size=(128, 96), fps=NTSC, codec="h265", max_bytes=9000) as sink:
        for _ in range(5):
            sink.write(image.astype(np.uint8))
    assert path.stat().st_size <= 9000
    assert "hvc1" in clips.report(path)
