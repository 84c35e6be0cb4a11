"""Plans: every frame once, no chunk across a cut, chunks of equal length; reading their frames."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import clips
import films
import numpy as np
import pytest
from pydantic import TypeAdapter

from stream_dream.film.plan.chunk_reader import Mismatch, Reader, SourceExcerpt
from stream_dream.film.plan.plan import Plan, frame_checksum, make_plan
from stream_dream.media.read.video import VideoSource


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.make_film(tmp_path_factory.mktemp("film") / "film.mp4")


def test_chunks_follow_each_other_and_keep_to_their_shots(film: Path) -> None:
    with VideoSource(film) as source:
        plan = make_plan(source, 6, cuts=True)
    assert (plan.frames, plan.shots) == (43, 3)
    assert [chunk.frames for chunk in plan.chunks] == [4, 5, 5, 4, 5, 5, 5, 5, 5]
    assert [chunk.shot for chunk in plan.chunks] == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert [chunk.first for chunk in plan.chunks if chunk.cut] == [14, 23]
    for before, now in zip(plan.chunks, plan.chunks[1:], strict=False):
        assert before.first + before.frames == now.first
        assert before.continued == now.continues == (before.shot == now.shot)


def test_without_cuts_it_is_one_shot(film: Path) -> None:
    with VideoSource(film, end=0.4) as source:
        plan = make_plan(source, 100, cuts=False)
    assert [(chunk.first, chunk.frames) for chunk in plan.chunks] == [(0, 10)]


def test_a_plan_survives_being_written_down(film: Path) -> None:
    with VideoSource(film) as source:
        plan = make_plan(source, 6, cuts=True)
    written = TypeAdapter(Plan)
    data = json.loads(written.dump_json(plan))
    assert written.validate_python(data) == plan
    del data["chunks"][1]
    with pytest.raises(ValueError, match="follow each other"):
        written.validate_python(data)


def test_planning_reads_every_frame_once(film: Path) -> None:
    looked: list[int] = []
    with VideoSource(film) as source:
        make_plan(source, 6, cuts=True, on_frame=lambda frame: looked.append(frame.index))
    assert looked == list(range(43))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip long enough for seeking (5 s), with B frames and few key frames."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return clips.make(path, "-c:v", "libx264", "-bf", "3", "-g", "60", seconds=9)


@pytest.mark.slow
@pytest.mark.parametrize("exactly", [False, True])
@pytest.mark.parametrize("start", [None, 0.6])
def test_chunks_have_the_frames_of_the_whole(
    long_clip: Path, exactly: bool, start: float | None
) -> None:
    with VideoSource(long_clip, start=start) as source:
        images = [frame.image for frame in source]
        plan, excerpt = make_plan(source, 40, cuts=False), SourceExcerpt.of(source)
    reader = Reader(excerpt)
    first, second, *_, last = plan.chunks
    for chunk in (last, first, second, last, first):
        frames = list(reader.read(chunk, exactly=exactly))
        assert [frame.index for frame in frames] == [
            *range(chunk.first, chunk.first + chunk.frames)
        ]
        for frame in frames:
            np.testing.assert_array_equal(frame.image, images[frame.index])
    reader.close()


def test_consecutive_chunks_are_read_without_reopening(
    long_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VideoSource(long_clip) as source:
        plan, excerpt = make_plan(source, 40, cuts=False), SourceExcerpt.of(source)
    opened: list[int] = []
    monkeypatch.setattr(
        SourceExcerpt, "open", lambda self, n: (opened.append(n), VideoSource(long_clip))[1]
    )
    reader = Reader(excerpt)
    for chunk in plan.chunks:
        assert len(list(reader.read(chunk))) == chunk.frames
    assert opened == [0]
    list(zip(reader.read(plan.chunks[0]), range(3), strict=False))  # abandoned in the middle
    list(reader.read(plan.chunks[0]))
    assert opened == [0, 0, 0]
    reader.close()


def test_frames_are_skipped_where_seeking_is_impossible(
    long_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips.ffmpeg("-i", long_clip, "-c", "copy", tmp_path / "raw.h264")
    with VideoSource(tmp_path / "raw.h264") as source:
        images = [frame.image for frame in source]
        plan, excerpt = make_plan(source, 40, cuts=False), SourceExcerpt.of(source)
    assert not excerpt.seekable
    opened: list[int] = []
    open_at = SourceExcerpt.open
    monkeypatch.setattr(
        SourceExcerpt, "open", lambda self, n: (opened.append(n), open_at(self, n))[1]
    )
    reader = Reader(excerpt)
    for number in (1, 3, 4, 0, 2):
        for frame in reader.read(plan.chunks[number]):
            np.testing.assert_array_equal(frame.image, images[frame.index])
    assert opened == [plan.chunks[1].first, 0]
    reader.close()


def test_other_frames_than_planned_are_noticed(long_clip: Path, film: Path, tmp_path: Path) -> None:
    with VideoSource(long_clip) as source:
        plan, excerpt = make_plan(source, 40, cuts=False), SourceExcerpt.of(source)
    other = tmp_path / "other.mp4"
    other.write_bytes(film.read_bytes())
    reader = Reader(SourceExcerpt(other, excerpt.first, excerpt.fps, excerpt.end))
    for chunk in (plan.chunks[0], plan.chunks[-1]):
        for exactly in (False, True):
            with pytest.raises(Mismatch):
                list(reader.read(chunk, exactly=exactly))


def test_neighbours_have_different_checksums(film: Path) -> None:
    with VideoSource(film) as source:
        checksums = [frame_checksum(frame.image) for frame in source]
    assert len(set(checksums)) == len(checksums)


@pytest.mark.slow
def test_a_simulated_film_is_planned_resumed_and_joined() -> None:
    bench = Path(__file__).parents[3] / "scripts" / "bench_long.py"
    command = [sys.executable, str(bench), "--simulate", "1000"]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    row = json.loads(made.stdout)
    assert (row["shots"], row["chunks"]) == (10, 10)
    assert (row["joined_frames"], row["joined_fps"]) == (1000, 24)
