"""The end of a film: its name, its report, and the job folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import films
import pytest

from stream_dream.errors import SinkError
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job import publish
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


@pytest.mark.slow
def test_the_job_folder_is_kept_on_request(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    folder = tmp_path / "film.mp4.dream"
    assert (folder / "000001.mp4").exists()
    again = films.resume(source, target, tiny(), end=0.4)  # nothing to dream; removes the folder
    assert "dream" not in again.stages
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_a_report_that_fails_can_be_written_later(tiny: Make, source: Path, tmp_path: Path) -> None:
    def fail(summary: FilmSummary) -> None:
        assert target.exists()
        raise SinkError("no room for the report")

    target, output = tmp_path / "film.mp4", OutputSettings(end=0.4)
    with pytest.raises(SinkError, match="no room for the report"):
        render_film(source, target, tiny(), output, films.SHORT_CHUNKS, on_finished=fail)
    reported: list[FilmSummary] = []
    again = render_film(
        source, target, tiny(), output, films.SHORT_CHUNKS, resume=True, on_finished=reported.append
    )
    assert reported == [again]
    assert len(films.checksums(again)) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_no_report_is_made_of_incomplete_records(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    (tmp_path / "film.mp4.dream" / "000000.json").unlink()  # as if killed while removing the folder
    reported: list[FilmSummary] = []
    output = OutputSettings(end=0.4)
    render_film(
        source, target, tiny(), output, films.SHORT_CHUNKS, resume=True, on_finished=reported.append
    )
    assert not reported
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_a_file_that_appears_during_the_render_is_kept(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target, notes = tmp_path / "film.mp4", films.Notes()
    events = FilmEvents(joining=lambda: target.write_text("mine"), note=notes)  # type: ignore[arg-type, return-value]
    summary = render_film(
        source, target, tiny(), OutputSettings(end=0.4), films.SHORT_CHUNKS, events=events
    )
    assert summary.target == tmp_path / "film.2.mp4"
    assert target.read_text() == "mine"
    assert len(films.frames_of(tmp_path / "film.2.mp4")) == 10
    assert "was kept: see" in notes


@pytest.mark.slow
def test_a_file_that_replaced_the_result_is_kept(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    target.write_text("mine")
    with pytest.raises(SinkError, match="exists already"):
        films.resume(source, target, tiny(), end=0.4)
    assert target.read_text() == "mine"


@pytest.mark.slow
def test_published_pictures_are_not_published_again(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target, keep = tmp_path / "%03d.png", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    (tmp_path / "003.png").write_text("mine")
    films.resume(source, target, tiny(), end=0.4)
    assert (tmp_path / "003.png").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["film.mp4", "%03d.png"])
@pytest.mark.stops
def test_a_render_killed_while_publishing_is_finished_by_resume(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Killed(BaseException):
        pass

    place = publish.place

    def placed_then_killed(made: Path, path: Path, *, overwrite: bool) -> Path:
        place(made, path, overwrite=overwrite)
        raise Killed

    monkeypatch.setattr(publish, "place", placed_then_killed)
    target, output = tmp_path / name, OutputSettings(end=0.4)
    with pytest.raises(Killed):
        render_film(source, target, tiny(), output, films.SHORT_CHUNKS)
    monkeypatch.setattr(publish, "place", place)
    made = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    films.resume(source, target, tiny(), end=0.4)
    assert sorted(path.name for path in tmp_path.iterdir()) == made
    assert len(made) == (1 if name == "film.mp4" else 10)


@pytest.mark.slow
def test_foreign_pictures_stay_when_publishing_is_killed(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(made: Path, path: Path, *, overwrite: bool) -> Path:
        sorted(made.iterdir())[0].rename(path.with_name("001.2.png"))
        raise Killed

    target = tmp_path / "%03d.png"
    place = publish.place
    monkeypatch.setattr(publish, "place", killed)
    mine = FilmEvents(joining=lambda: (tmp_path / "001.png").write_text("mine"))  # type: ignore[arg-type, return-value]
    with pytest.raises(Killed):
        render_film(
            source, target, tiny(), OutputSettings(end=0.4), films.SHORT_CHUNKS, events=mine
        )
    monkeypatch.setattr(publish, "place", place)
    films.resume(source, target, tiny(), end=0.4)
    assert (tmp_path / "001.png").read_text() == "mine"
    assert len(list(tmp_path.glob("*.2.png"))) == 10
    assert len(list(tmp_path.iterdir())) == 11
