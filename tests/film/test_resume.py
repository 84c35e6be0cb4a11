"""A resumed film: what is kept, what is dreamed again, and what may have changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import clips
import films
import pytest

from stream_dream.errors import (
    SettingsError,
    SourceError,
)
from stream_dream.film.events import FilmEvents
from stream_dream.film.in_chunks import render_film
from stream_dream.media.read.opencv_decoder import CAPTURE_OPTIONS
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


@pytest.mark.slow
@pytest.mark.stops
def test_a_stopped_film_resumes_where_it_was(tiny: Make, source: Path, tmp_path: Path) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", tiny())
    target = tmp_path / "film.mp4"
    folder = films.interrupted_job(source, target, tiny(), 3)
    begun = len(list(folder.glob("*.json"))) - 1
    assert 3 <= begun <= 5
    dreamed: list[int] = []
    events = FilmEvents(done=lambda chunk, record: dreamed.append(chunk.number))
    summary = render_film(
        source, target, tiny(), OutputSettings(), films.SHORT_CHUNKS, resume=True, events=events
    )
    assert len(dreamed) == 9 - begun
    assert films.checksums(summary) == one
    assert not folder.exists()


@pytest.mark.slow
def test_chunks_are_checked_wherever_they_lie_and_whatever_opencv_is_told(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    target, notes = folder / "film.mp4", films.Notes()
    films.interrupted_job(source, target, tiny(), 3)
    monkeypatch.setenv(CAPTURE_OPTIONS, "rtsp_transport;tcp|video_codec;mpeg2video")
    events = FilmEvents(note=notes)
    render_film(
        source, target, tiny(), OutputSettings(), films.SHORT_CHUNKS, resume=True, events=events
    )
    assert not notes.lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda f: (f / "000000.mp4").write_bytes((f / "000000.mp4").read_bytes()[:-9]), "damaged"),
        (lambda f: (f / "000000.mp4").unlink(), "000000.mp4 is missing"),
        (lambda f: (f / "000000.json").write_text("{"), None),
        (lambda f: (f / "000000.json").write_text(json.dumps({"number": 0})), None),
        (lambda f: [p.write_bytes(b"x") for p in f.glob("*.npz")], "npz is damaged"),
        (lambda f: [p.unlink() for p in f.glob("*.npz")], "npz is missing"),
        (lambda f: (f / "000099.abc.part").write_bytes(b"half"), None),
    ],
)
def test_damaged_files_of_a_job_are_noticed_and_made_again(
    tiny: Make, source: Path, tmp_path: Path, harm: Callable[[Path], object], said: str | None
) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", tiny())
    target, notes = tmp_path / "film.mp4", films.Notes()
    harm(films.interrupted_job(source, target, tiny(), 3))
    events = FilmEvents(note=notes)
    summary = render_film(
        source, target, tiny(), OutputSettings(), films.SHORT_CHUNKS, resume=True, events=events
    )
    assert films.checksums(summary) == one
    assert (said in notes) if said else not notes.lines
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "one.mp4"]


@pytest.mark.slow
def test_an_empty_job_folder_is_started_anew(tiny: Make, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    (tmp_path / "film.mp4.dream").mkdir()
    assert films.resume(source, target, tiny(), end=0.2).plan.frames == 5
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_chunks_of_another_job_are_ignored(tiny: Make, source: Path, tmp_path: Path) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", tiny())
    other = films.interrupted_job(source, tmp_path / "other.mp4", tiny(persistence=0.5), 3)
    folder = films.interrupted_job(source, tmp_path / "film.mp4", tiny(), 1)
    for path in other.glob("0*"):
        shutil.copy(path, folder)
    assert films.checksums(films.resume(source, tmp_path / "film.mp4", tiny())) == one


@pytest.mark.slow
def test_chunks_keep_their_length_when_resumed(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, notes = tmp_path / "film.mp4", films.Notes()
    films.interrupted_job(source, target, tiny(), 2)
    longer = FilmSettings(chunk_seconds=0.5)
    summary = render_film(
        source,
        target,
        tiny(),
        OutputSettings(),
        longer,
        resume=True,
        events=FilmEvents(note=notes),
    )
    assert len(summary.plan.chunks) == 9
    assert "stay as they were begun: 0.24 s" in notes


@pytest.mark.slow
def test_a_job_from_a_version_with_fewer_settings_resumes(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    folder = films.interrupted_job(source, tmp_path / "film.mp4", tiny(), 3)
    job = folder / "job.json"
    data = json.loads(job.read_text())
    del data["dream"]["max_loss"]  # as an older version wrote it
    job.write_text(json.dumps(data))
    begun, dreamed = len(list(folder.glob("000*.json"))), list[int]()
    events = FilmEvents(done=lambda chunk, record: dreamed.append(chunk.number))
    render_film(
        source,
        tmp_path / "film.mp4",
        tiny(),
        OutputSettings(),
        films.SHORT_CHUNKS,
        resume=True,
        events=events,
    )
    assert len(dreamed) == 9 - begun


@pytest.mark.slow
def test_a_guide_may_move_but_not_vanish_or_change(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    guide, moved = tmp_path / "guide.png", tmp_path / "moved.png"
    write_picture(Picture(clips.patch_image()), guide)
    shutil.copy(guide, moved)
    films.interrupted_job(source, tmp_path / "film.mp4", tiny(guide=guide), 2)
    with pytest.raises(SettingsError, match=r"guide was .*guide\.png, not .*nothing\.png"):
        films.resume(source, tmp_path / "film.mp4", tiny(guide=tmp_path / "nothing.png"))
    guide.unlink()
    with pytest.raises(SourceError, match=r"guide\.png"):
        films.resume(source, tmp_path / "film.mp4", tiny(guide=guide))
    films.resume(source, tmp_path / "film.mp4", tiny(guide=moved))


@pytest.mark.slow
def test_foreign_files_in_the_job_folder_stay(tiny: Make, source: Path, tmp_path: Path) -> None:
    folder = films.interrupted_job(source, tmp_path / "film.mp4", tiny(), 2)
    (folder / "notes.txt").write_text("precious")
    films.resume(source, tmp_path / "film.mp4", tiny())
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
