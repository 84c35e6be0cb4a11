"""A render stands between two other programs, and ends when either of them does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import clips
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from waiting import SECONDS

from stream_dream.errors import SinkError
from stream_dream.media import ffmpeg
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.output_paths import check_target

SIZE = "64x48"
FRAMES = 30
# Not dreamed: what is tested lies before and behind the dream.
PLAIN = ("--step-size", "0", "--dream-size", "32", "--warm-up", "0", "--no-cuts")


def make(count: int = FRAMES) -> bytes:
    """Return a film as YUV4MPEG2."""
    source = ("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=30000/1001")
    return clips.ffmpeg(
        *source, "-frames:v", count, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"
    )


def luma(path: object, stdin: bytes | None = None) -> NDArray[np.int64]:
    """Return the luma of each frame of a film."""
    raw = clips.ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "gray", "-", stdin=stdin)
    return np.frombuffer(raw, np.uint8).reshape(-1, 64 * 48).astype(int)


def render(
    source: object, target: object, *options: object, **streams: int | IO[bytes] | None
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "stream_dream", "render", source, target, *PLAIN, *options]
    return subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, **streams)


def said(process: subprocess.Popen[bytes]) -> str:
    """Return what a process has written to standard error, without reports of progress."""
    assert process.stderr is not None
    lines = process.stderr.read().decode().splitlines()
    return "\n".join(line for line in lines if not line.startswith("frame "))


def run(
    source: object, target: object, *options: object, stdin: bytes = b""
) -> tuple[int, bytes, str]:
    process = render(source, target, *options, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, err = process.communicate(stdin, SECONDS)
    lines = [line for line in err.decode().splitlines() if not line.startswith("frame ")]
    return process.returncode, out, "\n".join(lines)


@pytest.mark.slow
def test_a_chain_of_programs_keeps_every_frame(tmp_path: Path) -> None:
    film = make()
    code, out, err = run("-", "-", stdin=film)
    assert code == 0, err
    assert err.startswith(f"-: {FRAMES} frames in ")
    assert out.startswith(b"YUV4MPEG2 W64 H48 F30000:1001 ")
    path = tmp_path / "a.y4m"
    path.write_bytes(out)
    before, after = luma("-", film), luma(path)
    assert after.shape == before.shape == (FRAMES, 64 * 48)
    assert np.abs(after - before).mean(axis=1).max() < 3  # saturated colours of 4:2:0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["mpegts", "matroska", "rawvideo"])
def test_any_stream_becomes_a_film(tmp_path: Path, form: str) -> None:
    clip = clips.make(tmp_path / "clip.mkv", "-c:v", "libx264", size=SIZE)
    pixels = ("-pix_fmt", "rgb24") if form == "rawvideo" else ("-c", "copy")
    stream = clips.ffmpeg("-i", clip, *pixels, "-f", form, "-")
    raw = ("--raw", f"{SIZE}@25") if form == "rawvideo" else ()
    target = tmp_path / "a.mp4"
    code, _, err = run("-", target, *raw, stdin=stream)
    assert code == 0, err
    with VideoSource(target) as source:
        assert (source.info.fps, source.info.size) == (25, (64, 48))
    assert np.abs(luma(target) - luma(clip)).mean(axis=1).max() < 6


@pytest.mark.slow
def test_ten_bits_go_through(tmp_path: Path) -> None:
    source = ("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:d=0.2")
    given = ("-pix_fmt", "yuv420p10le", "-strict", "-1", "-f", "yuv4mpegpipe", "-")
    code, out, err = run("-", "-", stdin=clips.ffmpeg(*source, *given))
    assert code == 0, err
    assert b" C420p10 " in out.partition(b"\n")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stdin", "problem"),
    [
        (b"", "standard input is empty: has the program before it failed?"),
        (b"hello", "standard input is no film that can be read from a pipe"),
        (b"YUV4MPEG2 W64 H48 F25:1\n", "no picture"),
    ],
)
def test_what_is_no_film_is_one_line(tmp_path: Path, stdin: bytes, problem: str) -> None:
    code, _, err = run("-", tmp_path / "a.mp4", stdin=stdin)
    assert (code, err.count("\n")) == (2, 0), err
    assert problem in err
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_film_that_is_read_from_its_end_is_told(tmp_path: Path) -> None:
    clip = clips.real_clip("bikes.mp4")  # what is in it is listed at its end
    code, _, err = run("-", tmp_path / "a.mp4", stdin=clip.read_bytes())
    assert code == 2
    assert "standard input" in err
    assert "MPEG-TS" in err


@pytest.mark.slow
def test_it_ends_when_the_reader_does(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "clip.mp4", seconds=60, size=SIZE)
    process = render(clip, "-", stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(64).startswith(b"YUV4MPEG2 ")
    process.stdout.close()
    assert process.wait(SECONDS) == 1
    assert said(process) == "stream-dream: error: the program that reads standard output has ended"


@pytest.mark.slow
def test_what_came_is_kept_when_the_writer_ends(tmp_path: Path) -> None:
    """A writer that is killed closes its pipe in the middle of a frame."""
    target = tmp_path / "a.mp4"
    process = render("-", target, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(make()[:-2000])
    process.stdin.close()
    assert process.wait(SECONDS) == 0, said(process)
    with VideoSource(target) as source:
        assert len(list(source)) == FRAMES - 1


@pytest.mark.slow
def test_a_pipe_that_another_program_made_non_blocking_is_read_to_its_end(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    process = render("-", target, stdin=reading)
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(make())
    assert process.wait(SECONDS) == 0, said(process)
    with VideoSource(target) as source:
        assert len(list(source)) == FRAMES


@pytest.mark.slow
def test_ctrl_c_ends_a_wait_for_frames_that_do_not_come(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    process = render("-", target, "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(make())
    process.stdin.flush()  # and stays open
    while b'"event": "frame"' not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 130
    assert "interrupted: the first" in said(process)
    process.stdin.close()
    assert (tmp_path / "a.interrupted.mp4").exists()


@pytest.mark.slow
def test_a_slow_dream_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What writes waits as long as the dream takes: that is no sign that ffmpeg hangs."""
    monkeypatch.setattr(ffmpeg, "PATIENCE", 0.2)
    reading, writing = os.pipe()
    path = tmp_path / "film.y4m"
    path.write_bytes(make(400))

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(path.read_bytes())

    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        writer = threading.Thread(target=write)
        writer.start()
        with VideoSource("-") as source:
            frames = iter(source)
            next(frames)
            time.sleep(1)  # all pipes are full by now, and longer than its patience
            assert sum(1 for _ in frames) == 399
        assert source.shortfall is None
        writer.join()
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(reading)


@pytest.mark.slow
def test_other_commands_need_files(tmp_path: Path) -> None:
    for command in ("plan", "loop"):
        arguments = [command, "-", *([tmp_path / "a.gif"] if command == "loop" else [])]
        done = subprocess.run(
            [sys.executable, "-m", "stream_dream", *map(str, arguments)],
            input=make(3),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 2
        assert b"more than once: give a file, not standard input" in done.stderr
    with pytest.raises(SinkError, match="has no extension that can be written"):
        check_target(Path("-"), overwrite=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--json",), "standard output gets the film: leave out --json"),
        (("--workers", "2"), "standard input and output are used once"),
        (("--resume",), "standard input and output are used once"),
        (("--codec", "h264"), "standard output gets raw frames and has no choice of codecs"),
        (("--bits", "12"), "y4m has 8 or 10 bits, not 12"),
        (("--strength", "shot 1:(0)"), "standard input is read once"),
    ],
)
def test_what_a_pipe_cannot_do_is_refused(options: tuple[str, ...], problem: str) -> None:
    code, out, err = run("-", "-", *options, stdin=make(3))
    assert (code, out, err.count("\n")) == (2, b"", 0), err
    assert problem in err


@pytest.mark.slow
def test_a_closed_standard_output_is_told(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "clip.mp4")
    command = f"exec {sys.executable} -m stream_dream render {clip} - >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert b"standard output is closed" in done.stderr


@pytest.mark.slow
def test_raw_frames_come_from_standard_input_alone(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "clip.mp4")
    code, _, err = run(clip, tmp_path / "a.mp4", "--raw", "64x48@25")
    assert code == 2
    assert "--raw is for standard input" in err


@pytest.mark.slow
def test_a_long_chain_needs_no_more_memory(tmp_path: Path) -> None:
    """Of 1,000 frames of 720p, 2.7 GB as RGB, no more than a few are held at a time."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    made = ("-f", "lavfi", "-i", "testsrc2=s=1280x720", "-frames:v", "1000", "-pix_fmt", "yuv420p")
    writer = subprocess.Popen(
        [ffmpeg, "-v", "error", *made, "-f", "yuv4mpegpipe", "-"], stdout=subprocess.PIPE
    )
    process = render("-", "-", stdin=writer.stdout, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert process.stdout is not None
    writer.stdout.close()
    size, most, begun = 0, [], 0
    while block := process.stdout.read(1 << 20):
        size += len(block)
        if size // (1280 * 720 * 3 // 2 * 100) > begun:  # every 100 frames
            begun += 1
            most.append(_resident(process.pid))
    assert process.wait(SECONDS) == 0, said(process)
    assert writer.wait(SECONDS) == 0
    frame = 1280 * 720 * 3 // 2 + len(b"FRAME\n")
    assert (size - size % frame) // frame == 1000
    assert most[-1] < most[1] + 100e6


def _resident(pid: int) -> float:
    """Return the memory of a process in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
