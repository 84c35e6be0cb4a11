"""HDR stays HDR with its tags, or becomes SDR in its colours; never pale and never silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import clips
import films
import numpy as np
import pytest

from stream_dream.film.in_chunks import render_film
from stream_dream.film.one_piece import render
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

Make = Callable[..., DreamSettings]
CURVES = {"smpte2084": "pq", "arib-std-b67": "hlg"}


@pytest.fixture(params=CURVES)
def curve(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def film(tmp_path: Path, curve: str) -> Path:
    return clips.make_hdr(tmp_path / "hdr.mp4", curve)


def far_from_patches(path: Path) -> int:
    """Return by how many levels a colour differs from SDR's, at most."""
    with VideoSource(path) as source:
        found = clips.patch_colours(next(iter(source)).image)
    return int(np.abs(found - np.array(clips.PATCHES)).max())


def test_every_reader_sees_hdr_in_the_colours_of_sdr(film: Path) -> None:
    assert far_from_patches(film) <= 4


def test_the_colours_of_phones_are_converted(tmp_path: Path) -> None:
    path = clips.make_hdr(tmp_path / "p3.mp4", "bt709", primaries="smpte432")
    assert far_from_patches(path) <= 3


@pytest.mark.parametrize(
    ("primaries", "transfer", "matrix"),
    [
        ("bt2020", "unknown", "bt2020nc"),
        ("smpte432", "unknown", "bt709"),
        ("smpte432", "bt709", "unknown"),
        ("unknown", "smpte2084", "unknown"),
        ("unknown", "arib-std-b67", "bt2020nc"),
    ],
)
def test_films_with_few_tags_are_read_all_the_same(
    tmp_path: Path, primaries: str, transfer: str, matrix: str
) -> None:
    path = tmp_path / "a.mp4"
    tags = f"color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"
    picture = ("-f", "lavfi", "-i", "color=0x808080:s=64x48:d=0.2")
    filters = ("-vf", f"format=yuv420p10le,setparams={tags}")
    clips.ffmpeg(*picture, *filters, "-c:v", "libx265", "-x265-params", "log-level=error", path)
    with VideoSource(path) as source:
        images = [frame.image for frame in source]
    assert len(images) == 5
    assert np.ptp(images[0].reshape(-1, 3), axis=1).max() <= 3  # grey stays grey


@pytest.mark.parametrize("size", ["63x47", "64x47"])
def test_odd_sizes_are_read_too(tmp_path: Path, size: str) -> None:
    path = tmp_path / "a.mkv"
    tags = "color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    picture = ("-f", "lavfi", "-i", f"color=0x808080:s={size}:d=0.2")
    clips.ffmpeg(*picture, "-vf", f"format=yuv420p10le,setparams={tags}", "-c:v", "ffv1", path)
    for wanted in ({}, {"deep": True}, {"deep": True, "hdr": True}):
        with VideoSource(path, **wanted) as source:
            assert len(list(source)) == 5


@pytest.mark.parametrize("pixels", ["yuv420p10le", "yuv422p10le", "yuv444p10le"])
def test_yuv_that_is_tagged_as_rgb_is_read(tmp_path: Path, pixels: str) -> None:
    path = tmp_path / "a.mkv"
    picture = ("-f", "lavfi", "-i", "color=white:s=64x48:d=0.2")
    filters = ("-vf", f"format={pixels},setparams=colorspace=gbr")
    clips.ffmpeg(*picture, *filters, "-c:v", "ffv1", path)
    with VideoSource(path, deep=True) as source:
        images = [frame.deep for frame in source]
    assert len(images) == 5
    assert images[0] is not None
    assert images[0].min() > 65000


def test_transparent_pictures_in_wide_colours_stay_transparent(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    picture = ("-f", "lavfi", "-i", "color=0xff0000@0.0:s=64x48:d=0.2,format=yuva444p10le")
    tags = "setparams=color_primaries=smpte432:color_trc=bt709:colorspace=bt709"
    clips.ffmpeg(*picture, "-vf", tags, "-c:v", "prores_ks", "-profile:v", 4, path)
    with VideoSource(path, background=(0, 0, 255)) as source:
        image = next(iter(source)).image
    assert np.abs(image.astype(int) - (0, 0, 255)).max() <= 3


@pytest.mark.slow
def test_hdr_in_other_colours_is_converted_to_those_of_its_tag(tiny: Make, tmp_path: Path) -> None:
    film = clips.make_hdr(tmp_path / "p3.mp4", "smpte2084", primaries="smpte432")
    assert far_from_patches(film) <= 4
    target = tmp_path / "a.mkv"
    render(film, target, tiny(step_size=0), OutputSettings(codec="ffv1"))
    assert "gbr/bt2020/smpte2084" in clips.report(target)
    assert far_from_patches(target) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
def test_it_stays_hdr_with_its_tags(
    tiny: Make, film: Path, tmp_path: Path, curve: str, name: str
) -> None:
    target = tmp_path / name
    done = render(film, target, tiny(step_size=0), OutputSettings(crf=1))
    assert done.warning is None
    assert f"bt2020nc/bt2020/{curve}" in clips.report(target)
    both = []
    for path in (film, target):
        with VideoSource(path, deep=True, hdr=True) as source:
            both.append(next(iter(source)))
        assert source.info.hdr == both[-1].hdr == CURVES[curve]
    before, after = (clips.patch_colours(frame.deep) for frame in both)
    assert np.abs(before - after).max() <= 2.2 * 64  # of 10 bits


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.gif", "%d.png", "a.mp4"])
def test_where_it_cannot_stay_you_are_told(
    tiny: Make, film: Path, tmp_path: Path, name: str
) -> None:
    target, output = tmp_path / name, OutputSettings(bits=8)
    done = render(film, target, tiny(step_size=0), output)
    assert str(done.warning).startswith(f"{film} is HDR and is turned into SDR")
    if name == "a.mp4":
        assert far_from_patches(target) <= 6
        assert "bt2020" not in clips.report(target)


@pytest.mark.slow
def test_it_becomes_sdr_if_asked(tiny: Make, film: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.mkv"
    output = validated(OutputSettings, {"sdr": True, "codec": "ffv1"})
    done = render(film, target, tiny(step_size=0), output)
    assert done.warning is None
    assert far_from_patches(target) <= 4
    with VideoSource(target, deep=True) as source:
        assert (source.info.bits, source.info.hdr) == (10, None)


@pytest.mark.slow
def test_chunks_dream_hdr_as_one_piece_does(tiny: Make, film: Path, tmp_path: Path) -> None:
    one = films.in_one_piece(film, tmp_path / "one.mp4", tiny())
    chunked = FilmSettings(chunk_seconds=0.04)
    summary = render_film(film, tmp_path / "a.mp4", tiny(), OutputSettings(), chunked)
    assert len(summary.plan.chunks) == 2
    assert films.checksums(summary) == one
    assert "bt2020nc/bt2020/" in clips.report(tmp_path / "a.mp4")
