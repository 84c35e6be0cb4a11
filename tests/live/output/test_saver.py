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
from waiting import SECONDS, wait_for

from stream_dream.errors import SinkError
from stream_dream.live.control.controls import Action
from stream_dream.live.output import recording
from stream_dream.live.output import saver as module
from stream_dream.live.output.saver import Saver, save_snapshot


class _Recorder:
    """A recording that fails or stalls when a test says so."""

    current = Path("show.mkv")
    left_out = 3

    def __init__(self, path: Path, **options: Any) -> None:
        self.path, self.dated = path, options.get("dated", False)
        self.problem: str | None = None
        self.missing = 0.0
        self.seen = 0
        self.closed, self.may_close = threading.Event(), threading.Event()
        self.may_close.set()

    def show(self, *frame: Any) -> None:
        self.seen += 1

    def close(self) -> None:
        self.may_close.wait(SECONDS)
        self.closed.set()


@pytest.fixture
def recorders(monkeypatch: pytest.MonkeyPatch) -> list[_Recorder]:
    """All recordings begun, in order."""
    begun: list[_Recorder] = []

    def begin(path: Path, **options: Any) -> _Recorder:
        begun.append(_Recorder(path, **options))
        return begun[-1]

    monkeypatch.setattr(module, "Recorder", begin)
    return begun


@pytest.fixture
def saver(
    recorders: list[_Recorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Saver]:
    monkeypatch.setattr(recording, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(recording, "_LOOK_SECONDS", 0.01)
    saver = Saver(tmp_path / "new", tmp_path / "show.mkv", minutes=1, fps=25)
    yield saver
    saver.close()


def show(saver: Saver) -> None:
    saver.show(shows.plain(1), shows.STATUS)


def press(saver: Saver, action: Action) -> None:
    saver.press(action, shows.plain(1))


def test_a_recording_that_fails_is_told_and_tried_again(
    saver: Saver, recorders: list[_Recorder]
) -> None:
    assert saver.recording == "show.mkv"
    recorders[0].problem = "the disk is full"
    wait_for(lambda: saver.recording is None)
    wait_for(lambda: saver.message)
    assert saver.message == "the disk is full; trying again in 0 s"
    assert recorders[0].closed.is_set()
    assert saver.problem is None
    for count in (2, 3):
        wait_for(lambda: len(recorders) == count and saver.recording)  # noqa: B023
        show(saver)
        assert recorders[-1].seen == 1
        recorders[-1].problem = "ffmpeg was ended by SIGKILL"
    assert {(recorder.path.name, recorder.dated) for recorder in recorders} == {("show.mkv", False)}


def test_a_folder_that_cannot_be_made_is_tried_again(
    saver: Saver, recorders: list[_Recorder], tmp_path: Path
) -> None:
    (tmp_path / "new").touch()
    press(saver, "record")
    press(saver, "record")
    wait_for(lambda: "cannot be made" in saver.message)
    assert saver.message.startswith("nothing is recorded: the folder ")
    (tmp_path / "new").unlink()
    wait_for(lambda: saver.recording)
    assert (recorders[1].path.parent.name, recorders[1].dated) == ("new", True)


def test_pressing_record_gives_up_a_recording_that_is_tried_again(
    saver: Saver, recorders: list[_Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_FIRST_PAUSE", 1000.0)
    press(saver, "record")
    press(saver, "record")
    wait_for(lambda: saver.recording)
    recorders[1].problem = "the disk is full"
    wait_for(lambda: "trying again in 1000 s" in saver.message)
    threads = threading.active_count()
    press(saver, "record")
    assert saver.message == "the recording is given up"
    wait_for(lambda: threading.active_count() < threads)
    press(saver, "record")
    wait_for(lambda: len(recorders) == 3)


def test_a_stall_is_told(saver: Saver, recorders: list[_Recorder]) -> None:
    show(saver)
    assert saver.message == ""
    recorders[0].missing = 3.2
    wait_for(lambda: saver.message == "recording stalls: 3 s are missing")
    assert saver.left_out == 3


def test_a_button_that_is_hammered_begins_no_more_than_can_be_completed(
    saver: Saver, recorders: list[_Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = threading.active_count()
    gate = threading.Event()
    monkeypatch.setattr(_Recorder, "close", lambda recorder: gate.wait(SECONDS))
    for _ in range(100):
        press(saver, "record")
    assert len(recorders) <= 3  # two are being completed, one is recorded
    assert "still being completed" in saver.message
    assert threading.active_count() <= threads + 2
    gate.set()


def test_snapshots_that_come_too_fast_are_counted(
    saver: Saver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate, saved = threading.Event(), []

    def save(image: Any, folder: Path) -> Path:
        gate.wait(SECONDS)
        saved.append(image)
        return folder / "snapshot.png"

    monkeypatch.setattr(module, "save_snapshot", save)
    threads = threading.active_count()
    for _ in range(100):
        press(saver, "snapshot")
    assert threading.active_count() == threads
    assert saver.message == "a snapshot is left out: others are still being written"
    assert len(caplog.records) < 12
    gate.set()
    wait_for(lambda: 4 <= len(saved) <= 5)


def test_snapshots_leave_room_on_the_disk(
    saver: Saver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("stream_dream.live.output.disk.free_bytes", lambda folder: 4e8)
    press(saver, "snapshot")
    wait_for(lambda: saver.message)
    assert saver.message == "no snapshot: the disk has only 0.4 GB left: free some of it"
    assert list((tmp_path / "new").iterdir()) == []


def test_a_full_disk_keeps_no_recording_from_making_room(
    recorders: list[_Recorder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise SinkError("the disk is nearly full")

    monkeypatch.setattr(module, "check_room", refuse)
    saver = Saver(tmp_path, minutes=1, fps=25, keep_bytes=10**9)
    saver.press("record", shows.plain(1))
    wait_for(lambda: recorders)
    saver.close()


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


def test_a_button_that_is_hammered_does_not_flood_the_log(
    saver: Saver,
    recorders: list[_Recorder],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = threading.Event()
    monkeypatch.setattr(_Recorder, "close", lambda recorder: gate.wait(SECONDS))
    caplog.set_level("INFO", logger="stream_dream.live")
    for _ in range(100):
        press(saver, "record")
    assert len(caplog.records) < 12
    gate.set()


def test_closing_completes_the_recording_while_others_are_completed(
    recorders: list[_Recorder], tmp_path: Path
) -> None:
    saver = Saver(tmp_path, tmp_path / "show.mkv", minutes=1, fps=25)
    recorders[0].may_close.clear()
    while len(recorders) < 3:  # two are being completed, one is recorded
        press(saver, "record")
    recorders[0].may_close.set()
    saver.close()
    assert all(recorder.closed.is_set() for recorder in recorders)


def test_the_end_of_a_stall_is_told(
    saver: Saver, recorders: list[_Recorder], caplog: pytest.LogCaptureFixture
) -> None:
    recorders[0].missing = 3.2
    wait_for(lambda: saver.message == "recording stalls: 3 s are missing")
    recorders[0].missing = 4.2
    wait_for(lambda: saver.message == "recording stalls: 4 s are missing")
    assert [record.message for record in caplog.records] == ["recording stalls: 3 s are missing"]
    recorders[0].missing = 0.0
    wait_for(lambda: saver.message == "recording goes on: 4 s are missing")


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_hangs_does_not_hold_up_the_show(
    saver: Saver,
    recorders: list[_Recorder],
    monkeypatch: pytest.MonkeyPatch,
    again: bool,
) -> None:
    threads = threading.active_count()
    gate, asked = threading.Event(), threading.Event()

    def hang(folder: Path) -> float:
        asked.set()
        gate.wait(SECONDS)
        return 1e12

    monkeypatch.setattr("stream_dream.live.output.disk.free_bytes", hang)
    if again:
        recorders[0].problem = "the share is gone"
    else:
        press(saver, "record")
        press(saver, "record")
    while not asked.wait(0.01):
        show(saver)
    show(saver)
    for _ in range(20):  # no button holds it up either, nor makes threads without end
        press(saver, "record")
    assert threading.active_count() < threads + 5
    assert len(recorders) == 1
    gate.set()
    wait_for(lambda: len(recorders) >= 2)
