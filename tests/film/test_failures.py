"""Chunks that fail: the finished ones are kept."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import films
import pytest

from stream_dream.errors import (
    DiskFull,
    SourceError,
)
from stream_dream.film.events import FilmEvents
from stream_dream.film.execution.chunk_task import ChunkDreamer, ChunkTask
from stream_dream.film.execution.scheduler import ChunkFailed, FilmProgress
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job import chunk_record
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.job.durable_files import unwritable
from stream_dream.film.plan.chunk_reader import Reader
from stream_dream.frame import FrameReport
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


@pytest.mark.slow
def test_a_failure_leaves_nothing_unless_a_chunk_was_finished(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(
        self: ChunkDreamer, task: ChunkTask, on_frame: Callable[[FrameReport], None]
    ) -> ChunkRecord:
        raise DiskFull("no room")

    dream = ChunkDreamer.dream
    monkeypatch.setattr(ChunkDreamer, "dream", full)
    target = tmp_path / "film.mp4"
    with pytest.raises(ChunkFailed, match="no room; no chunk was finished, nothing is kept"):
        render_film(source, target, tiny(), OutputSettings(), films.SHORT_CHUNKS)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(ChunkDreamer, "dream", dream)
    folder = films.interrupted_job(source, target, tiny(), 2)
    monkeypatch.setattr(ChunkDreamer, "dream", full)
    with pytest.raises(ChunkFailed, match=r"no room; .* chunks are done and kept"):
        films.resume(source, target, tiny())
    assert (folder / "job.json").exists()


@pytest.mark.slow
def test_a_disk_full_at_a_record_keeps_the_other_chunks(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", tiny())
    target, write = tmp_path / "film.mp4", chunk_record.write_json

    def full(path: Path, data: dict[str, Any]) -> None:
        if path.name == "000004.json":
            raise unwritable(path.parent, OSError(errno.ENOSPC, "No space left on device"))
        write(path, data)

    monkeypatch.setattr(chunk_record, "write_json", full)
    with pytest.raises(ChunkFailed, match=r"No space left on device; .* continue with --resume"):
        render_film(source, target, tiny(), OutputSettings(), films.SHORT_CHUNKS)
    monkeypatch.setattr(chunk_record, "write_json", write)
    assert films.checksums(films.resume(source, target, tiny())) == one


@pytest.mark.slow
def test_a_chunk_that_fails_keeps_the_others(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, target, notes = tmp_path / "moved.mp4", tmp_path / "film.mp4", films.Notes()
    shutil.copy(source, moved)
    dream = ChunkDreamer.dream

    def vanishing(
        self: ChunkDreamer, task: ChunkTask, on_frame: Callable[[FrameReport], None]
    ) -> ChunkRecord:
        if task.chunk.number == 4:
            moved.unlink(missing_ok=True)
            self.close()
        return dream(self, task, on_frame)

    monkeypatch.setattr(ChunkDreamer, "dream", vanishing)
    with pytest.raises(ChunkFailed, match=r"failed 3 times: .*does not exist.* continue with") as e:
        render_film(
            moved,
            target,
            tiny(),
            OutputSettings(),
            films.SHORT_CHUNKS,
            events=FilmEvents(note=notes),
        )
    assert e.value.exit_code == 1
    assert len(notes.lines) == 2
    monkeypatch.setattr(ChunkDreamer, "dream", dream)
    with pytest.raises(SourceError, match="does not exist"):
        films.resume(moved, target, tiny())
    shutil.copy(source, moved)
    films.resume(moved, target, tiny())
    assert len(films.frames_of(target)) == 43


@pytest.mark.slow
@pytest.mark.stops
def test_a_source_that_changes_is_noticed(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "moved.mp4"
    shutil.copy(source, moved)
    other = films.make_film(tmp_path / "other.mp4", (20, 14, 9))

    def swap(progress: FilmProgress) -> None:
        if progress.chunks_done >= 2 and other.exists():
            other.replace(moved)

    monkeypatch.setattr(ChunkDreamer, "_take_reader", lambda self, task: Reader(task.source))
    with pytest.raises(ChunkFailed, match="is not what it was when the film was planned"):
        render_film(
            moved,
            tmp_path / "film.mp4",
            tiny(),
            OutputSettings(),
            films.SHORT_CHUNKS,
            events=FilmEvents(progress=swap),
        )
