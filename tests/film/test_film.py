"""Films: the same frames whatever happens on the way, and nothing lost."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import clips
import films
import numpy as np
import pytest
from commands import Command
from filelock import FileLock
from gates import Gate
from waiting import SECONDS, wait_for

from stream_dream.cli import progress
from stream_dream.errors import (
    DiskFull,
    Interrupted,
    NetworkError,
    SettingsError,
    SinkError,
    SourceError,
)
from stream_dream.film import run
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.execution.chunk_task import ChunkDreamer, ChunkTask
from stream_dream.film.execution.scheduler import ChunkFailed, FilmProgress
from stream_dream.film.execution.workers import OwnProcess, Worker, WorkerEnded, WorkerProcesses
from stream_dream.film.in_chunks import is_long, render_film
from stream_dream.film.job import chunk_record, publish
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.job.durable_files import unwritable
from stream_dream.film.job.job_file import FilmJob
from stream_dream.film.one_piece import render
from stream_dream.film.plan.chunk_reader import Reader, SourceExcerpt
from stream_dream.film.plan.plan import Chunk, make_plan
from stream_dream.film.request import RenderRequest
from stream_dream.frame import FrameReport
from stream_dream.media.read import guide as guide_module
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

Make = Callable[..., DreamSettings]
PIECES = FilmSettings(chunk_seconds=0.24)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.make_film(tmp_path_factory.mktemp("film") / "film.mp4")


def frames_of(path: Path) -> list[np.ndarray]:
    with VideoSource(path) as opened:
        return [frame.image for frame in opened]


def asked_for(source: Path, output: OutputSettings, film: FilmSettings) -> RenderRequest:
    return RenderRequest(source, Path("film.mp4"), DreamSettings(), output, film)


def in_one_piece(source: Path, target: Path, dream: DreamSettings, **output: Any) -> list[int]:
    """Render without a plan; return the checksums of the frames."""
    reports: list[FrameReport] = []
    settings = validated(OutputSettings, output)
    render(source, target, dream, settings, checksums=True, on_report=reports.append)
    return [report.checksum or 0 for report in reports]


def checksums(summary: FilmSummary) -> list[int]:
    return [checksum for record in summary.records for checksum in record.checksums]


def stop_at(chunks: int) -> FilmEvents:
    """Press Ctrl-C when so many chunks are done."""

    def look(progress: FilmProgress) -> None:
        if progress.chunks_done >= chunks and not progress.stopping:
            raise KeyboardInterrupt

    return FilmEvents(progress=look)


def begin(source: Path, target: Path, dream: DreamSettings, chunks: int, **output: Any) -> Path:
    """Start a film and stop it when so many chunks are done; return its folder."""
    settings = validated(OutputSettings, output)
    with pytest.raises(Interrupted, match=r"chunks are done and kept .* with --resume"):
        render_film(source, target, dream, settings, PIECES, events=stop_at(chunks))
    assert not target.exists()
    return target.with_name(f"{target.name}.dream")


def resume(source: Path, target: Path, dream: DreamSettings, **output: Any) -> FilmSummary:
    settings = validated(OutputSettings, output)
    return render_film(source, target, dream, settings, PIECES, resume=True)


@pytest.mark.slow
def test_chunks_make_the_same_film_as_one_piece(tiny: Make, source: Path, tmp_path: Path) -> None:
    dream = tiny(schedule="rotate", jitter=8)  # all that a state must carry on
    one = in_one_piece(source, tmp_path / "one.mp4", dream, crf=4)
    done: list[int] = []
    events = FilmEvents(done=lambda chunk, record: done.append(chunk.number))
    summary = render_film(
        source, tmp_path / "film.mp4", dream, OutputSettings(crf=4), PIECES, events=events
    )
    assert checksums(summary) == one
    assert sorted(done) == list(range(9))
    assert (summary.plan.shots, summary.retries, summary.warning) == (3, 0, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "one.mp4"]
    whole, joined = (tmp_path / name for name in ("one.mp4", "film.mp4"))
    assert clips.delays(joined) == clips.delays(whole)
    assert abs(clips.sound_length(joined) - clips.sound_length(whole)) < 0.03
    # Each chunk is encoded by itself, so the frames differ, but by no more than encoding does.
    pairs = zip(frames_of(whole), frames_of(joined), strict=True)
    assert max(float(np.abs(a.astype(int) - b).mean()) for a, b in pairs) < 2


@pytest.mark.slow
def test_a_clip_guides_chunks_as_it_does_one_piece(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = clips.make(tmp_path / "guide.mp4", "-c:v", "libx264", seconds=0.44)
    dream = tiny(guide=guide)
    one = in_one_piece(source, tmp_path / "one.mp4", dream)
    opened: list[Path] = []
    clip = guide_module._Clip
    monkeypatch.setattr(guide_module, "_Clip", lambda path: (opened.append(path), clip(path))[1])
    summary = render_film(source, tmp_path / "film.mp4", dream, OutputSettings(), PIECES)
    assert checksums(summary) == one
    assert len(opened) == 2  # to try it, and to dream


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.gif", "%03d.png", "a.webm", "a.mkv", "a.webp"])
def test_every_format_can_be_joined(tiny: Make, source: Path, tmp_path: Path, name: str) -> None:
    dream, output = tiny(step_size=0), OutputSettings(end=0.8)
    summary = render_film(source, tmp_path / name, dream, output, FilmSettings(chunk_seconds=0.1))
    assert len(summary.plan.chunks) > 7
    made = sorted(tmp_path.iterdir())
    if name == "%03d.png":
        assert [path.name for path in made] == [f"{n:03d}.png" for n in range(1, 21)]
        return
    assert [path.name for path in made] == [name]
    if name != "a.webp":  # which OpenCV does not play
        assert len(frames_of(tmp_path / name)) == 20


@pytest.mark.slow
@pytest.mark.stops
def test_a_stopped_film_goes_on_where_it_was(tiny: Make, source: Path, tmp_path: Path) -> None:
    one = in_one_piece(source, tmp_path / "one.mp4", tiny())
    target = tmp_path / "film.mp4"
    folder = begin(source, target, tiny(), 3)
    begun = len(list(folder.glob("*.json"))) - 1
    assert 3 <= begun <= 5
    dreamed: list[int] = []
    events = FilmEvents(done=lambda chunk, record: dreamed.append(chunk.number))
    summary = render_film(
        source, target, tiny(), OutputSettings(), PIECES, resume=True, events=events
    )
    assert len(dreamed) == 9 - begun
    assert checksums(summary) == one
    assert not folder.exists()


@pytest.mark.slow
def test_a_film_that_was_begun_is_not_begun_anew(tiny: Make, source: Path, tmp_path: Path) -> None:
    folder = begin(source, tmp_path / "film.mp4", tiny(), 2)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SinkError, match="--resume, or delete it") as refused:
        render_film(source, tmp_path / "film.mp4", tiny(), OutputSettings(), PIECES)
    assert refused.value.exit_code == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


@pytest.mark.slow
def test_other_settings_and_sources_are_refused(tiny: Make, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    folder = begin(source, target, tiny(), 2)
    with pytest.raises(SettingsError, match=r"persistence was .+, not 0.5; crf was 18, not 30"):
        resume(source, target, tiny(persistence=0.5), crf=30)
    other = tmp_path / "other.mp4"
    other.write_bytes(source.read_bytes() + b"more")
    with pytest.raises(SettingsError, match="the source was another file"):
        resume(other, target, tiny())
    same = tmp_path / "moved.mp4"
    same.write_bytes(source.read_bytes())
    assert resume(same, target, tiny()).plan.frames == 43
    assert not folder.exists()


def test_only_what_frames_depend_on_locks_a_render(source: Path) -> None:
    dream, output = DreamSettings(), OutputSettings()
    asked = asked_for(source, output, PIECES)
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


def without_decoder(source: Path, path: Path) -> Path:
    """Write a film whose sound has a codec that nobody knows."""
    clips.ffmpeg("-i", source, "-c:v", "copy", "-c:a", "libmp3lame", path)
    path.write_bytes(path.read_bytes().replace(b"A_MPEG/L3", b"A_QQQQ/L3"))
    return path


@pytest.mark.slow
def test_a_film_begun_with_sound_is_finished_without_it(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    begin(source, target, tiny(), 2)
    assert resume(source, target, tiny(), audio=False).plan.frames == 43
    assert "Audio" not in clips.report(target)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_sound_that_cannot_be_had_is_refused_before_the_film_is_read(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    film, target = without_decoder(source, tmp_path / "unknown.mkv"), tmp_path / "film.mp4"
    planned: list[int] = []
    events = FilmEvents(planning=lambda frames, total: planned.append(frames))
    with pytest.raises(SinkError, match=r"--no-audio$") as refused:
        render_film(film, target, tiny(), OutputSettings(), PIECES, events=events)
    assert refused.value.exit_code == 2
    assert not planned
    assert [path.name for path in tmp_path.iterdir()] == ["unknown.mkv"]
    begin(film, target, tiny(), 2, audio=False)
    with pytest.raises(SinkError, match=r"--no-audio; .* chunks are done and kept") as refused:
        resume(film, target, tiny())
    assert refused.value.exit_code == 2


@pytest.mark.slow
def test_sound_that_fails_at_the_end_costs_no_chunk(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, target = without_decoder(source, tmp_path / "unknown.mkv"), tmp_path / "film.mp4"
    monkeypatch.setattr(run, "check_sound", lambda sound, target: None)
    with pytest.raises(SinkError, match="--no-audio; 9 of 9 chunks are done and kept"):
        render_film(film, target, tiny(), OutputSettings(), PIECES)
    assert "dream" not in resume(film, target, tiny(), audio=False).stages
    assert len(frames_of(target)) == 43


@pytest.mark.slow
def test_kept_chunks_make_the_film_anew_with_other_sound(
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
def test_what_is_damaged_is_noticed_and_done_again(
    tiny: Make, source: Path, tmp_path: Path, harm: Callable[[Path], object], said: str | None
) -> None:
    one = in_one_piece(source, tmp_path / "one.mp4", tiny())
    target, notes = tmp_path / "film.mp4", films.Notes()
    harm(begin(source, target, tiny(), 3))
    events = FilmEvents(note=notes)
    summary = render_film(
        source, target, tiny(), OutputSettings(), PIECES, resume=True, events=events
    )
    assert checksums(summary) == one
    assert (said in notes) if said else not notes.lines
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "one.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', None])
def test_a_damaged_job_is_refused(
    tiny: Make, source: Path, tmp_path: Path, text: str | None
) -> None:
    target = tmp_path / "film.mp4"
    folder = begin(source, target, tiny(), 2)
    job = folder / "job.json"
    job.write_text(job.read_text()[: job.stat().st_size // 2] if text is None else text)
    with pytest.raises(SettingsError, match=r"job\.json is damaged .* delete .* to begin anew"):
        resume(source, target, tiny())
    assert list(folder.glob("*.mp4"))


@pytest.mark.slow
def test_a_folder_without_a_job_is_begun_anew(tiny: Make, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    (tmp_path / "film.mp4.dream").mkdir()
    assert resume(source, target, tiny(), end=0.2).plan.frames == 5
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_a_folder_of_somebody_else_is_left_alone(tiny: Make, source: Path, tmp_path: Path) -> None:
    notes = tmp_path / "film.mp4.dream" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("precious")
    with pytest.raises(SinkError, match="nothing tells what they belong to"):
        resume(source, tmp_path / "film.mp4", tiny())
    assert notes.read_text() == "precious"


@pytest.mark.slow
def test_any_folder_name_can_be_joined(tiny: Make, source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a#b?c'd %05d"
    folder.mkdir()
    render_film(source, folder / "film.mp4", tiny(), OutputSettings(end=0.6), PIECES)
    assert [path.name for path in folder.iterdir()] == ["film.mp4"]


def test_what_cannot_be_dreamed_is_refused_before_the_film_is_read(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    planned: list[int] = []
    events = FilmEvents(planning=lambda frames, total: planned.append(frames))
    wrong = tiny(layer=["no_such_layer"])
    with pytest.raises(NetworkError, match="no_such_layer"):
        render_film(source, tmp_path / "a.mp4", wrong, OutputSettings(), PIECES, events=events)
    guided = tiny(guide=tmp_path / "nothing.mp4")
    with pytest.raises(SourceError, match=r"nothing\.mp4 does not exist"):
        render_film(source, tmp_path / "a.mp4", guided, OutputSettings(), PIECES, events=events)
    assert not planned
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_what_was_begun_in_vain_leaves_nothing(
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
        render_film(source, target, tiny(), OutputSettings(), PIECES)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(ChunkDreamer, "dream", dream)
    folder = begin(source, target, tiny(), 2)
    monkeypatch.setattr(ChunkDreamer, "dream", full)
    with pytest.raises(ChunkFailed, match=r"no room; .* chunks are done and kept"):
        resume(source, target, tiny())
    assert (folder / "job.json").exists()


@pytest.mark.slow
def test_a_disk_that_is_full_for_a_record_keeps_the_rest(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = in_one_piece(source, tmp_path / "one.mp4", tiny())
    target, write = tmp_path / "film.mp4", chunk_record.write_json

    def full(path: Path, data: dict[str, Any]) -> None:
        if path.name == "000004.json":
            raise unwritable(path.parent, OSError(errno.ENOSPC, "No space left on device"))
        write(path, data)

    monkeypatch.setattr(chunk_record, "write_json", full)
    with pytest.raises(ChunkFailed, match=r"No space left on device; .* continue with --resume"):
        render_film(source, target, tiny(), OutputSettings(), PIECES)
    monkeypatch.setattr(chunk_record, "write_json", write)
    assert checksums(resume(source, target, tiny())) == one


@pytest.mark.slow
def test_a_report_that_fails_can_be_written_later(tiny: Make, source: Path, tmp_path: Path) -> None:
    def fail(summary: FilmSummary) -> None:
        assert target.exists()
        raise SinkError("no room for the report")

    target, output = tmp_path / "film.mp4", OutputSettings(end=0.4)
    with pytest.raises(SinkError, match="no room for the report"):
        render_film(source, target, tiny(), output, PIECES, on_finished=fail)
    reported: list[FilmSummary] = []
    again = render_film(
        source, target, tiny(), output, PIECES, resume=True, on_finished=reported.append
    )
    assert reported == [again]
    assert len(checksums(again)) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_chunks_of_another_job_do_not_count(tiny: Make, source: Path, tmp_path: Path) -> None:
    one = in_one_piece(source, tmp_path / "one.mp4", tiny())
    other = begin(source, tmp_path / "other.mp4", tiny(persistence=0.5), 3)
    folder = begin(source, tmp_path / "film.mp4", tiny(), 1)
    for path in other.glob("0*"):
        shutil.copy(path, folder)
    assert checksums(resume(source, tmp_path / "film.mp4", tiny())) == one


@pytest.mark.slow
def test_chunks_keep_the_length_that_they_were_begun_with(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target, notes = tmp_path / "film.mp4", films.Notes()
    begin(source, target, tiny(), 2)
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
def test_a_job_of_another_version_is_told_from_a_damaged_one(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    job = begin(source, target, tiny(), 2) / "job.json"
    data = json.loads(job.read_text())
    data["dream"]["no_such_setting"] = 1
    data["made_with"]["stream-dream"] = "99.0"
    job.write_text(json.dumps(data))
    with pytest.raises(SettingsError, match=r"begun with stream_dream 99\.0"):
        resume(source, target, tiny())


@pytest.mark.slow
def test_what_is_left_over_is_told_apart(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    with pytest.raises(SinkError, match=r"film\.mp4, which is finished: --resume removes it"):
        render_film(source, target, tiny(), OutputSettings(), PIECES, overwrite=True)
    foreign = tmp_path / "other.mp4.dream"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("precious")
    with pytest.raises(SinkError, match="nothing tells what they belong to"):
        render_film(source, tmp_path / "other.mp4", tiny(), OutputSettings(), PIECES)
    (foreign / "notes.txt").rename(foreign / "lock")  # all that a killed run may have left
    render_film(source, tmp_path / "other.mp4", tiny(), OutputSettings(end=0.4), PIECES)
    assert not foreign.exists()


@pytest.mark.slow
def test_a_file_that_took_the_place_of_the_result_is_kept(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    target.write_text("mine")
    with pytest.raises(SinkError, match="exists already"):
        resume(source, target, tiny(), end=0.4)
    assert target.read_text() == "mine"


@pytest.mark.slow
def test_a_job_in_use_is_refused(tiny: Make, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    folder = begin(source, target, tiny(), 2)
    with FileLock(folder / "lock"), pytest.raises(SinkError, match="another render is working"):
        resume(source, target, tiny())
    resume(source, target, tiny())


@pytest.mark.slow
def test_the_folder_is_kept_on_request(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    folder = tmp_path / "film.mp4.dream"
    assert (folder / "000001.mp4").exists()
    again = resume(source, target, tiny(), end=0.4)  # finds nothing to do, and tidies up
    assert "dream" not in again.stages
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["film.mp4", "%03d.png"])
@pytest.mark.stops
def test_a_run_killed_while_it_places_the_result(
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
        render_film(source, target, tiny(), output, PIECES)
    monkeypatch.setattr(publish, "place", place)
    made = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    resume(source, target, tiny(), end=0.4)
    assert sorted(path.name for path in tmp_path.iterdir()) == made
    assert len(made) == (1 if name == "film.mp4" else 10)


@pytest.mark.slow
def test_pictures_that_are_placed_are_not_placed_again(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target, keep = tmp_path / "%03d.png", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    (tmp_path / "003.png").write_text("mine")
    resume(source, target, tiny(), end=0.4)
    assert (tmp_path / "003.png").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 10


@pytest.mark.slow
def test_a_report_is_not_made_of_what_is_left_of_the_records(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    target, keep = tmp_path / "film.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), OutputSettings(end=0.4), keep)
    (tmp_path / "film.mp4.dream" / "000000.json").unlink()  # killed while the folder was removed
    reported: list[FilmSummary] = []
    output = OutputSettings(end=0.4)
    render_film(source, target, tiny(), output, PIECES, resume=True, on_finished=reported.append)
    assert not reported
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
def test_what_others_have_put_into_the_folder_stays(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    folder = begin(source, tmp_path / "film.mp4", tiny(), 2)
    (folder / "notes.txt").write_text("precious")
    resume(source, tmp_path / "film.mp4", tiny())
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_a_version_with_more_settings_goes_on(tiny: Make, source: Path, tmp_path: Path) -> None:
    folder = begin(source, tmp_path / "film.mp4", tiny(), 3)
    job = folder / "job.json"
    data = json.loads(job.read_text())
    del data["dream"]["max_loss"]  # as a version wrote it that did not know it
    job.write_text(json.dumps(data))
    begun, dreamed = len(list(folder.glob("000*.json"))), list[int]()
    events = FilmEvents(done=lambda chunk, record: dreamed.append(chunk.number))
    render_film(
        source,
        tmp_path / "film.mp4",
        tiny(),
        OutputSettings(),
        PIECES,
        resume=True,
        events=events,
    )
    assert len(dreamed) == 9 - begun


@pytest.mark.slow
def test_what_settings_name_may_move_but_not_vanish(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    guide, moved = tmp_path / "guide.png", tmp_path / "moved.png"
    write_picture(Picture(clips.patch_image()), guide)
    shutil.copy(guide, moved)
    begin(source, tmp_path / "film.mp4", tiny(guide=guide), 2)
    with pytest.raises(SettingsError, match=r"guide was .*guide\.png, not .*nothing\.png"):
        resume(source, tmp_path / "film.mp4", tiny(guide=tmp_path / "nothing.png"))
    guide.unlink()
    with pytest.raises(SourceError, match=r"guide\.png"):
        resume(source, tmp_path / "film.mp4", tiny(guide=guide))
    resume(source, tmp_path / "film.mp4", tiny(guide=moved))


@pytest.mark.slow
def test_what_appears_meanwhile_is_kept(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, notes = tmp_path / "film.mp4", films.Notes()
    events = FilmEvents(joining=lambda: target.write_text("mine"), note=notes)  # type: ignore[arg-type, return-value]
    summary = render_film(source, target, tiny(), OutputSettings(end=0.4), PIECES, events=events)
    assert summary.target == tmp_path / "film.2.mp4"
    assert target.read_text() == "mine"
    assert len(frames_of(tmp_path / "film.2.mp4")) == 10
    assert "was kept: see" in notes


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
        render_film(moved, target, tiny(), OutputSettings(), PIECES, events=FilmEvents(note=notes))
    assert e.value.exit_code == 1
    assert len(notes.lines) == 2
    monkeypatch.setattr(ChunkDreamer, "dream", dream)
    with pytest.raises(SourceError, match="does not exist"):
        resume(moved, target, tiny())
    shutil.copy(source, moved)
    resume(moved, target, tiny())
    assert len(frames_of(target)) == 43


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
            PIECES,
            events=FilmEvents(progress=swap),
        )


def is_long_film(source: Path, output: OutputSettings, film: FilmSettings) -> bool:
    return is_long(asked_for(source, output, film))


def test_long_films_are_known(source: Path) -> None:
    assert is_long_film(source, OutputSettings(), PIECES)
    assert not is_long_film(source, OutputSettings(), FilmSettings(chunk_seconds=1))
    assert not is_long_film(source, OutputSettings(end=0.5), PIECES)
    with pytest.raises(SourceError):
        is_long_film(Path("nowhere.mp4"), OutputSettings(), PIECES)


def without_length(source: Path, kind: str) -> Path:
    """Write a film again so that it does not tell how long it is."""
    target = source.with_name(f"lengthless.{kind}")
    match kind:
        case "h264":
            clips.ffmpeg("-i", source, "-map", "0:v", "-c", "copy", target)
        case "mkv":  # as a recording that was cut off
            target.write_bytes(clips.ffmpeg("-i", source, "-c", "copy", "-f", "matroska", "-"))
        case "ts":  # the sound may be longer than the picture
            clips.ffmpeg("-i", source, "-c", "copy", target)
    with VideoSource(target) as opened:
        assert opened.info.frame_count is None
    return target


@pytest.mark.parametrize("kind", ["h264", "mkv", "ts"])
def test_long_films_that_do_not_tell_their_length_are_known(source: Path, kind: str) -> None:
    film = without_length(source, kind)
    assert is_long_film(film, OutputSettings(), PIECES)
    assert not is_long_film(film, OutputSettings(), FilmSettings(chunk_seconds=1))
    assert not is_long_film(film, OutputSettings(start=1.5), PIECES)
    assert is_long_film(film, OutputSettings(start=0.6), PIECES)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["h264", "mkv", "ts"])
def test_a_film_that_does_not_tell_its_length_is_decoded_once(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    film, target = without_length(source, kind), tmp_path / "film.mp4"
    one = in_one_piece(film, tmp_path / "one.mp4", tiny())
    begin(film, target, tiny(), 3)
    opened: list[int] = []
    open_at = SourceExcerpt.open
    monkeypatch.setattr(
        SourceExcerpt, "open", lambda self, frame: (opened.append(frame), open_at(self, frame))[1]
    )
    summary = resume(film, target, tiny())
    assert checksums(summary) == one
    assert summary.plan.shots == 3
    assert len(opened) == 1
    assert clips.delays(target) == clips.delays(tmp_path / "one.mp4")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a network in a file: processes do not know what is registered in this one."""
    return films.make_network(tmp_path_factory.mktemp("network") / "tiny.keras")


def of_file(network: Path) -> DreamSettings:
    return validated(DreamSettings, {"network": str(network), "layer": ["conv1"], "warm_up": 2})


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, "auto"])
def test_processes_make_the_same_frames(
    network: Path, source: Path, tmp_path: Path, workers: Any
) -> None:
    one = in_one_piece(source, tmp_path / "one.mp4", of_file(network))
    measured: list[int] = []
    summary = render_film(
        source,
        tmp_path / "film.mp4",
        of_file(network),
        OutputSettings(),
        FilmSettings(chunk_seconds=0.24, workers=workers),
        events=FilmEvents(measured=lambda count, fps: measured.append(count)),
    )
    assert checksums(summary) == one
    assert measured == ([] if workers == 2 else [1, 2][: os.cpu_count()])
    if workers == 2:
        assert len({record.worker for record in summary.records}) == 2


@pytest.mark.slow
def test_workers_that_have_nothing_to_do_are_told_of(
    network: Path, source: Path, tmp_path: Path
) -> None:
    notes = films.Notes()
    one_shot = of_file(network).model_copy(update={"cuts": False})
    render_film(
        source,
        tmp_path / "film.mp4",
        one_shot,
        OutputSettings(),
        FilmSettings(chunk_seconds=0.24, workers=2),
        events=FilmEvents(note=notes),
    )
    assert "1 at work instead of 2 workers" in notes


@pytest.mark.slow
def test_shots_dreamed_in_one_call_are_as_if_alone(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    # Chunks of one step: over many, what is rounded otherwise grows, in any two programs.
    dream, exact = tiny(warm_up=2, octaves=1), OutputSettings()
    made = []
    for batch in (1, 3):
        target = tmp_path / f"{batch}-%03d.png"
        film = FilmSettings(chunk_seconds=0.24, batch=batch)
        summary = render_film(source, target, dream, exact, film)
        assert summary.plan.frames == 43
        pictures = sorted(tmp_path.glob(f"{batch}-*.png"))
        made.append([read_picture(path).image.astype(int) for path in pictures])
    assert max(int(np.abs(a - b).max()) for a, b in zip(*made, strict=True)) <= 1
    wrong = FilmSettings(batch=2, workers=2)
    with pytest.raises(SettingsError, match="leave out --workers"):
        render_film(source, tmp_path / "a.mp4", dream, exact, wrong)


def workers() -> dict[int, BaseProcess]:
    """Return the processes that dream for this one, by number."""
    return {process.pid or 0: process for process in multiprocessing.active_children()}


def killing(
    stopping: BaseException | None = None, note: Callable[[str], None] = print
) -> FilmEvents:
    """Kill the worker beside the one that is the first to finish a chunk."""
    killed: list[int] = []

    def done(chunk: Chunk, record: ChunkRecord) -> None:
        if not killed:
            killed.extend(workers().keys() - {int(record.worker.rpartition(":")[2])})
            os.kill(killed[0], signal.SIGKILL)
            if stopping is not None:
                raise stopping

    return FilmEvents(done=done, note=note)


@pytest.mark.slow
@pytest.mark.stops
def test_a_worker_that_is_killed_is_replaced(
    gate: Gate, network: Path, source: Path, tmp_path: Path
) -> None:
    one = in_one_piece(source, tmp_path / "one.mp4", of_file(network))
    notes = films.Notes()
    gate.hold(0)  # the worker that gets killed is at it

    def note(line: str) -> None:
        notes(line)
        gate.open()

    summary = render_film(
        source,
        tmp_path / "film.mp4",
        of_file(network),
        OutputSettings(),
        FilmSettings(chunk_seconds=0.24, workers=2),
        events=killing(note=note),
    )
    assert checksums(summary) == one
    assert [record.attempts for record in summary.records] == [2] + [1] * 8
    assert notes.lines == [
        "frames 0 to 3 are dreamed again: its worker was ended from outside, perhaps for lack of "
        "memory"
    ]


@pytest.mark.slow
@pytest.mark.stops
def test_a_worker_that_is_killed_while_the_work_ends_is_not_replaced(
    gate: Gate, network: Path, source: Path, tmp_path: Path
) -> None:
    gate.hold(0)
    with pytest.raises(Interrupted, match=r"1 of 9 chunks are done"):
        render_film(
            source,
            tmp_path / "film.mp4",
            of_file(network),
            OutputSettings(),
            FilmSettings(chunk_seconds=0.24, workers=2),
            events=killing(KeyboardInterrupt()),
        )


@pytest.mark.slow
@pytest.mark.stops
def test_a_film_is_not_dreamed_on_when_it_is_stopped_at_once(
    gate: Gate, tiny: Make, source: Path, tmp_path: Path
) -> None:
    gate.hold(0)
    workers = OwnProcess()
    with VideoSource(source) as opened:
        plan = make_plan(opened, 99, cuts=False)
        task = ChunkTask(
            plan.chunks[0],
            SourceExcerpt.of(opened),
            opened.info,
            tmp_path / "a.mp4",
            tiny(),
            OutputSettings(),
            tmp_path,
        )
    future = workers.submit(task, 0)
    wait_for(lambda: workers.dreamed(0))
    workers.close(wait=False)
    gate.open()
    with pytest.raises(Interrupted):
        future.result(SECONDS)
    assert workers.dreamed(0) < plan.frames
    assert not list(tmp_path.iterdir())


def arguments(network: Path, source: Path, target: Path, *more: str) -> list[str]:
    options = ["--network", str(network), "--layer", "conv1", "--warm-up", "2"]
    pieces = ["--chunk-seconds", "0.24", "--workers", "2"]
    return ["render", str(source), str(target), *options, *pieces, *more]


@pytest.fixture
def start() -> Iterator[Callable[..., Command]]:
    """Return a function that starts a command, which does not outlive the test."""
    commands: list[Command] = []

    def begin(*given: str) -> Command:
        commands.append(Command(*given))
        return commands[-1]

    yield begin
    for command in commands:
        command.end()


@pytest.mark.slow
@pytest.mark.stops
def test_what_is_killed_goes_on(
    gate: Gate, start: Callable[..., Command], network: Path, source: Path, tmp_path: Path
) -> None:
    one = in_one_piece(source, tmp_path / "one.mp4", of_file(network))
    target, report = tmp_path / "film.mp4", tmp_path / "report.json"
    folder = tmp_path / "film.mp4.dream"
    gate.hold(0)
    command = start(*arguments(network, source, target, "--resume"))
    command.wait_until(lambda said: "chunk" in said)
    command.stop(signal.SIGKILL)
    assert command.ended() == (-signal.SIGKILL, "")
    assert command.left() == {}
    gate.open()
    done = {path.stem: json.loads(path.read_text()) for path in folder.glob("000*.json")}
    assert done
    assert not target.exists()
    again = start(*arguments(network, source, target, "--resume", "--report", str(report)))
    assert again.ended() == (0, "")
    made = json.loads(report.read_text())
    assert made["checksums"] == one
    for number, record in done.items():
        chunk = made["chunks"][int(number)]
        assert (chunk["worker"], chunk["seconds"]) == (
            record["worker"],
            round(record["seconds"], 3),
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "film.mp4",
        "one.mp4",
        "report.json",
    ]


@pytest.mark.slow
@pytest.mark.stops
def test_workers_end_with_a_command_that_is_killed_alone(
    gate: Gate, start: Callable[..., Command], network: Path, source: Path, tmp_path: Path
) -> None:
    gate.hold(0)
    command = start(*arguments(network, source, tmp_path / "film.mp4"))
    command.wait_until(lambda said: "chunk" in said)
    command.process.kill()
    assert command.ended() == (-signal.SIGKILL, "")
    assert command.left() == {}


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.stops
def test_a_stopped_command_leaves_no_process(
    gate: Gate,
    start: Callable[..., Command],
    network: Path,
    source: Path,
    tmp_path: Path,
    twice: bool,
) -> None:
    gate.hold(0)
    command = start(*arguments(network, source, tmp_path / "film.mp4"))
    command.wait_until(lambda said: "chunk" in said)
    command.stop(signal.SIGINT)
    command.wait_until_stopping()
    if twice:
        command.stop(signal.SIGINT)
    else:
        gate.open()
    code, said = command.ended()
    assert code == 130
    ending = "stream-dream: stopped" if twice else "stream-dream: interrupted: "
    assert said.splitlines()[-1].startswith(ending)
    assert "Traceback" not in said
    assert command.left() == {}
    assert (tmp_path / "film.mp4.dream" / "job.json").exists()


@pytest.mark.slow
def test_the_plan_is_shown(
    run: Callable[..., tuple[int, str, str]], network: Path, source: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "shots.png"
    options = ("--network", str(network), "--layer", "conv1", "--chunk-seconds", "0.4")
    code, out, err = run("plan", str(source), *options, "--contact-sheet", str(sheet))
    assert (code, err) == (0, "")
    assert "43 frames (0:01.7), shots: 3, chunks: 5" in out
    assert "with one worker here" in out
    assert read_picture(sheet).image.shape[1] > 3 * 90
    code, out, _ = run("plan", str(source), *options, "--no-estimate", "--json")
    assert code == 0
    assert [chunk["frames"] for chunk in json.loads(out)["chunks"]] == [7, 7, 9, 10, 10]
    code, _, err = run("plan", str(source), "--contact-sheet", str(sheet))
    assert code == 2
    assert "exists already" in err
    code, _, err = run("plan", str(tmp_path / "nothing.mp4"))
    assert (code, "does not exist" in err) == (2, True)


def first_chunks(source: Path, folder: Path, network: Path, count: int) -> list[ChunkTask]:
    with VideoSource(source) as opened:
        plan = make_plan(opened, 99, cuts=True)
        info, excerpt = opened.info, SourceExcerpt.of(opened)
    dream, output = of_file(network), OutputSettings()
    return [
        ChunkTask(chunk, excerpt, info, folder / "a.mp4", dream, output, folder)
        for chunk in plan.chunks[:count]
    ]


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.parametrize("killed", [0, 1])
def test_a_worker_that_is_killed_takes_no_other_with_it(
    gate: Gate, network: Path, source: Path, tmp_path: Path, killed: int
) -> None:
    gate.hold(0, 1)
    tasks, other = first_chunks(source, tmp_path, network, 2), 1 - killed
    workers = WorkerProcesses(2)
    try:
        futures = {killed: workers.submit(tasks[killed], killed)}
        (worker,) = workers()
        futures[other] = workers.submit(tasks[other], other)
        wait_for(lambda: workers.dreamed(0) and workers.dreamed(1))
        os.kill(worker, signal.SIGKILL)
        assert isinstance(futures[killed].exception(SECONDS), WorkerEnded)
        assert not futures[other].done()
        gate.open()
        assert workers.submit(tasks[killed], killed).result(SECONDS).number == killed
        assert futures[other].result(SECONDS).number == other
        assert len(workers().keys() - {worker}) == 2
    finally:
        workers.close(wait=True)


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.parametrize("wait", [False, True])
def test_a_worker_that_does_not_answer_ends_with_the_others(
    gate: Gate, network: Path, source: Path, tmp_path: Path, wait: bool
) -> None:
    gate.hold(0)
    workers = WorkerProcesses(1)
    future = workers.submit(first_chunks(source, tmp_path, network, 1)[0], 0)
    wait_for(lambda: workers.dreamed(0))
    (worker,) = workers().values()
    os.kill(worker.pid or 0, signal.SIGSTOP)
    workers.close(wait=wait)
    assert isinstance(future.exception(SECONDS), WorkerEnded)
    worker.join(SECONDS)
    assert worker.exitcode == -signal.SIGKILL


def failing(text: str, count: Callable[[int], None]) -> None:
    """Fail in a worker with what cannot be sent."""
    count(3)
    raise Unsent(text, lambda: None)


class Unsent(Exception):
    """An error that holds what cannot be pickled."""

    def __init__(self, text: str, held: object) -> None:
        """Store both."""
        super().__init__(text)
        self.held = held


def test_any_error_of_a_worker_is_told_and_leaves_it_at_work() -> None:
    worker = Worker()
    try:
        for text in ("once", "twice"):
            with pytest.raises(RuntimeError, match=text):
                worker.do(failing, text)
            assert worker.count == 3
        assert not worker.has_ended
    finally:
        worker.end(wait=True)
    assert worker.has_ended
    with pytest.raises(WorkerEnded, match="ended from outside"):
        worker.do(failing, "too late")


@pytest.mark.slow
def test_a_render_at_work_is_not_called_left_over(tiny: Make, source: Path, tmp_path: Path) -> None:
    folder = begin(source, tmp_path / "film.mp4", tiny(), 1)
    with FileLock(folder / "lock"), pytest.raises(SinkError, match="is in use"):
        render_film(source, tmp_path / "film.mp4", tiny(), OutputSettings(), PIECES)


@pytest.mark.slow
def test_pictures_that_came_meanwhile_stay_when_placing_is_killed(
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
        render_film(source, target, tiny(), OutputSettings(end=0.4), PIECES, events=mine)
    monkeypatch.setattr(publish, "place", place)
    resume(source, target, tiny(), end=0.4)
    assert (tmp_path / "001.png").read_text() == "mine"
    assert len(list(tmp_path.glob("*.2.png"))) == 10
    assert len(list(tmp_path.iterdir())) == 11


@pytest.mark.slow
def test_other_settings_are_refused_before_weights_are_fetched(
    run: Callable[..., tuple[int, str, str]],
    tiny: Make,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "film.mp4"
    begin(source, target, tiny(), 1)
    fetched: list[str] = []
    monkeypatch.setattr(progress, "fetch_weights", lambda dream, quiet: fetched.append("weights"))
    code, _, err = run("render", str(source), str(target), "--resume", "--network", "vgg16")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "network was" in err
    assert not fetched
