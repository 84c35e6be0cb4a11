"""Streams to real receivers, which come, go, and do not read."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shows
from waiting import SECONDS, wait_for

from stream_dream.errors import SinkError
from stream_dream.live.output import reconnecting_view
from stream_dream.live.output import stream_output as module
from stream_dream.live.output.stream_output import StreamOutput
from stream_dream.live.output.stream_target import StreamTarget
from stream_dream.media.ffmpeg import ffmpeg_program

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting_view, "_LONGEST_PAUSE", 1.0)


@contextmanager
def streaming(
    text: str, shape: Callable[[], tuple[int, int]] = lambda: (270, 481)
) -> Iterator[Any]:
    """Send 25 frames a second, whose brightness rises, to a target."""
    output, ended = StreamOutput(StreamTarget.parse(text)), threading.Event()

    def play() -> None:
        number = 0
        while not ended.wait(0.04):
            number += 1
            output.show(np.full((*shape(), 3), 5 * number % 256, np.uint8), shows.STATUS)

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield output
    finally:
        output.close()
        ended.set()
        thread.join()
        assert not output._thread.is_alive()


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def frames_received(url: str, *options: str) -> int:
    """Receive a second by ffmpeg; return the number of different frames."""
    command = [
        ffmpeg_program(),
        "-v",
        "error",
        *options,
        "-i",
        url,
        "-t",
        "1",
        "-f",
        "framemd5",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    return len({line.split()[-1] for line in done.stdout.splitlines() if line[:1].isdigit()})


RECEIVERS = {
    "udp": ("udp://127.0.0.1:{port}", "udp://127.0.0.1:{port}?timeout=20000000", []),
    "srt": ("srt://127.0.0.1:{port}", "srt://127.0.0.1:{port}?mode=listener", []),
    "rtmp": (
        "rtmp://127.0.0.1:{port}/live/key",
        "rtmp://127.0.0.1:{port}/live/key",
        ["-listen", "1"],
    ),
    "rtsp": (
        "rtsp://127.0.0.1:{port}/dream",
        "rtsp://127.0.0.1:{port}/dream",
        ["-rtsp_flags", "listen", "-listen_timeout", "20"],
    ),
}


@pytest.mark.parametrize("protocol", RECEIVERS)
def test_a_receiver_gets_the_picture_and_again_when_it_comes_back(protocol: str) -> None:
    to, at, options = RECEIVERS[protocol]
    port = free_port(socket.SOCK_DGRAM if protocol in ("udp", "srt") else socket.SOCK_STREAM)
    with streaming(to.format(port=port)) as output:
        for _ in range(2):
            assert frames_received(at.format(port=port), *options) > 2
        assert output.name == f"{protocol}://127.0.0.1:{port}"


def test_a_folder_gets_a_playlist_that_plays(tmp_path: Path) -> None:
    with streaming(f"hls:{tmp_path}") as output:
        wait_for(lambda: len(list(tmp_path.glob("*.ts"))) >= 2 and output.state == "sending")
        assert frames_received(str(tmp_path / "index.m3u8")) > 2


def test_a_folder_that_vanishes_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "dream"
    with streaming(f"hls:{folder}") as output:
        wait_for(lambda: (folder / "index.m3u8").exists() and output.state == "sending")
        shutil.rmtree(folder)
        wait_for(lambda: output.state == "waiting")
        wait_for(lambda: (folder / "index.m3u8").exists())


class _Refuser:
    """An ffmpeg that takes some frames, and then fails."""

    error: Exception = SinkError("ffmpeg: Failed to open file")

    def __init__(self, arguments: list[str], *, fed: bool) -> None:
        self.left = 3

    def write(self, data: memoryview) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error

    def kill(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("error", [_Refuser.error, RuntimeError("can't start new thread")])
def test_a_receiver_that_fails_again_and_again_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    caplog.set_level("INFO", logger="stream_dream.live")
    monkeypatch.setattr(reconnecting_view, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(reconnecting_view, "_LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(reconnecting_view, "_WORKS_AFTER", 0.0)
    started: list[_Refuser] = []

    def start(*arguments: Any, **options: Any) -> _Refuser:
        started.append(_Refuser(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(_Refuser, "error", error)
    monkeypatch.setattr(module, "FFmpeg", start)
    with streaming("udp://127.0.0.1:9") as output:
        wait_for(lambda: len(started) > 2)
        assert output.state == "waiting"
        wait_for(lambda: len(started) > 4)
        assert output.problem is None
    reason = str(error).rpartition(": ")[2]
    lines = [record.message.rpartition(": ")[2] for record in caplog.records]
    assert lines == ["sending", reason]


def test_a_receiver_that_never_reads_is_given_up_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_STALLED_SECONDS", 1.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with streaming(f"rtmp://127.0.0.1:{port}/app/secret") as output:
            first, _ = server.accept()
            second, _ = server.accept()  # it has tried again
            wait_for(lambda: output.state == "waiting")
            first.close()
            second.close()
    assert "secret" not in caplog.text
    assert output.problem is None


def test_another_size_of_picture_begins_another_stream() -> None:
    port, shape = free_port(socket.SOCK_DGRAM), (64, 96)
    with streaming(f"udp://127.0.0.1:{port}", lambda: shape) as output:
        wait_for(lambda: output.state == "sending")
        before = output._ffmpeg
        shape = (90, 160)
        wait_for(lambda: output._ffmpeg not in (before, None))
        assert frames_received(f"udp://127.0.0.1:{port}?timeout=20000000") > 2


def test_another_size_leaves_no_segment_behind(tmp_path: Path) -> None:
    shape = (64, 96)
    with streaming(f"hls:{tmp_path}", lambda: shape) as output:
        for changed in ((90, 160), (64, 96)):
            wait_for(lambda: len(list(tmp_path.glob("*.ts"))) > 0 and output.state == "sending")
            before, shape = output._ffmpeg, changed
            wait_for(lambda: output._ffmpeg not in (before, None))  # noqa: B023
            listed = (tmp_path / "index.m3u8").read_text()
            assert [path.name for path in tmp_path.glob("*.ts") if path.name not in listed] == []


def test_a_stream_that_waits_for_callers_hardly_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALLED_SECONDS", 0.5)
    monkeypatch.setattr(reconnecting_view, "_FIRST_PAUSE", 1000.0)
    port = free_port(socket.SOCK_DGRAM)
    with streaming(f"srt://127.0.0.1:{port}?mode=listener") as output:
        wait_for(lambda: output.state == "waiting")
        before = output._ffmpeg
        wait_for(lambda: output._ffmpeg not in (before, None))
