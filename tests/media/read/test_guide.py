"""Guides: the same for each frame wherever reading starts, without needless decoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import clips
import numpy as np
import pytest
from PIL import Image

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.media.read.guide import GuideReader, guide_images
from stream_dream.media.read.opencv_decoder import OpenCVDecoder
from stream_dream.media.read.video import VideoSource

_LENGTH = 225
_UNEVEN = "setpts='(N+if(gt(N,20),15,0)+random(0)*0.9)/25/TB'"


def in_a_row(path: Path) -> list[Image8]:
    with VideoSource(path) as clip:
        return [frame.image for frame in clip]


def taken(reader: GuideReader, first: int, count: int) -> list[Image8]:
    return list(islice(reader.images(first), count))


def assert_right(reader: GuideReader, whole: list[Image8], first: int, count: int = 12) -> None:
    for position, image in enumerate(taken(reader, first, count), first):
        np.testing.assert_array_equal(image, whole[position % len(whole)])


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip long enough for seeking (5 s)."""
    path = tmp_path_factory.mktemp("guide") / "long.mp4"
    return clips.make(path, "-c:v", "libx264", "-bf", "3", "-g", "10", seconds=9)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with each picture that is decoded."""
    grab, seen = OpenCVDecoder._grab, []

    def grab_and_tell(self: OpenCVDecoder) -> bool:
        seen.append(1)
        return grab(self)

    monkeypatch.setattr(OpenCVDecoder, "_grab", grab_and_tell)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ("-c:v", "libx264", "-bf", "3", "-g", "60")),
        ("a.ts", ("-c:v", "libx264", "-bf", "3", "-g", "300")),
        ("a.h264", ("-c:v", "libx264")),
        ("a.avi", ("-c:v", "mpeg4")),
        (
            "a.mkv",
            ("-vf", "setpts='(N+if(gt(N,20),15,0)+random(0)*0.9)/25/TB'", "-fps_mode", "vfr"),
        ),
        ("a.gif", ("-t", "0.6")),
    ],
)
def test_a_guide_does_not_depend_on_where_reading_begins(
    tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    path = clips.make(tmp_path / name, *options, seconds=9)
    whole = in_a_row(path)
    for order in ((150, 170, 162, 20, 190, 0, 222, 500, 512, 300), (700, 3, 180), (0, 12, 2000)):
        with closing(GuideReader(path)) as reader:
            for first in order:
                assert_right(reader, whole, first)


def test_consecutive_chunks_read_on(long_clip: Path, decoded: list[int]) -> None:
    whole = in_a_row(long_clip)
    assert len(whole) == _LENGTH
    decoded.clear()
    with closing(GuideReader(long_clip)) as reader:
        for first in range(0, 3 * _LENGTH, 25):
            # One more than the chunk has frames: its last frame prefetches the next guide.
            assert_right(reader, whole, first, 26)
    assert len(decoded) < 3 * _LENGTH + 50


def test_other_chunks_are_jumped_to(long_clip: Path, decoded: list[int]) -> None:
    whole = in_a_row(long_clip)
    with closing(GuideReader(long_clip)) as reader:
        assert_right(reader, whole, 212)
        decoded.clear()
        for first in (190, 170, 190 + _LENGTH, 150 + 7 * _LENGTH):
            assert_right(reader, whole, first)
    assert len(decoded) < 4 * 100


def be_late(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Shift the time that a clip reports after a jump."""
    pictures = OpenCVDecoder.pictures

    def late(self: OpenCVDecoder, start: float = 0.0) -> Iterator[tuple[Image8, float]]:
        for image, time in pictures(self, start):
            yield image, time + (seconds if start else 0.0)

    monkeypatch.setattr(OpenCVDecoder, "pictures", late)


def test_a_jump_to_a_wrong_frame_is_noticed(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = in_a_row(long_clip)
    seek = OpenCVDecoder._seek

    def go_astray(self: OpenCVDecoder, start: float) -> bool:
        return seek(self, start) and self._grab() and self._grab() and self._grab()

    with closing(GuideReader(long_clip)) as reader:
        assert_right(reader, whole, 210)
        monkeypatch.setattr(OpenCVDecoder, "_seek", go_astray)
        assert_right(reader, whole, 150)
        be_late(monkeypatch, 0.08)
        assert_right(reader, whole, 170)


def test_where_a_clip_stands_still_a_jump_is_verified_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "still.mkv"
    still = ("-vf", "loop=loop=40:size=1:start=160", "-c:v", "ffv1", "-g", "10")
    whole = in_a_row(clips.make(path, *still, seconds=9))
    with closing(GuideReader(path)) as reader:
        assert_right(reader, whole, 250)
        be_late(monkeypatch, 0.2)
        assert_right(reader, whole, 180, 60)


def test_a_picture_guides_alone(tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), (9, 90, 200)).save(tmp_path / "a.png")
    for first in (0, 7):
        (image,) = GuideReader(tmp_path / "a.png").images(first)
        assert image[0, 0].tolist() == [9, 90, 200]
    assert list(GuideReader(None).images(3)) == []


def test_a_reading_that_failed_begins_anew(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = in_a_row(long_clip)
    pictures = OpenCVDecoder._pictures

    def failing(self: OpenCVDecoder, start: float) -> Iterator[tuple[Image8, float]]:
        yield from islice(pictures(self, start), 30)
        raise SourceError("gone")

    with closing(GuideReader(long_clip)) as reader:
        monkeypatch.setattr(OpenCVDecoder, "_pictures", failing)
        with pytest.raises(SourceError, match="gone"):
            taken(reader, 100, 1)
        monkeypatch.setattr(OpenCVDecoder, "_pictures", pictures)
        assert_right(reader, whole, 100)


def test_guides_of_a_clip_never_end(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.gif", "-t", "0.2")
    whole = in_a_row(path)
    for position, image in enumerate(islice(guide_images(path), 23)):
        np.testing.assert_array_equal(image, whole[position % len(whole)])
