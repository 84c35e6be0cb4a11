"""How fast a film is dreamed, told from a few frames of a crew that only pretends to dream."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import films
import pytest
from test_film_foreman import FakeCrew, record_of, task_of

from stream_dream.errors import SourceError
from stream_dream.film.chunk import Task
from stream_dream.film.measuring import estimated_seconds, measured_fps, sample_of
from stream_dream.film.plan import make_plan
from stream_dream.film.reading import Excerpt, Mismatch, Reader
from stream_dream.film.records import Record
from stream_dream.media.source import VideoSource
from stream_dream.settings import DreamSettings, validated

_FRAME_SECONDS, _START_SECONDS, _WARM_UP = 0.03, 0.3, 4


class PretendingCrew(FakeCrew):
    """Takes its time for the start, a shot's warm-up and each frame; may give up early."""

    def __init__(self, places: int = 1, *, gives: int = 1000) -> None:
        """Take how many work side by side, and the most frames that each gives."""
        super().__init__(places)
        self.gives, self.counts = gives, [0] * places

    def submit(self, task: Task, place: int) -> Future[Record]:
        """Begin a chunk."""
        assert task.folder.is_dir()
        future = Future[Record]()

        def work() -> None:
            time.sleep(_START_SECONDS + _WARM_UP * _FRAME_SECONDS)
            for _ in range(min(self.gives, task.chunk.frames)):
                time.sleep(_FRAME_SECONDS)
                self.counts[place] += 1
            future.set_result(record_of(task.chunk))

        threading.Thread(target=work, daemon=True).start()
        return future

    def dreamed(self, place: int) -> int:
        """Tell how many frames are done."""
        return self.counts[place]


def task_with(frames: int) -> Task:
    chunk = replace(films.plan_with([frames]).chunks[0], source=None)
    dream = validated(DreamSettings, {"warm_up": _WARM_UP})
    return replace(task_of(chunk), dream=dream)


@pytest.mark.parametrize(
    ("shots", "first", "frames"),
    [
        ([[250, 250], [40]], 0, 30),
        ([[40], [5] * 20, [60]], 40, 30),  # the longest shot has the shortest chunks
        ([[4], [5], [3], [6]], 0, 18),
        ([[10], [20], [9]], 0, 30),
        ([[1]], 0, 1),
    ],
)
def test_a_sample_does_not_depend_on_the_length_of_chunks(
    shots: list[list[int]], first: int, frames: int
) -> None:
    plan = films.plan_with(*shots)
    sample = sample_of(plan)
    assert (sample.first, sample.frames) == (first, frames)
    assert (sample.continues, sample.continued) == (False, False)


@pytest.mark.real
@pytest.mark.parametrize("frames", [2, 3, 6, 7, 15])
def test_few_frames_are_measured_honestly(frames: int) -> None:
    # Sleeping takes longer on a busy machine, never shorter.
    assert 0 < measured_fps(PretendingCrew(), task_with(frames)) < 60


def test_one_frame_is_measured_with_the_start() -> None:
    begun = time.monotonic()
    fps = measured_fps(PretendingCrew(), task_with(1))
    taken = time.monotonic() - begun
    estimated = estimated_seconds(films.plan_with([1]), _WARM_UP, fps)
    assert _START_SECONDS < estimated <= taken


@pytest.mark.real
@pytest.mark.parametrize("gives", [1, 4, 20])
def test_fewer_frames_than_expected_end_the_measurement(gives: int) -> None:
    assert 0 < measured_fps(PretendingCrew(gives=gives), task_with(30)) < 60


def test_places_add_up() -> None:
    crew = PretendingCrew(2)
    assert 0 < measured_fps(crew, task_with(10)) < 2 * 60
    assert crew.counts == [10, 10]


def test_what_fails_ends_the_measurement() -> None:
    class Failing(PretendingCrew):
        def submit(self, task: Task, place: int) -> Future[Record]:
            future = Future[Record]()
            future.set_exception(SourceError("gone"))
            return future

    with pytest.raises(SourceError, match="gone"):
        measured_fps(Failing(), task_with(10))


def test_a_sample_that_is_cut_short_is_noticed(tmp_path: Path) -> None:
    with VideoSource(films.make_film(tmp_path / "film.mp4")) as source:
        plan, excerpt = make_plan(source, 6, cuts=True), Excerpt.of(source)
    sample = sample_of(plan)
    assert sample.frames == 30
    reader = Reader(excerpt)
    assert len(list(reader.read(sample))) == 30
    with pytest.raises(Mismatch):
        list(reader.read(replace(sample, frames=44)))
    reader.close()
