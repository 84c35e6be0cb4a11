"""What is refused before anything is dreamed, with the kept chunks untouched."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import films
import pytest
from filelock import FileLock

from stream_dream.cli import progress
from stream_dream.errors import (
    NetworkError,
    SettingsError,
    SinkError,
    SourceError,
)
from stream_dream.film.events import FilmEvents
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job.job_file import FilmJob
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


def test_a_wrong_layer_or_guide_is_refused_before_the_film_is_read(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    planned: list[int] = []
    events = FilmEvents(planning=lambda frames, total: planned.append(frames))
    wrong = tiny(layer=["no_such_layer"])
    with pytest.raises(NetworkError, match="no_such_layer"):
        render_film(
            source, tmp_path / "a.mp4", wrong, OutputSettings(), films.SHORT_CHUNKS, events=events
        )
    guided = tiny(guide=tmp_path / "nothing.mp4")
    with pytest.raises(SourceError, match=r"nothing\.mp4 does not exist"):
        render_film(
            source, tmp_path / "a.mp4", guided, OutputSettings(), films.SHORT_CHUNKS, events=events
        )
    assert not planned
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_started_film_is_not_started_anew_without_resume(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    folder = films.interrupted_job(source, tmp_path / "film.mp4", tiny(), 2)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SinkError, match="--resume, or delete it") as refused:
        render_film(source, tmp_path / "film.mp4", tiny(), OutputSettings(), films.SHORT_CHUNKS)
    assert refused.value.exit_code == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


@pytest.mark.slow
def test_other_settings_and_sources_are_refused(tiny: Make, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    folder = films.interrupted_job(source, target, tiny(), 2)
    with pytest.raises(SettingsError, match=r"persistence was .+, not 0.5; crf was 18, not 30"):
        films.resume(source, target, tiny(persistence=0.5), crf=30)
    other = tmp_path / "other.mp4"
    other.write_bytes(source.read_bytes() + b"more")
    with pytest.raises(SettingsError, match="the source was another file"):
        films.resume(other, target, tiny())
    same = tmp_path / "moved.mp4"
    same.write_bytes(source.read_bytes())
    assert films.resume(same, target, tiny()).plan.frames == 43
    assert not folder.exists()


def test_only_sound_may_differ_from_the_job(source: Path) -> None:
    dream, output = DreamSettings(), OutputSettings()
    asked = films.request_for(source, output, films.SHORT_CHUNKS)
    job = FilmJob.of(asked, films.plan_with([3]))
    free = set()
    for settings in (dream, output):
        for name, value in settings:
            another = not value if isinstance(value, bool) else "something else"
            other = settings.model_copy(update={name: another})
            changed = {"dream" if settings is dream else "output": other}
            if not job.differences(replace(asked, **changed)):  # type: ignore[arg-type]
                free.add(name)
    assert free == {"audio"}


@pytest.mark.slow
def test_other_settings_are_refused_before_weights_are_fetched(
    run: Callable[..., tuple[int, str, str]],
    tiny: Make,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "film.mp4"
    films.interrupted_job(source, target, tiny(), 1)
    fetched: list[str] = []
    monkeypatch.setattr(progress, "fetch_weights", lambda dream, quiet: fetched.append("weights"))
    code, _, err = run("render", str(source), str(target), "--resume", "--network", "vgg16")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "network was" in err
    assert not fetched


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', None])
def test_a_damaged_job_is_refused(
    tiny: Make, source: Path, tmp_path: Path, text: str | None
) -> None:
    target = tmp_path / "film.mp4"
    folder = films.interrupted_job(source, target, tiny(), 2)
    job = folder / "job.json"
    job.write_text(job.read_text()[: job.stat().st_size // 2] if text is None else text)
    with pytest.raises(SettingsError, match=r"job\.json is damaged .* delete .* to begin anew"):
        films.resume(source, target, tiny())
    assert list(folder.glob("*.mp4"))


@pytest.mark.slow
def test_a_job_of_another_version_is_not_called_damaged(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    job = films.interrupted_job(source, target, tiny(), 2) / "job.json"
    data = json.loads(job.read_text())
    data["dream"]["no_such_setting"] = 1
    data["made_with"]["stream-dream"] = "99.0"
    job.write_text(json.dumps(data))
    with pytest.raises(SettingsError, match=r"begun with stream_dream 99\.0"):
        films.resume(source, target, tiny())


def test_a_folder_that_is_no_job_is_left_alone(tiny: Make, source: Path, tmp_path: Path) -> None:
    notes = tmp_path / "film.mp4.dream" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("precious")
    with pytest.raises(SinkError, match="nothing tells what they belong to"):
        films.resume(source, tmp_path / "film.mp4", tiny())
    assert notes.read_text() == "precious"


@pytest.mark.slow
def test_leftover_folders_are_told_apart(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    with pytest.raises(SinkError, match=r"film\.mp4, which is finished: --resume removes it"):
        render_film(source, target, tiny(), OutputSettings(), films.SHORT_CHUNKS, overwrite=True)
    foreign = tmp_path / "other.mp4.dream"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("precious")
    with pytest.raises(SinkError, match="nothing tells what they belong to"):
        render_film(source, tmp_path / "other.mp4", tiny(), OutputSettings(), films.SHORT_CHUNKS)
    (foreign / "notes.txt").rename(foreign / "lock")  # the only file that a killed run may leave
    render_film(source, tmp_path / "other.mp4", tiny(), OutputSettings(end=0.4), films.SHORT_CHUNKS)
    assert not foreign.exists()


@pytest.mark.slow
def test_a_job_in_use_is_refused(tiny: Make, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    folder = films.interrupted_job(source, target, tiny(), 2)
    with FileLock(folder / "lock"), pytest.raises(SinkError, match="another render is working"):
        films.resume(source, target, tiny())
    films.resume(source, target, tiny())


@pytest.mark.slow
def test_a_render_at_work_is_not_called_a_leftover(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    folder = films.interrupted_job(source, tmp_path / "film.mp4", tiny(), 1)
    with FileLock(folder / "lock"), pytest.raises(SinkError, match="is in use"):
        render_film(source, tmp_path / "film.mp4", tiny(), OutputSettings(), films.SHORT_CHUNKS)
