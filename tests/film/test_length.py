"""Which films are long enough for chunks, also when a file does not store its length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import clips
import films
import pytest

from stream_dream.errors import SourceError
from stream_dream.film.in_chunks import is_long
from stream_dream.film.plan.chunk_reader import SourceExcerpt
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


def is_long_film(source: Path, output: OutputSettings, film: FilmSettings) -> bool:
    return is_long(films.request_for(source, output, film))


def test_long_films_are_recognised(source: Path) -> None:
    assert is_long_film(source, OutputSettings(), films.SHORT_CHUNKS)
    assert not is_long_film(source, OutputSettings(), FilmSettings(chunk_seconds=1))
    assert not is_long_film(source, OutputSettings(end=0.5), films.SHORT_CHUNKS)
    with pytest.raises(SourceError):
        is_long_film(Path("nowhere.mp4"), OutputSettings(), films.SHORT_CHUNKS)


def without_length(source: Path, kind: str) -> Path:
    """Copy a film into a file that does not store its length."""
    target = source.with_name(f"lengthless.{kind}")
    match kind:
        case "h264":
            clips.ffmpeg("-i", source, "-map", "0:v", "-c", "copy", target)
        case "mkv":  # like a recording that was cut off
            target.write_bytes(clips.ffmpeg("-i", source, "-c", "copy", "-f", "matroska", "-"))
        case "ts":  # the sound may be longer than the picture
            clips.ffmpeg("-i", source, "-c", "copy", target)
    with VideoSource(target) as opened:
        assert opened.info.frame_count is None
    return target


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h264", "mkv", "ts"])
def test_long_films_of_unknown_length_are_recognised(source: Path, kind: str) -> None:
    film = without_length(source, kind)
    assert is_long_film(film, OutputSettings(), films.SHORT_CHUNKS)
    assert not is_long_film(film, OutputSettings(), FilmSettings(chunk_seconds=1))
    assert not is_long_film(film, OutputSettings(start=1.5), films.SHORT_CHUNKS)
    assert is_long_film(film, OutputSettings(start=0.6), films.SHORT_CHUNKS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h264", "mkv", "ts"])
def test_a_film_of_unknown_length_is_decoded_once(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    film, target = without_length(source, kind), tmp_path / "film.mp4"
    one = films.in_one_piece(film, tmp_path / "one.mp4", tiny())
    films.interrupted_job(film, target, tiny(), 3)
    opened: list[int] = []
    open_at = SourceExcerpt.open
    monkeypatch.setattr(
        SourceExcerpt, "open", lambda self, frame: (opened.append(frame), open_at(self, frame))[1]
    )
    summary = films.resume(film, target, tiny())
    assert films.checksums(summary) == one
    assert summary.plan.shots == 3
    assert len(opened) == 1
    assert clips.delays(target) == clips.delays(tmp_path / "one.mp4")
