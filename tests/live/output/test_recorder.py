"""A recording plays at the speed of the show and keeps what was recorded before a failure."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clips
import numpy as np
import pytest
import shows
from waiting import wait_for

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.live.output import recorder as module
from stream_dream.live.output.recorder import Recorder
from stream_dream.live.status import LiveStatus
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.output_paths import dated_name

STATUS = LiveStatus()
FPS = 25


def children(pid: int) -> list[int]:
    """List the ffmpeg processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    pids = " ".join(_text_of(task / "children") for task in tasks).split()
    return [int(pid) for pid in pids if _text_of(Path(f"/proc/{pid}/comm")).startswith("ffmpeg")]


def _text_of(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):  # the thread or process has just ended
        return ""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(module, "_NAMING_SECONDS", 0.02)


@pytest.fixture(autouse=True)
def _nothing_stays_behind(tmp_path: Path) -> Iterator[None]:
    yield
    assert not children(os.getpid())
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("recorder", "ffmpeg"))]
    assert not list(tmp_path.rglob("*.part"))


@pytest.fixture
def clock() -> shows.Clock:
    return shows.Clock()


def record(
    path: Path,
    clock: shows.Clock,
    times: list[float],
    *,
    end: float,
    size: Callable[[float], tuple[int, int]] = lambda time: (64, 48),
    minutes: float = 30,
) -> Recorder:
    """Record counting images shown at ``times`` until ``end``, in seconds."""
    recorder = Recorder(path, minutes=minutes, fps=FPS, clock=clock, least_free_bytes=0)
    begun = clock.now
    for index, moment in enumerate(times):
        clock.now = begun + moment
        recorder.show(clips.counting_image(index, size(moment)), STATUS)
        wait_for(lambda: recorder.waiting == 0)
    clock.now = begun + end
    recorder.close()
    assert recorder.problem is None
    assert recorder.left_out == 0
    assert recorder.current is None
    return recorder


def frames_of(path: Path) -> list[Image8]:
    with VideoSource(path) as source:
        return [frame.image for frame in source]


@pytest.mark.slow
def test_a_recording_plays_at_real_speed_whenever_frames_came(
    tmp_path: Path, clock: shows.Clock
) -> None:
    rng = random.Random(5)
    times = [0.0, *sorted(rng.uniform(0, 3) for _ in range(60)), 4.4]
    recorder = record(tmp_path / "show.mkv", clock, times, end=4.8)
    assert recorder.files == (tmp_path / "show.mkv",)
    frames = frames_of(recorder.files[0])
    assert len(frames) == 4.8 * FPS
    for slot, frame in enumerate(frames):
        shown = max(i for i, moment in enumerate(times) if moment < (slot + 0.5) / FPS)
        difference = frame.astype(int) - clips.counting_image(shown)
        assert np.abs(np.median(difference, (0, 1))).max() < 8, slot
    assert {float(delay) for delay in clips.delays(recorder.files[0])} == {1 / FPS}
    assert "yuv420p(tv, bt709, progressive)" in clips.report(recorder.files[0])


@pytest.mark.slow
def test_a_frozen_show_is_written_while_it_lasts(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "show.mkv", minutes=30, fps=FPS, least_free_bytes=0)
    recorder.show(clips.counting_image(1), STATUS)
    wait_for(lambda: recorder.files)  # without a second frame
    recorder.close()
    assert len(frames_of(recorder.files[0])) > 1


def test_one_frame_makes_a_recording(tmp_path: Path, clock: shows.Clock) -> None:
    recorder = record(tmp_path / "show.mkv", clock, [0.0], end=0.0)
    assert len(frames_of(recorder.files[0])) == 1


@pytest.mark.slow
def test_a_new_file_begins_after_the_given_minutes(tmp_path: Path, clock: shows.Clock) -> None:
    times = [index / 23 for index in range(81)]
    recorder = record(tmp_path / "show.mkv", clock, times, end=3.52, minutes=1 / 60)
    assert len(recorder.files) == 4
    assert recorder.files[0] == tmp_path / "show.mkv"
    assert sorted(tmp_path.iterdir()) == list(recorder.files)
    assert sum(len(frames_of(file)) for file in recorder.files) == pytest.approx(3.52 * FPS, abs=2)


def test_a_new_size_begins_a_new_file(tmp_path: Path, clock: shows.Clock) -> None:
    times = [index / FPS for index in range(30)]
    recorder = record(
        tmp_path / "show.mkv",
        clock,
        times,
        end=1.2,
        size=lambda t: (64, 48) if t < 0.5 else (33, 47),
    )
    first, second = (frames_of(file) for file in recorder.files)
    assert (len(first), len(second)) == (13, 17)
    assert first[0].shape == (48, 64, 3)
    assert second[0].shape == (48, 34, 3)
    assert np.abs(second[0][-1, -1].astype(int) - second[0][-2, -2]).max() <= 2


def test_nothing_is_ever_overwritten_and_names_sort(tmp_path: Path, clock: shows.Clock) -> None:
    path = tmp_path / "show.mkv"
    path.write_text("of an earlier night")
    made = [path]
    for _ in range(3):  # within a second
        made += record(path, clock, [0.0], end=0.1).files
    assert sorted(tmp_path.iterdir()) == made
    assert len(made) == 4
    assert path.read_text() == "of an earlier night"


@pytest.mark.slow
def test_the_first_name_is_not_used_again(tmp_path: Path) -> None:
    path = tmp_path / "show.mkv"
    recorder = started(path)
    for count, size in ((2, (32, 24)), (3, (64, 48))):
        recorder.show(clips.counting_image(count, size), STATUS)
        wait_for(lambda count=count: len(recorder.files) == count)
        if count == 2:
            path.rename(tmp_path / "show_1.mkv")  # moved away while the show goes on
    recorder.close()
    assert not path.exists()
    assert sorted(tmp_path.iterdir())[1:] == list(recorder.files[1:])


def test_an_encoder_that_falls_back_gets_half_the_work(tmp_path: Path, clock: shows.Clock) -> None:
    recorder = record(tmp_path / "show.mkv", clock, [0.0, 0.04, 9.0, 9.08], end=9.16)
    assert len(recorder.files) == 2
    with VideoSource(recorder.files[1]) as source:
        assert source.info.fps == FPS / 2
        assert sum(1 for _ in source) in (1, 2)  # 2 if it started before the clock advanced


def test_without_a_frame_no_file_is_written(tmp_path: Path, clock: shows.Clock) -> None:
    recorder = record(tmp_path / "show.mkv", clock, [], end=5.0)
    recorder.close()
    recorder.show(clips.counting_image(1), STATUS)
    assert recorder.files == ()
    assert not list(tmp_path.iterdir())


def started(path: Path, size: tuple[int, int] = (64, 48)) -> Recorder:
    """Start a recording in real time; wait for its file."""
    recorder = Recorder(path, minutes=30, fps=FPS)
    recorder.show(clips.counting_image(0, size), STATUS)
    wait_for(lambda: recorder.files)
    return recorder


def failed(recorder: Recorder) -> str:
    """Show frames until the recording has ended; return the reason."""
    wait_for(lambda: recorder.show(clips.counting_image(1), STATUS) or recorder.problem)
    recorder.close()
    recorder.show(clips.counting_image(1), STATUS)
    assert recorder.problem is not None
    assert "\n" not in recorder.problem
    return recorder.problem


@pytest.mark.slow
@pytest.mark.stops
def test_a_recording_ends_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = started(tmp_path / "show.mkv")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, 9 * 10**8))
    assert "only 0.9 GB left" in failed(recorder)
    assert frames_of(recorder.files[0])
    assert "Duration: 00:00:0" in clips.report(recorder.files[0])  # it is complete


@pytest.mark.slow
@pytest.mark.stops
def test_what_a_dead_ffmpeg_has_written_is_kept(tmp_path: Path) -> None:
    recorder = started(tmp_path / "show.mkv")
    os.kill(children(os.getpid())[0], signal.SIGKILL)
    problem = failed(recorder)
    assert str(tmp_path / "show.mkv") in problem
    assert "SIGKILL" in problem
    assert frames_of(recorder.files[0])


@pytest.mark.slow
@pytest.mark.stops
def test_a_removed_folder_ends_the_recording(tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    recorder = started(tmp_path / "usb" / "show.mkv")
    shutil.rmtree(tmp_path / "usb")
    assert "usb" in failed(recorder)


@pytest.mark.slow
@pytest.mark.stops
def test_a_show_never_waits_for_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.3)
    recorder = started(tmp_path / "show.mkv", (320, 240))
    try:
        os.kill(children(os.getpid())[0], signal.SIGSTOP)
        image = clips.counting_image(1, (320, 240))
        wait_for(lambda: recorder.show(image, STATUS) or recorder.left_out >= 20)
        before = recorder.left_out
        for _ in range(40):
            recorder.show(image, STATUS)
        assert recorder.left_out >= before + 40 - 2 * module._DEPTH
    finally:
        recorder.close()
    assert recorder.problem is not None
    assert frames_of(recorder.files[0])


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("show.mp4", {}, "no .mkv"),
        ("none/show.mkv", {}, "does not exist"),
        ("show.mkv", {"minutes": 0}, "above 0"),
        ("show.mkv", {"fps": -1}, "above 0"),
    ],
)
def test_what_cannot_be_recorded_is_refused(
    tmp_path: Path, name: str, options: dict[str, float], reason: str
) -> None:
    with pytest.raises(SinkError, match=reason) as caught:
        Recorder(tmp_path / name, **{"minutes": 1, "fps": 25, **options})
    assert caught.value.exit_code == 2


def test_dates_in_names_sort_even_where_they_are_taken(tmp_path: Path) -> None:
    moment = datetime(2026, 12, 31, 23, 59, 58)
    names = []
    for seconds in (0, 0, 0, 1, 5):
        names.append(dated_name(tmp_path / "a.b.mkv", moment + timedelta(seconds=seconds)))
        names[-1].touch()
    assert names[0].name == "a.b_20261231-235958.mkv"
    assert len(set(names)) == 5
    assert names == sorted(names)


@pytest.mark.slow
def test_room_that_comes_late_costs_one_film(
    tmp_path: Path, clock: shows.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(1, 5):
        (tmp_path / f"show_2026010{day}-000000.mkv").write_bytes(bytes(1000))
    looked: list[float] = []
    prune = module.prune

    def look(*arguments: Any, **options: Any) -> list[Path]:
        looked.append(clock.now)
        return prune(*arguments, **options)

    def looks(count: int) -> None:
        seen = len(looked)
        wait_for(lambda: len(looked) >= seen + count)

    # As if a player held the films open.
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=9e8))
    monkeypatch.setattr(module, "prune", look)
    path = tmp_path / "show.mkv"
    recorder = Recorder(path, minutes=30, fps=FPS, clock=clock, keep_bytes=10**12)
    looks(5)
    assert len(list(tmp_path.glob("show_2*.mkv"))) == 3
    assert recorder.problem is None
    for count in (2, 1, 0):
        clock.now += 40
        looks(5)
        assert len(list(tmp_path.glob("show_2*.mkv"))) == count
        assert recorder.problem is None
    clock.now += 40
    wait_for(lambda: recorder.problem)
    recorder.close()
    assert "the disk has only 0.9 GB left" in str(recorder.problem)


SHOW = """
import sys, time
from pathlib import Path
import numpy as np
from stream_dream.live.output.recorder import Recorder
from stream_dream.live.status import LiveStatus
picture = np.full((270, 480, 3), 90, np.uint8)  # calm: small frames wait longest for the disk
picture[100:140, 100:140] = 200
now, seconds = 100.0, float(sys.argv[2])
recorder = Recorder(Path(sys.argv[1]), minutes=4 / 60, fps=25, clock=lambda: now)
while now < 100 + seconds:
    picture = np.roll(picture, 3, axis=1)
    recorder.show(picture, LiveStatus())
    while recorder.waiting:
        time.sleep(0.001)
    now += 0.04
print("shown", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [3.1, 3.9, 6.7])
@pytest.mark.stops
def test_a_kill_costs_two_seconds_of_recording_at_most(tmp_path: Path, seconds: float) -> None:
    folder = tmp_path / "films"
    folder.mkdir()

    def kept() -> float:
        for file in folder.glob("*.mkv"):
            clips.ffmpeg("-i", file, "-f", "null", "-")
        return sum(len(frames_of(file)) for file in folder.glob("*.mkv")) / 25

    show = subprocess.Popen(
        [sys.executable, "-c", SHOW, str(folder / "show.mkv"), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    try:
        assert show.stdout is not None
        assert show.stdout.readline() == "shown\n"
        wait_for(lambda: list(folder.glob("*.mkv")))
        wait_for(lambda: kept() >= seconds - 2)  # the encoder may lag behind
        os.killpg(show.pid, signal.SIGSTOP)  # it starts no other process meanwhile
        for pid in children(show.pid):  # each has its own process group
            os.killpg(pid, signal.SIGKILL)
    finally:
        os.killpg(show.pid, signal.SIGKILL)
        show.communicate()
    assert kept() >= seconds - 2
    for part in folder.glob("*.part"):  # the rest of a file that has just begun
        part.unlink()
