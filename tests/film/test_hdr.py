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


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
def test_it_stays_hdr_with_its_tags(
    tiny: Make, film: Path, tmp_path: Path, curve: str, name: str
) -> None:
    target = tmp_path / name
    done = render(film, target, tiny(step_size=0), OutputSettings())
    assert done.warning is None
    assert f"bt2020nc/bt2020/{curve}" in clips.report(target)
    both = []
    for path in (film, target):
        with VideoSource(path, deep=True, hdr=True) as source:
            both.append(next(iter(source)))
        assert source.info.hdr == both[-1].hdr == CURVES[curve]
    before, after = (clips.patch_colours(frame.deep) for frame in both)
    assert np.abs(before - after).max() <= 4 * 64  # of 10 bits, after lossy compression


@pytest.mark.parametrize("name", ["a.gif", "%d.png", "a.mp4"])
def test_where_it_cannot_stay_you_are_told(
    tiny: Make, film: Path, tmp_path: Path, name: str
) -> None:
    target, output = tmp_path / name, OutputSettings(bits=8)
    done = render(film, target, tiny(step_size=0), output)
    assert str(done.warning).startswith(f"{film} is HDR and this output cannot be")
    if name == "a.mp4":
        assert far_from_patches(target) <= 6
        assert "bt2020" not in clips.report(target)


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
