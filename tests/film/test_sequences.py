"""Films are made of numbered pictures, and numbered pictures of films."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import clips
import films
import pytest

from stream_dream.errors import SettingsError, SinkError
from stream_dream.film.in_chunks import is_long, render_film
from stream_dream.film.one_piece import render
from stream_dream.film.request import RenderRequest
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Return a folder of seven pictures in 16 bits."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    with VideoSink(folder / "%04d.png", size=(64, 48), fps=Fraction(25), bits=16) as sink:
        for number in range(7):
            sink.write(clips.counting_image(number))
    return folder


@pytest.mark.slow
def test_a_film_has_their_number_at_the_rate_given(
    tiny: Make, pictures: Path, tmp_path: Path
) -> None:
    target, output = tmp_path / "a.mov", OutputSettings(fps=Fraction(12))
    done = render(pictures, target, tiny(step_size=0), output)
    assert (done.frames, done.warning) == (7, None)
    with VideoSource(target, deep=True) as source:
        assert (source.info.fps, source.info.bits) == (12, 10)


@pytest.mark.slow
def test_chunks_read_them_as_one_piece_does(tiny: Make, pictures: Path, tmp_path: Path) -> None:
    one = films.in_one_piece(pictures, tmp_path / "one.mkv", tiny(), codec="ffv1", start=0.04)
    output, film = OutputSettings(codec="ffv1", start=0.04), FilmSettings(chunk_seconds=0.08)
    summary = render_film(pictures / "%04d.png", tmp_path / "a.mkv", tiny(), output, film)
    assert len(summary.plan.chunks) > 2
    assert films.checksums(summary) == one


def test_the_pictures_that_are_read_are_never_replaced(
    tiny: Make, pictures: Path, tmp_path: Path
) -> None:
    before = [path.read_bytes() for path in sorted(pictures.iterdir())]
    for source in (pictures, pictures / "%04d.png", pictures / "*.png"):
        with pytest.raises(SinkError, match="is one of the inputs") as caught:
            render(source, pictures / "%04d.png", tiny(), OutputSettings(), overwrite=True)
        assert caught.value.exit_code == 2
    assert [path.read_bytes() for path in sorted(pictures.iterdir())] == before


def test_the_length_is_known(tiny: Make, pictures: Path, tmp_path: Path) -> None:
    film = FilmSettings(chunk_seconds=0.04)
    request = RenderRequest(pictures, tmp_path / "a.mp4", tiny(), OutputSettings(), film)
    assert is_long(request)


def test_they_are_not_shipped(tiny: Make, pictures: Path, tmp_path: Path) -> None:
    film = FilmSettings(cluster="local", ship=True)
    with pytest.raises(SettingsError, match="--ship sends one file"):
        render_film(pictures, tmp_path / "a.mp4", tiny(), OutputSettings(), film)


@pytest.mark.slow
def test_a_job_whose_pictures_were_made_again_is_not_resumed(
    tiny: Make, pictures: Path, tmp_path: Path
) -> None:
    target, dream = tmp_path / "a.mp4", tiny()
    films.interrupted_job(pictures, target, dream, 1)
    path = pictures / "0007.png"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(SettingsError, match="the source was another file"):
        render_film(pictures, target, dream, OutputSettings(), films.SHORT_CHUNKS, resume=True)
