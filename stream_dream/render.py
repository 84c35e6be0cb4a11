"""Renders a video file: frames, sound, duration and shape kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_dream.errors import Interrupted
from stream_dream.frame import Frame, FrameReport, Image8, StreamInfo
from stream_dream.image import resize
from stream_dream.media.guide import guide_images
from stream_dream.media.sink import Soundtrack, VideoSink, check_target
from stream_dream.media.source import VideoSource
from stream_dream.media.target import left_over
from stream_dream.pipeline import Behind, ahead, single_threads
from stream_dream.quiet import hushed
from stream_dream.settings import DreamSettings, OutputSettings
from stream_dream.temporal.dreamer import Dreamed, Prepared, TemporalDreamer
from stream_dream.temporal.shots import mark_cuts

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent
    from stream_dream.dream.composing import Guide

# Frames that wait between two stages: enough to even out a slow one, few enough for 4K.
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class RenderSummary:
    """What a render did.

    Attributes:
        target: The file that was made.
        frames: Number of frames.
        seconds: Wall time, from opening the source to the finished file.
        fps: Frames per second between the first and the last; 0 where there is one only.
        stages: Seconds spent by each stage; stages run beside each other.
        warning: One line on what of the source could not be read, or what an earlier sequence of
            pictures has left; None where there is nothing to say.
    """

    target: Path
    frames: int
    seconds: float
    fps: float
    stages: dict[str, float]
    warning: str | None


def render(
    source: Path | str,
    target: Path | str,
    dream: DreamSettings,
    output: OutputSettings,
    *,
    overwrite: bool = False,
    on_start: Callable[[StreamInfo], None] = lambda info: None,
    on_report: Callable[[FrameReport], None] = lambda report: None,
) -> RenderSummary:
    """Render one file.

    Args:
        source: A video file.
        target: Its extension decides on the format.
        dream: How to dream.
        output: What to render and how to write it.
        overwrite: True if an existing target may be replaced.
        on_start: Called once with what is known of the source, before the first frame.
        on_report: Called after each frame that was written, in order, from a worker thread.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: With one clear line.
        Interrupted: On Ctrl-C; what was done is kept and the message says where.
    """
    begun = time.perf_counter()
    source, target = Path(source), Path(target)
    check_target(target, overwrite=overwrite, source=source)
    with VideoSource(source, start=output.start, end=output.end) as opened:
        ascent = _ascent(dream)
        dreamer = TemporalDreamer(ascent, dream, pixel_aspect=opened.info.pixel_aspect)
        guided = _Guided(ascent.guide, dream.guide)
        on_start(opened.info)
        with _sink(target, opened, output, overwrite) as sink:
            writer = _Writer(sink, output, on_report)
            try:
                with single_threads():
                    _run(opened, dreamer, guided, writer, cuts=dream.cuts)
                sink.close()
            except KeyboardInterrupt:
                raise Interrupted(_keep(sink)) from None
    return RenderSummary(
        target=target,
        frames=sink.frames,
        seconds=time.perf_counter() - begun,
        fps=writer.fps,
        stages=dict(writer.stages),
        warning="; ".join(filter(None, [opened.shortfall, left_over(target, sink.frames)])) or None,
    )


class _Writer:
    """Composes, writes and reports each dreamed frame.

    Attributes:
        stages: Seconds by stage, summed up.
        fps: Frames per second so far, not counting the start.
    """

    def __init__(
        self, sink: VideoSink, output: OutputSettings, on_report: Callable[[FrameReport], None]
    ) -> None:
        self.stages: Counter[str] = Counter()
        self.fps = 0.0
        self._begun: float | None = None
        self._sink = sink
        self._output = output
        self._on_report = on_report

    def __call__(self, dreamed: Dreamed) -> None:
        begun = time.perf_counter()
        image = dreamed.compose(self._output.size)
        if self._output.compare:
            image = _beside(resize(dreamed.frame.image, image.shape[1::-1]), image)
        composed = time.perf_counter()
        self._sink.write(image)
        seconds = dreamed.report.seconds | {
            "compose": composed - begun,
            "encode": time.perf_counter() - composed,
        }
        self.stages.update(seconds)
        if self._begun is None:
            self._begun = time.perf_counter()
        else:
            self.fps = dreamed.report.index / (time.perf_counter() - self._begun)
        self._on_report(replace(dreamed.report, seconds=seconds))


class _Guided:
    """Shows the guide of each frame before the frame is dreamed."""

    def __init__(self, guide: Guide | None, path: Path | None) -> None:
        self._guide = guide
        self._images = iter(()) if path is None else guide_images(path)
        if guide is not None:
            guide.show(next(self._images))

    def next_frame(self) -> None:
        """Show the next guide if there is one."""
        image = next(self._images, None)
        if self._guide is not None and image is not None:
            self._guide.show(image)


def _ascent(dream: DreamSettings) -> Ascent:
    # TensorFlow is imported here and not earlier: a wrong path is reported at once.
    with hushed():
        from stream_dream.dream.ascent import Ascent

    return Ascent(dream)


def _sink(target: Path, source: VideoSource, output: OutputSettings, overwrite: bool) -> VideoSink:
    width, height = output.size or source.info.size
    sound = Soundtrack(source.path, source.start, source.end) if output.audio else None
    return VideoSink(
        target,
        size=(width * 2 if output.compare else width, height),
        fps=source.info.fps,
        pixel_aspect=source.info.pixel_aspect if output.size is None else Fraction(1),
        crf=output.crf,
        sound=sound,
        overwrite=overwrite,
    )


def _run(
    source: VideoSource, dreamer: TemporalDreamer, guided: _Guided, write: _Writer, *, cuts: bool
) -> None:
    """Decode and find motion ahead of the dream, compose and encode behind it."""

    def prepared() -> Iterator[Prepared]:
        frames: Iterator[Frame] = iter(source)
        for frame in mark_cuts(frames, source.info.fps) if cuts else frames:
            yield dreamer.prepare(frame)

    with closing(ahead(prepared(), _DEPTH)) as stream, Behind(write, _DEPTH) as writer:
        for item in stream:
            writer.put(dreamer.ascend(item))
            guided.next_frame()


def _keep(sink: VideoSink) -> str:
    """Keep what was done, and say what and where."""
    kept = sink.keep_partial()
    if kept is None:
        return "interrupted before the first frame: nothing was written"
    done = "first frame is" if sink.frames == 1 else f"first {sink.frames} frames are"
    return f"interrupted: the {done} in {kept}"


def _beside(left: Image8, right: Image8) -> Image8:
    return np.concatenate([left, right], axis=1)
