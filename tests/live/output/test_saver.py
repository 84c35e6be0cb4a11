"""Snapshots and recordings at the press of a button."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
import shows
from PIL import Image
from waiting import wait_for

from stream_dream.errors import SinkError
from stream_dream.live.output import saver as module
from stream_dream.live.output.saver import Saver, save_snapshot


class _Recorder:
    """A recording that fails when a test says so."""

    current = Path("show.mkv")

    def __init__(self) -> None:
        self.problem: str | None = None
        self.closed = threading.Event()

    def show(self, *frame: Any) -> None: ...

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> _Recorder:
    recorder = _Recorder()
    monkeypatch.setattr(module, "Recorder", lambda path, **numbers: recorder)
    return recorder


@pytest.fixture
def saver(recorder: _Recorder, tmp_path: Path) -> Iterator[Saver]:
    saver = Saver(tmp_path / "new", tmp_path / "show.mkv", minutes=1, fps=25)
    yield saver
    saver.close()


def test_a_recording_that_fails_ends_with_the_next_frame(saver: Saver, recorder: _Recorder) -> None:
    assert saver.recording == "show.mkv"
    recorder.problem = "the disk is full"
    assert saver.recording == "show.mkv"
    assert saver.message == ""  # whoever reads the status changes nothing
    assert not recorder.closed.is_set()
    saver.show(shows.plain(1), shows.STATUS)
    assert saver.recording is None
    assert saver.message == "the disk is full"
    assert saver.problem is None
    wait_for(recorder.closed.is_set)


def test_all_that_is_in_progress_shares_the_time_to_complete_it(
    saver: Saver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, waits = shows.Clock(), []

    class _Hanging:
        def is_alive(self) -> bool:
            return True

        def join(self, seconds: float) -> None:
            waits.append(seconds)
            clock.now += seconds

    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(saver, "_closing", [_Hanging(), _Hanging(), _Hanging()])
    saver.close()
    assert sum(waits) == module._CLOSE_SECONDS


def test_snapshots_are_exact_and_sort(tmp_path: Path) -> None:
    images = [clips.counting_image(index, (33, 21)) for index in range(3)]
    paths = [save_snapshot(image, tmp_path / "new") for image in images]
    assert sorted((tmp_path / "new").iterdir()) == paths
    for path, image in zip(paths, images, strict=True):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)


def test_a_snapshot_that_fails_says_why_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot be made: ") as caught:
        save_snapshot(clips.counting_image(0), tmp_path / "file")
    assert "\n" not in str(caught.value)
