"""Sources of journeys: size, shape, count, and what cannot begin a journey."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import cv2
import numpy as np
import pytest
from PIL import Image

from stream_dream.errors import SettingsError, SourceError
from stream_dream.film import journey_source
from stream_dream.film.journey_source import NOISE, JourneySource, open_journey, output_size
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.validation import validated


def settings(**values: Any) -> JourneySettings:
    return validated(JourneySettings, {"seconds": 0.2, **values})


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Write a picture, 60x40, whose left half is red and whose right half is blue."""
    path, image = tmp_path / "halves.png", np.zeros((40, 60, 3), np.uint8)
    image[:, :30], image[:, 30:] = (0, 0, 255), (255, 0, 0)
    cv2.imwrite(str(path), image)
    return path


def test_every_frame_is_the_start(picture: Path) -> None:
    with open_journey(picture, settings(longer_side=48, fps="10", seconds="1")) as source:
        frames = list(source)
        again = list(source)
    assert source.info.size == (48, 32)
    assert source.info.fps == Fraction(10)
    assert source.info.frame_count == len(frames) == len(again) == 10
    assert [frame.index for frame in frames] == list(range(10))
    assert [frame.time for frame in frames] == [index / 10 for index in range(10)]
    assert all(frame.image is frames[0].image for frame in frames)


def test_a_late_begin_leaves_out_the_frames_before(picture: Path) -> None:
    source = open_journey(picture, settings(longer_side=48), first=3)
    assert source.info.frame_count == len(list(source)) == 2


def test_pictures_are_cropped_and_not_stretched(picture: Path) -> None:
    image = next(iter(open_journey(picture, settings(size="32x32")))).image
    assert image.shape == (32, 32, 3)
    red, blue = image[:, :12].mean(axis=(0, 1)), image[:, 20:].mean(axis=(0, 1))
    assert red[0] > 240
    assert red[2] < 15
    assert blue[2] > 240
    assert blue[0] < 15


def test_small_pictures_are_enlarged(picture: Path) -> None:
    assert open_journey(picture, settings(longer_side=240)).info.size == (240, 160)


@pytest.mark.parametrize(
    ("values", "shape", "wanted"),
    [
        ({"longer_side": 961}, (3, 2), (960, 640)),
        ({"longer_side": 101}, (100, 33), (100, 34)),
        ({"size": (101, 33)}, (1, 1), (101, 33)),
        ({"draft": True}, (16, 9), (240, 136)),
        ({"draft": True, "size": (1280, 720)}, (1, 1), (240, 136)),
        ({"draft": True, "longer_side": 64}, (1, 1), (64, 64)),
        ({"longer_side": 64}, (1, 100), (16, 64)),
    ],
)
def test_sizes(values: Any, shape: tuple[int, int], wanted: tuple[int, int]) -> None:
    assert output_size(settings(**values), shape) == wanted


def test_what_is_transparent_has_the_mean_colour(tmp_path: Path) -> None:
    image = np.zeros((32, 32, 4), np.uint8)
    image[:, :16] = (200, 100, 50, 255)
    image[:, 16:] = (0, 255, 0, 0)
    Image.fromarray(image).save(tmp_path / "clear.png")
    start = next(iter(open_journey(tmp_path / "clear.png", settings(longer_side=32)))).image
    assert np.abs(start.astype(int) - (200, 100, 50)).max() <= 1


def test_photos_are_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    Image.new("RGB", (60, 40)).save(tmp_path / "turned.jpg", exif=exif)
    assert open_journey(tmp_path / "turned.jpg", settings(longer_side=60)).info.size == (40, 60)


def test_a_clip_begins_at_its_start(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "clip.mp4", seconds=1)
    begin, later = (
        next(iter(open_journey(clip, settings(longer_side=64, start=start)))).image
        for start in (None, "0.8")
    )
    assert begin.shape == later.shape == (48, 64, 3)
    assert np.abs(begin.astype(int) - later).mean() > 1


def test_noise_depends_on_the_seed_alone() -> None:
    def noise(seed: int) -> JourneySource:
        return open_journey(NOISE, settings(start_from="noise", longer_side=64), seed=seed)

    first, same, other = (next(iter(noise(seed))).image for seed in (7, 7, 8))
    assert first.shape == (36, 64, 3)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(1, 1), (64, 15)])
def test_tiny_pictures_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "tiny.png")
    with pytest.raises(SourceError, match=f"{size[0]}x{size[1]} pixels: give a picture"):
        open_journey(tmp_path / "tiny.png", settings())


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(SourceError, match="not a picture"):
        open_journey(tmp_path / "text.jpg", settings())
    with pytest.raises(SourceError, match="does not exist"):
        open_journey(tmp_path / "missing.jpg", settings())
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="is a folder without pictures"):
        open_journey(tmp_path / "empty", settings())


def test_moments_are_those_of_clips(picture: Path) -> None:
    with pytest.raises(SettingsError, match="is a picture, which has none"):
        open_journey(picture, settings(start="2"))
    with pytest.raises(SettingsError, match="noise has none"):
        open_journey(NOISE, settings(start_from="noise", start="2"))


def test_more_pixels_than_memory_are_refused(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journey_source, "available_memory", lambda: 10**9)
    with pytest.raises(SettingsError, match=r"8000x8000 pixels needs about 8 GB .* 1 GB are"):
        open_journey(picture, settings(size="8000x8000"), dream_size=640)
    with pytest.raises(SettingsError, match=r"1600x1600 pixels needs about 1 GB .* 1 GB are"):
        open_journey(picture, settings(size="1600x1600"), dream_size=1600)
    for dream_size in (640, None):  # a chunk does not ask again: its journey has begun
        opened = open_journey(picture, settings(size="1600x1600"), dream_size=dream_size)
        assert opened.info.size == (1600, 1600)
    monkeypatch.setattr(journey_source, "available_memory", lambda: None)  # unknown
    assert open_journey(picture, settings(size="64x64"), dream_size=64).info.size == (64, 64)


def test_a_damaged_map_of_depths_is_refused_at_once(picture: Path, tmp_path: Path) -> None:
    (tmp_path / "map.png").write_text("not a picture")
    with pytest.raises(SourceError, match="not a picture"):
        open_journey(picture, settings(depth_map=str(tmp_path / "map.png")))
