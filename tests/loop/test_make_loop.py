"""Loops from file to file, with the tiny network, and once with the real one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import cv2
import numpy as np
import pytest
import synthetic
from PIL import Image

from stream_dream.dream.build import Guide
from stream_dream.errors import Interrupted, SinkError
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.loop.dream_seam import ClosedDream
from stream_dream.loop.make_loop import LoopSummary, make_loop
from stream_dream.loop.periodic_source import make_cycle
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write import mux
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated
from stream_dream.temporal.visibility import in_frame
from stream_dream.temporal.warp import warp

Make = Callable[..., DreamSettings]
FRAMES = 6


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop") / "photo.png"
    write_picture(Picture(synthetic.photo((96, 64))), path)
    return path


def looped(
    source: Path, target: Path, *dreams: DreamSettings, rest: dict[str, Any] | None = None, **v: Any
) -> LoopSummary:
    values = {"frames": FRAMES, **v} if source.suffix == ".png" else v
    return make_loop(source, target, dreams, validated(LoopSettings, values), **(rest or {}))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["gif", "webp", "apng"])
def test_pillow_finds_frames_delays_and_an_endless_loop(
    tiny: Make, picture: Path, tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / f"loop.{suffix}"
    summary = looped(picture, target, tiny())
    assert summary.frames == FRAMES
    assert summary.rounds >= 2.5
    with Image.open(target) as film:
        assert getattr(film, "n_frames", 1) == FRAMES
        assert film.info["loop"] == 0
        for number in range(FRAMES):
            film.seek(number)
            film.load()  # Pillow reads the delay of a WebP here
            assert film.info["duration"] == 40
        assert film.size == summary.size == (96, 64)


@pytest.mark.slow
def test_a_slower_gif_is_reported(tiny: Make, picture: Path, tmp_path: Path) -> None:
    summary = looped(picture, tmp_path / "x.gif", tiny(), fps=60)
    assert any("50 frames a second" in note for note in summary.notes)
    assert not looped(picture, tmp_path / "y.gif", tiny(), fps=50).notes


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "webm", "mov", "mkv"])
def test_films_show_several_turns_and_no_frame_twice(
    tiny: Make, picture: Path, tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / f"loop.{suffix}"
    looped(picture, target, tiny(), repeat=3, fps="30000/1001", crf=1)
    with VideoSource(target) as film:
        assert film.info.fps == Fraction(30000, 1001)
        images = [frame.image.astype(int) for frame in film]
    assert len(images) == 3 * FRAMES
    for number in range(FRAMES):
        assert np.abs(images[number] - images[number + FRAMES]).mean() < 3
    steps = [np.abs(images[n] - images[n + 1]).mean() for n in range(3 * FRAMES - 1)]
    assert min(steps) > 0


@pytest.mark.slow
def test_a_sequence_and_a_poster(tiny: Make, picture: Path, tmp_path: Path) -> None:
    looped(picture, tmp_path / "x-%03d.png", tiny())
    assert len(list(tmp_path.glob("x-*.png"))) == FRAMES
    looped(picture, tmp_path / "x.gif", tiny(), poster=True)
    np.testing.assert_array_equal(
        read_picture(tmp_path / "x.png").image, read_picture(tmp_path / "x-001.png").image
    )


@pytest.mark.slow
def test_the_same_settings_make_the_same_loop(tiny: Make, picture: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        looped(picture, tmp_path / f"{name}.apng", tiny())
    assert (tmp_path / "a.apng").read_bytes() == (tmp_path / "b.apng").read_bytes()


@pytest.mark.slow
def test_without_steps_the_loop_is_the_camera(tiny: Make, picture: Path, tmp_path: Path) -> None:
    looped(picture, tmp_path / "x-%d.png", tiny(step_size=0), motion="still")
    source = read_picture(picture).image
    for number in range(1, FRAMES + 1):
        np.testing.assert_array_equal(read_picture(tmp_path / f"x-{number}.png").image, source)


@pytest.mark.slow
def test_a_clip_becomes_a_loop(tiny: Make, tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "clip.mp4", seconds=1)
    summary = looped(clip, tmp_path / "x.gif", tiny(), min_seconds=0.4, crossfade=0.1)
    assert 10 <= summary.frames <= 25
    assert any("loops from" in note for note in summary.notes)
    bounce = looped(clip, tmp_path / "y.gif", tiny(), bounce=True, end=0.4)
    assert bounce.frames == 18


@pytest.mark.slow
def test_several_looks_are_passed_through(tiny: Make, picture: Path, tmp_path: Path) -> None:
    one, two = tiny(layer=["conv1"], persistence=0.5), tiny(layer=["conv2"], persistence=0.5)
    quiet = {"motion": "still", "longer_side": 96}
    for name, dreams in (("one", [one]), ("two", [two]), ("both", [one, two])):
        looped(picture, tmp_path / f"{name}-%d.png", *dreams, **quiet, frames=12)

    def apart(name: str, number: int) -> float:
        pair = [read_picture(tmp_path / f"{n}-{number}.png").image for n in ("both", name)]
        return float(np.abs(pair[0].astype(int) - pair[1]).mean())

    # The keyframes lie at a quarter and at three quarters of the loop.
    assert apart("one", 5) < apart("two", 5)
    assert apart("two", 11) < apart("one", 11)


@pytest.mark.slow
def test_a_clip_guides_each_round_alike(
    tiny: Make, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = tmp_path / "guide.mp4"
    with VideoSink(guide, size=(64, 48), fps=Fraction(25)) as sink:
        for number in range(4):
            sink.write(clips.counting_image(number))
    shown: list[int] = []
    monkeypatch.setattr(Guide, "show", lambda self, image: shown.append(hash(image.tobytes())))
    # The last of the three and a half rounds begins in the middle of the loop.
    monkeypatch.setattr(ClosedDream, "seam", 2.0)
    looped(picture, tmp_path / "x.gif", tiny(guide=guide))
    assert shown == (4 * shown[:FRAMES])[: round(3.5 * FRAMES)]
    assert shown[:2] == shown[4:6]
    assert len(set(shown)) == 4


@pytest.mark.slow
def test_reports_count_on_from_round_to_round(tiny: Make, picture: Path, tmp_path: Path) -> None:
    reports: list[FrameReport] = []
    totals: list[StreamInfo] = []
    rest = {"on_report": reports.append, "on_start": totals.append}
    summary = looped(picture, tmp_path / "x.gif", tiny(), rest=rest)
    assert [report.index for report in reports] == list(range(round(summary.rounds * FRAMES)))
    assert totals[-1].frame_count == len(reports)


@pytest.mark.slow
def test_max_size_is_kept_and_reported(tiny: Make, picture: Path, tmp_path: Path) -> None:
    for suffix in ("gif", "webp", "apng", "mp4"):
        free = tmp_path / f"free.{suffix}"
        looped(picture, free, tiny(step_size=0.05))
        limit = max(1500, int(free.stat().st_size * 0.6))
        target = tmp_path / f"small.{suffix}"
        summary = looped(picture, target, tiny(step_size=0.05), max_size=limit)
        assert target.stat().st_size <= limit
        assert any("to fit" in note for note in summary.notes)
        count = clips.ffmpeg("-i", target, "-f", "framecrc", "-").decode().count("\n0,")
        assert count == FRAMES


@pytest.mark.slow
def test_a_loop_that_cannot_fit_is_an_error_and_kept(
    tiny: Make, picture: Path, tmp_path: Path
) -> None:
    with pytest.raises(SinkError, match="at the least") as caught:
        looped(picture, tmp_path / "x.gif", tiny(step_size=0.05), max_size=1000)
    assert "x.interrupted.mp4" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x.interrupted.mp4"]


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("x.gif", {"repeat": 2}, "--repeat is for films"),
        ("x-%d.png", {"max_size": 5000}, "--max-size is for one"),
        ("x-%d.png", {"poster": True}, "leave out --poster"),
        ("x.txt", {}, "no extension"),
        ("nowhere/x.gif", {}, "does not exist"),
    ],
)
def test_wrong_outputs_are_refused_at_once(
    tiny: Make, picture: Path, tmp_path: Path, name: str, values: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SinkError, match=problem) as caught:
        looped(picture, tmp_path / name, tiny(), **values)
    assert caught.value.exit_code == 2


@pytest.mark.slow
def test_nothing_is_overwritten(tiny: Make, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("mine")
    with pytest.raises(SinkError, match=r"x\.png exists"):
        looped(picture, tmp_path / "x.gif", tiny(), poster=True)
    (tmp_path / "x.gif").write_text("mine")
    with pytest.raises(SinkError, match=r"x\.gif exists"):
        looped(picture, tmp_path / "x.gif", tiny())
    looped(picture, tmp_path / "x.gif", tiny(), poster=True, rest={"overwrite": True})
    assert read_picture(tmp_path / "x.png").image.shape == (64, 96, 3)


def stop_at(index: int) -> Callable[[FrameReport], None]:
    def stop(report: FrameReport) -> None:
        if report.index == index:
            signal.raise_signal(signal.SIGINT)

    return stop


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_in_the_first_round_leaves_nothing(
    tiny: Make, picture: Path, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted, match="first round: nothing"):
        looped(picture, tmp_path / "x.gif", tiny(), rest={"on_report": stop_at(3)})
    assert not list(tmp_path.iterdir())
    assert not [t for t in threading.enumerate() if t.name == "ahead"]


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_later_keeps_a_closed_loop(tiny: Make, picture: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match=r"x\.interrupted\.gif"):
        looped(picture, tmp_path / "x.gif", tiny(), rest={"on_report": stop_at(9)})
    assert [path.name for path in tmp_path.iterdir()] == ["x.interrupted.gif"]
    with Image.open(tmp_path / "x.interrupted.gif") as film:
        assert getattr(film, "n_frames", 1) == FRAMES


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_while_writing_keeps_the_loop(
    tiny: Make, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, calls = mux.finish_gif, []

    def interrupted_once(*arguments: Any, **named: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        finish(*arguments, **named)

    monkeypatch.setattr(mux, "finish_gif", interrupted_once)
    with pytest.raises(Interrupted, match=r"x\.interrupted\.gif"):
        looped(picture, tmp_path / "x.gif", tiny())
    assert [path.name for path in tmp_path.iterdir()] == ["x.interrupted.gif"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_tiny_pictures_become_loops(tiny: Make, tmp_path: Path, size: tuple[int, int]) -> None:
    write_picture(Picture(np.full((size[1], size[0], 3), 90, np.uint8)), tmp_path / "tiny.png")
    for suffix in ("gif", "mp4"):
        summary = looped(tmp_path / "tiny.png", tmp_path / f"x.{suffix}", tiny(), motion="turn")
        assert summary.size == size


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["breathe", "sway", "turn", "zoom"])
def test_the_seam_of_a_real_loop_is_no_larger_than_any_step(motion: str, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    write_picture(Picture(synthetic.photo((300, 200))), source)
    values = {"frames": 24, "motion": motion}
    dream = load_preset("dogs").dream
    looped(source, tmp_path / "x-%d.png", dream, **values)
    cycle = make_cycle(source, Path("x.gif"), validated(LoopSettings, values), cuts=True)
    images = [read_picture(tmp_path / f"x-{n}.png").image for n in range(1, 25)]
    changes = []
    for index in range(24):
        flow = cycle.flow(index, cycle.size) if cycle.flow else None
        assert flow is not None
        before = images[index - 1].astype(np.float32)
        moved = warp(before, flow, interpolation=cv2.INTER_CUBIC)
        changes.append(np.abs(moved - images[index]).mean(axis=-1)[in_frame(flow)].mean())
    # Steps differ: the speed of the camera varies by fractions of a pixel.
    assert changes[0] <= 1.05 * max(changes[1:])
    assert np.median(changes) > 0.3


def test_a_codec_of_one_quality_is_not_made_smaller(
    tiny: Make, picture: Path, tmp_path: Path
) -> None:
    settings = LoopSettings(frames=2, codec="hap", max_size=100_000)
    with pytest.raises(SinkError, match="hap has one quality: --max-size is for"):
        make_loop(picture, tmp_path / "a.mov", [tiny()], settings)
