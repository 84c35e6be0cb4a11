"""The commands for those who have just installed it: help, demo and doctor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from stream_dream.cli import doctor
from stream_dream.cli.doctor import Finding
from stream_dream.cli.help import TOPICS, page
from stream_dream.errors import StreamDreamError
from stream_dream.media.read.video import VideoSource

Run = Callable[..., tuple[int, str, str]]


def test_help_lists_all_topics(run: Run) -> None:
    code, out, _ = run("help")
    assert code == 0
    assert all(topic in out for topic in TOPICS)


def test_help_prints_a_page_as_it_is_into_a_pipe(run: Run) -> None:
    assert run("help", "films") == (0, page("films"), "")


def test_help_leaves_out_pictures_on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    code, out, _ = run("help", "loops")
    assert code == 0
    assert "until the file fits" in out
    assert ".github" not in out


def test_help_suggests_a_topic(run: Run) -> None:
    code, _, err = run("help", "film")
    assert code == 2
    assert "did you mean films?" in err


@pytest.mark.slow
def test_demo_dreams_the_clip_of_the_package(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("demo-dream.mp4", "demo-dream.2.mp4"):
        code, out, err = run("demo", "--end", "0.08", "--step-size", "0", "--warm-up", "0")
        assert (code, out.split(":")[0]) == (0, name), err
        with VideoSource(tmp_path / name) as made:
            assert made.info.frame_count == 2


@pytest.mark.slow
def test_doctor_finds_nothing_wrong_here(run: Run) -> None:
    code, out, _ = run("doctor")
    assert code == 0
    assert cv2.__version__ in out
    assert "frames a second of" in out


def test_doctor_reads_the_users_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert list(doctor._defaults()) == []
    path = tmp_path / "stream-dream" / "config.toml"
    path.parent.mkdir()
    for text, told in (("octaves = 3", ""), ("octavs = 3", "did you mean octaves?")):
        path.write_text(text)
        (finding,) = doctor._defaults()
        assert (finding.found, told in finding.advice) == (str(path), True)
        assert bool(finding.advice) == bool(told)


def test_doctor_says_what_is_broken_and_tries_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Finding:
        raise StreamDreamError("no ffmpeg anywhere: reinstall imageio-ffmpeg")

    monkeypatch.setattr(doctor, "_tensorflow", lambda: Finding("TensorFlow", "9"))
    monkeypatch.setattr(doctor, "_ffmpeg", broken)
    monkeypatch.setattr(doctor, "_CHECKS", (doctor._libraries,))
    code, out, _ = run("doctor")
    assert code == 1
    assert "no ffmpeg anywhere" in " ".join(out.split())
    assert "speed" not in out
