"""Renders from file to file: the tiny network, and once the command with its real one."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
import synthetic
from waiting import wait_for

from stream_dream.dream.build import Guide
from stream_dream.errors import Interrupted, SinkError
from stream_dream.film.one_piece import render
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.runtime.stage_threads import StageThread
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated
from stream_dream.temporal.dreamer import Dreamed

Make = Callable[..., DreamSettings]
DEMO_CLIP = Path(__file__).parents[2] / "stream_dream" / "demo_clip.mp4"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of 12 frames: a pan over a photo."""
    return synthetic.make_pan(tmp_path_factory.mktemp("clips") / "pan.mp4", Fraction(25))


@pytest.mark.slow
def test_frames_and_reports(tiny: Make, clip: Path, tmp_path: Path) -> None:
    reports: list[FrameReport] = []
    target = tmp_path / "dream.mp4"
    cv2.setNumThreads(2)
    summary = render(clip, target, tiny(), OutputSettings(), on_report=reports.append)
    assert summary.frames == len(synthetic.images_of(target)) == 12
    assert [report.index for report in reports] == list(range(12))
    assert reports[0].visible_share == 0
    assert reports[5].visible_share > 0.8
    assert set(summary.stages) == {"flow", "ascent", "compose", "encode"}
    assert summary.warning is None
    assert summary.fps > 11 / summary.seconds
    assert cv2.getNumThreads() == 2


@pytest.mark.slow
def test_ctrl_c_before_the_first_frame_says_so(tiny: Make, clip: Path, tmp_path: Path) -> None:
    def interrupt(info: StreamInfo) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="before the first frame: nothing was written"):
        render(clip, tmp_path / "dream.mp4", tiny(), OutputSettings(), on_start=interrupt)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.stops
def test_the_result_does_not_depend_on_timing(
    tiny: Make, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resize = cv2.resize

    def slow(*arguments: object, **named: object) -> object:
        time.sleep(0.003)
        return resize(*arguments, **named)  # type: ignore[call-overload]

    render(clip, tmp_path / "a-%02d.png", tiny(), OutputSettings())
    monkeypatch.setattr(cv2, "resize", slow)
    render(clip, tmp_path / "b-%02d.png", tiny(), OutputSettings())
    pairs = [(tmp_path / f"{name}-{n:02d}.png" for name in "ab") for n in range(1, 13)]
    for a, b in pairs:
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.slow
def test_step_size_zero_gives_the_source(tiny: Make, clip: Path, tmp_path: Path) -> None:
    render(clip, tmp_path / "%02d.png", tiny(step_size=0), OutputSettings())
    written = cv2.cvtColor(cv2.imread(str(tmp_path / "01.png")), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(written, synthetic.images_of(clip)[0])


@pytest.mark.slow
def test_size_compare_and_range(tiny: Make, clip: Path, tmp_path: Path) -> None:
    output = validated(
        OutputSettings, {"size": "80x60", "compare": True, "start": 0.2, "end": 0.36}
    )
    render(clip, tmp_path / "a.mp4", tiny(), output)
    frames = synthetic.images_of(tmp_path / "a.mp4")
    assert len(frames) == 4
    assert frames[0].shape == (60, 160, 3)


@pytest.mark.slow
@pytest.mark.stops
def test_an_interrupted_render_keeps_what_was_done(tiny: Make, clip: Path, tmp_path: Path) -> None:
    def stop(report: FrameReport) -> None:
        if report.index == 5:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="interrupted: the first") as caught:
        render(clip, tmp_path / "dream.mp4", tiny(), OutputSettings(), on_report=stop)
    assert caught.value.exit_code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["dream.interrupted.mp4"]
    assert 6 <= len(synthetic.images_of(tmp_path / "dream.interrupted.mp4")) <= 12


@pytest.mark.slow
@pytest.mark.stops
def test_an_interruption_in_the_last_frames_keeps_them(
    tiny: Make, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dreamed: list[Dreamed] = []
    put = StageThread.put

    def remember(self: StageThread[Dreamed], item: Dreamed) -> None:
        put(self, item)
        dreamed.append(item)

    monkeypatch.setattr(StageThread, "put", remember)

    def stop(report: FrameReport) -> None:
        if report.index == 8:
            wait_for(lambda: len(dreamed) == 12)  # the last three are not yet written
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match="the first 12 frames are in"):
        render(clip, tmp_path / "dream.mp4", tiny(), OutputSettings(), on_report=stop)
    assert len(synthetic.images_of(tmp_path / "dream.interrupted.mp4")) == 12


@pytest.mark.slow
def test_undecodable_sound_is_refused_before_the_first_frame(tiny: Make, tmp_path: Path) -> None:
    source = clips.make_beep(tmp_path / "a.mkv", "-c:v", "libx264", "-c:a", "libmp3lame")
    source.write_bytes(source.read_bytes().replace(b"A_MPEG/L3", b"A_QQQQ/L3"))
    started: list[object] = []
    with pytest.raises(SinkError, match=r"--no-audio$") as refused:
        render(source, tmp_path / "b.mp4", tiny(), OutputSettings(), on_start=started.append)
    assert refused.value.exit_code == 2
    assert not started
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
    render(source, tmp_path / "b.mp4", tiny(), OutputSettings(audio=False, end=0.2))


@pytest.mark.slow
def test_sound_shape_quality_and_cuts_reach_the_output(tiny: Make, tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    scenes = "testsrc2=s=96x64:r=25:d=0.6,setsar=4/3[a];mandelbrot=s=96x64:r=25,trim=end=0.6"
    graph = f"{scenes},setsar=4/3[b];[a][b]concat"
    tone = ("-f", "lavfi", "-i", "sine=d=1.2")
    clips.ffmpeg("-f", "lavfi", "-i", graph, *tone, "-c:a", "aac", source)
    made = {}
    for name, settings, output in (
        ("cuts", tiny(), OutputSettings()),
        ("whole", tiny(cuts=False), OutputSettings(crf=45, audio=False)),
    ):
        reports: list[FrameReport] = []
        made[name] = tmp_path / f"{name}.mp4"
        render(source, made[name], settings, output, on_report=reports.append)
        assert [report.index for report in reports if report.cut] == [15] * (name == "cuts")
    cuts, whole = (clips.report(made[name]) for name in ("cuts", "whole"))
    assert "Audio: aac" in cuts
    assert "Audio" not in whole
    assert "SAR 4:3" in cuts
    assert "SAR 4:3" in whole
    assert made["whole"].stat().st_size < 0.5 * made["cuts"].stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("name", ["take:2.mp4", "-x.gif", "-%02d.png"])
def test_unusual_file_names_are_written(
    tiny: Make, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    render(clip, name, tiny(), OutputSettings(end=0.08))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == ({"-01.png", "-02.png"} if "%" in name else {name})


@pytest.mark.slow
@pytest.mark.stops
def test_a_failing_encoder_ends_the_render(tiny: Make, clip: Path, tmp_path: Path) -> None:
    def kill(report: FrameReport) -> None:
        if report.index == 3:
            subprocess.run(["pkill", "-KILL", "-f", str(tmp_path)], check=True)

    with pytest.raises(SinkError, match="could not be written"):
        render(clip, tmp_path / "dream.mp4", tiny(), OutputSettings(), on_report=kill)
    assert not (tmp_path / "dream.mp4").exists()


def test_nothing_is_overwritten(tiny: Make, clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "dream.mp4"
    target.write_text("precious")
    with pytest.raises(SinkError, match="exists already") as caught:
        render(clip, target, tiny(), OutputSettings())
    assert caught.value.exit_code == 2
    assert target.read_text() == "precious"


def test_the_source_is_not_overwritten_either(tiny: Make, clip: Path) -> None:
    before = clip.read_bytes()
    with pytest.raises(SinkError, match="is one of the inputs") as caught:
        render(clip, clip, tiny(), OutputSettings(), overwrite=True)
    assert caught.value.exit_code == 2
    assert clip.read_bytes() == before


@pytest.mark.slow
def test_the_demo_clip_for_real(tmp_path: Path) -> None:
    target = tmp_path / "dream.mp4"
    command = [sys.executable, "-m", "stream_dream", "render", str(DEMO_CLIP), str(target)]
    command += ["--end", "0.4", "--dream-size", "240", "--warm-up", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    # A slow machine prints its progress.
    assert [line for line in done.stderr.splitlines() if not line.startswith("frame ")] == []
    assert done.stdout.startswith(f"{target}: 10 frames in ")
    source, dream = synthetic.images_of(DEMO_CLIP)[:10], synthetic.images_of(target)
    assert len(dream) == 10
    assert np.abs(np.subtract(source[9], dream[9], dtype=int)).mean() > 4


@pytest.mark.slow
@pytest.mark.parametrize("guide", ["clip", "picture"])
def test_a_clip_guides_frame_by_frame(
    tiny: Make, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guide: str
) -> None:
    path = tmp_path / ("guide.mkv" if guide == "clip" else "guide.png")
    if guide == "clip":
        with VideoSink(path, size=(64, 48), fps=25, crf=0) as sink:  # type: ignore[arg-type]
            for level in (0, 60, 120, 180, 240):
                sink.write(np.full((48, 64, 3), level, np.uint8))
    else:
        write_picture(Picture(synthetic.photo((64, 48))), path)
    shown: list[int] = []
    show = Guide.show

    def remember(self: Guide, image: np.ndarray) -> None:
        shown.append(round(float(image.mean()) / 60))
        show(self, image)

    monkeypatch.setattr(Guide, "show", remember)
    render(clip, tmp_path / "dream.mp4", tiny(guide=path), OutputSettings())
    if guide == "clip":
        assert shown[:12] == [0, 1, 2, 3, 4] * 2 + [0, 1]
    else:
        assert len(shown) == 1
