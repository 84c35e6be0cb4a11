"""The sound of films in chunks, which may change or be left out when a film is resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import clips
import films
import pytest

from stream_dream.errors import SinkError
from stream_dream.film import run
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.in_chunks import render_film
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


def without_decoder(source: Path, path: Path) -> Path:
    """Write a film whose sound has an unknown codec."""
    clips.ffmpeg("-i", source, "-c:v", "copy", "-c:a", "libmp3lame", path)
    path.write_bytes(path.read_bytes().replace(b"A_MPEG/L3", b"A_QQQQ/L3"))
    return path


@pytest.mark.slow
def test_a_film_started_with_sound_can_be_finished_without_it(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    films.interrupted_job(source, target, tiny(), 2)
    assert films.resume(source, target, tiny(), audio=False).plan.frames == 43
    assert "Audio" not in clips.report(target)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_undecodable_sound_is_refused_before_the_film_is_read(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    film, target = without_decoder(source, tmp_path / "unknown.mkv"), tmp_path / "film.mp4"
    planned: list[int] = []
    events = FilmEvents(planning=lambda frames, total: planned.append(frames))
    with pytest.raises(SinkError, match=r"--no-audio$") as refused:
        render_film(film, target, tiny(), OutputSettings(), films.SHORT_CHUNKS, events=events)
    assert refused.value.exit_code == 2
    assert not planned
    assert [path.name for path in tmp_path.iterdir()] == ["unknown.mkv"]
    films.interrupted_job(film, target, tiny(), 2, audio=False)
    with pytest.raises(SinkError, match=r"--no-audio; .* chunks are done and kept") as refused:
        films.resume(film, target, tiny())
    assert refused.value.exit_code == 2


@pytest.mark.slow
def test_sound_that_fails_at_the_end_costs_no_chunk(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, target = without_decoder(source, tmp_path / "unknown.mkv"), tmp_path / "film.mp4"
    monkeypatch.setattr(run, "check_sound", lambda sound, target: None)
    with pytest.raises(SinkError, match="--no-audio; 9 of 9 chunks are done and kept"):
        render_film(film, target, tiny(), OutputSettings(), films.SHORT_CHUNKS)
    assert "dream" not in films.resume(film, target, tiny(), audio=False).stages
    assert len(films.frames_of(target)) == 43


@pytest.mark.slow
def test_kept_chunks_are_joined_again_when_sound_is_switched(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)

    def again(*, audio: bool) -> FilmSummary:
        output = OutputSettings(end=0.4, audio=audio)
        return render_film(source, target, tiny(), output, keep, resume=True)

    for audio, stages in (
        (True, {"prepare", "plan", "dream", "join"}),
        (False, {"check", "join"}),
        (False, set()),
        (True, {"check", "join"}),
    ):
        assert set(again(audio=audio).stages) == stages
        assert ("Audio" in clips.report(target)) is audio
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["film.mp4", "film.mp4.dream"]
