"""What is not dreamed keeps the depth of its source, on every way through a film."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import clips
import films
import numpy as np
import pytest
from numpy.typing import NDArray

from stream_dream.film.in_chunks import render_film
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

Make = Callable[..., DreamSettings]
LEVELS = 1024
FRAMES = 7


@pytest.fixture
def ramp(tmp_path: Path) -> Path:
    """Return a film of 10 bits with every grey that they can tell apart, one a column."""
    greys = np.round(np.arange(LEVELS) * (65535 / (LEVELS - 1))).astype("<u2")
    image = np.broadcast_to(greys[None, :, None], (16, LEVELS, 3))
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", f"{LEVELS}x16", "-r", "25", "-i", "-")
    path = tmp_path / "ramp.mkv"
    made = ("-c:v", "ffv1", "-pix_fmt", "gbrp10le", path)
    clips.ffmpeg(*raw, *made, stdin=image.tobytes() * FRAMES)
    return path


def greys_of(path: Path) -> list[NDArray[np.int64]]:
    """Return the levels along the middle of each frame, 0 to 1023."""
    with VideoSource(path, deep=True) as source:
        deep = [frame.deep for frame in source]
    assert all(image is not None for image in deep)
    return [np.rint(image[8, :, 1] * ((LEVELS - 1) / 65535)).astype(int) for image in deep]


def output_of(**values: object) -> OutputSettings:
    return validated(OutputSettings, values)


@pytest.mark.slow
def test_a_ramp_of_all_levels_survives(tiny: Make, ramp: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.mkv"
    films.in_one_piece(ramp, target, tiny(step_size=0), codec="ffv1")
    found = greys_of(target)
    assert len(found) == FRAMES
    assert all(np.array_equal(greys, np.arange(LEVELS)) for greys in found)


@pytest.mark.slow
def test_chunks_keep_it_too(tiny: Make, ramp: Path, tmp_path: Path) -> None:
    target, film = tmp_path / "a.mkv", FilmSettings(chunk_seconds=0.08)
    summary = render_film(ramp, target, tiny(step_size=0), output_of(codec="ffv1"), film)
    assert len(summary.plan.chunks) > 2
    assert all(np.array_equal(greys, np.arange(LEVELS)) for greys in greys_of(target))


@pytest.mark.slow
def test_chunks_and_one_piece_dream_the_same_in_16_bits(
    tiny: Make, ramp: Path, tmp_path: Path
) -> None:
    dream, film = tiny(), FilmSettings(chunk_seconds=0.08)
    one = films.in_one_piece(ramp, tmp_path / "one.mov", dream, bits=10, compare=True)
    output = output_of(bits=10, compare=True)
    assert films.checksums(render_film(ramp, tmp_path / "a.mov", dream, output, film)) == one


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least"), [("a.mov", 870), ("a.mp4", 700), ("a.webm", 700), ("a.mkv", 700)]
)
def test_films_keep_the_depth_unasked(
    tiny: Make, ramp: Path, tmp_path: Path, name: str, least: int
) -> None:
    """877 levels of luma are left by BT.709 with 10 bits; of 8 bits there are 220."""
    target = tmp_path / name
    films.in_one_piece(ramp, target, tiny(step_size=0))
    greys = greys_of(target)[-1]
    assert len(np.unique(greys)) > least
    assert np.abs(greys - np.arange(LEVELS)).max() <= 4  # of lossy compression


@pytest.mark.slow
def test_pictures_get_16_bits(tiny: Make, ramp: Path, tmp_path: Path) -> None:
    films.in_one_piece(ramp, tmp_path / "%02d.png", tiny(step_size=0), end=0.08)
    raw = clips.ffmpeg("-i", tmp_path / "02.png", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-")
    row = np.frombuffer(raw, "<u2").reshape(16, LEVELS, 3)[8, :, 1]
    assert np.array_equal(np.rint(row * ((LEVELS - 1) / 65535)), np.arange(LEVELS))


WHITE = 65535


@pytest.mark.slow
@pytest.mark.parametrize("size", ["64x48", "63x47"])
@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuva444p10le"])
def test_the_white_of_a_film_is_that_of_pictures(
    tiny: Make, tmp_path: Path, pixels: str, size: str
) -> None:
    film = tmp_path / "a.mkv"
    picture = ("-f", "lavfi", "-i", f"color=white:s={size}:d=0.08")
    filters = f"format=yuv444p10le,format={pixels}"
    clips.ffmpeg(*picture, "-vf", filters, "-c:v", "ffv1", film)
    films.in_one_piece(film, tmp_path / "%d.png", tiny(step_size=0))
    raw = clips.ffmpeg("-i", tmp_path / "1.png", "-f", "rawvideo", "-pix_fmt", "rgb48le", "-")
    assert np.frombuffer(raw, "<u2").min() >= WHITE - 8


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "white"), [(10, 940), (12, 3760)])
def test_the_white_of_pictures_is_that_of_a_film(
    tiny: Make, tmp_path: Path, bits: int, white: int
) -> None:
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "64x48", "-r", "25", "-i", "-")
    image = np.full((2, 48, 64, 3), WHITE, "<u2")
    clips.ffmpeg(*raw, tmp_path / "%d.png", stdin=image.tobytes())
    target = tmp_path / "a.mkv"
    output = {"codec": "h265", "bits": bits, "crf": 1}
    films.in_one_piece(tmp_path / "%d.png", target, tiny(step_size=0), **output)
    luma = clips.ffmpeg("-i", target, "-f", "rawvideo", "-pix_fmt", f"yuv420p{bits}le", "-")
    assert abs(int(np.frombuffer(luma, "<u2")[0]) - white) <= 1
