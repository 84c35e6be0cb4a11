"""Renders a video file in one piece, keeping its sound, duration and shape."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from stream_dream.errors import Interrupted, SettingsError
from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.film_dreamer import film_dreamer
from stream_dream.film.film_encoder import with_chosen_encoder
from stream_dream.film.frame_loop import (
    FrameLooks,
    FrameWriter,
    dream_frames,
    finalizer_of,
    make_ascents,
    opened_guides,
    opened_mask,
    tone_mapping_note,
)
from stream_dream.film.plan.plan import make_plan
from stream_dream.film.programming import needs_plan, programmed, read_files, soundtrack_of
from stream_dream.film.request import RenderRequest
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.media.write.formats import STANDARD_OUTPUT
from stream_dream.media.write.output_paths import left_over
from stream_dream.media.write.sound import Soundtrack, check_sound
from stream_dream.media.write.standard_output import StandardOutput
from stream_dream.media.write.video import VideoSink
from stream_dream.runtime.cancel import cancellable
from stream_dream.runtime.progress import Progress, ProgressMeter, ignore_progress
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.recipe import Recipe
from stream_dream.settings.values import EncoderName
from stream_dream.temporal.cuts import mark_cuts


@dataclass(frozen=True, slots=True)
class RenderSummary:
    """Result of a render.

    Attributes:
        target: The finished file.
        mattes: Those beside it.
        frames: Number of frames.
        seconds: Wall time, from opening the source to the finished file.
        fps: Frames per second between the first and the last; 0 for a single frame.
        stages: Seconds by stage; stages run in parallel.
        warning: One line on unreadable parts of the source, on pictures left over from an earlier,
            longer sequence, or on an encoder that does not work; None if all is well.
        encoder: What has encoded it.
    """

    target: Path
    frames: int
    seconds: float
    fps: float
    stages: dict[str, float]
    warning: str | None
    encoder: EncoderName
    mattes: tuple[Path, ...] = field(default=(), kw_only=True)


@cancellable
def render(
    source: Path | str,
    target: Path | str,
    dream: DreamSettings,
    output: OutputSettings,
    automation: Automation | None = None,
    *,
    journey: JourneySettings | None = None,
    overwrite: bool = False,
    checksums: bool = False,
    recipe: Recipe | None = None,
    ascents: AscentCache | None = None,
    on_start: Callable[[StreamInfo], None] = lambda info: None,
    on_report: Callable[[FrameReport], None] = lambda report: None,
    on_progress: Callable[[Progress], None] = ignore_progress,
    cancel: threading.Event | None = None,
) -> RenderSummary:
    """Render one file.

    Args:
        source: A video file, a sequence of pictures or ``-``; see ``VideoSource``.
        target: Path of the result; its extension selects the format.
        dream: Settings of the dream.
        output: What to render and how to write it.
        automation: What changes over time; None for nothing.
        journey: Settings of a journey, which begins with the source; see ``make_journey``. None
            for a film.
        overwrite: True to replace an existing target.
        checksums: True to add the CRC-32 of each frame to its report.
        recipe: What the result carries as its recipe; None for none.
        ascents: Where networks are kept for the next render; None to drop them.
        on_start: Called once with the properties of the source, before the first frame.
        on_report: Called after each written frame, in order, from another thread.
        on_progress: Called after each written frame with how far the render is, likewise.
        cancel: Ends the render once it is set, as Ctrl-C does; None for never.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: One line says why.
        Interrupted: Ctrl-C or ``cancel``; finished frames are kept and the message says where.
    """
    begun = time.perf_counter()
    request = RenderRequest(
        Path(source),
        Path(target),
        dream,
        output,
        automation=automation or Automation(),
        journey=journey,
    )
    target = request.target
    request.check_outputs(overwrite=overwrite)
    with (
        request.open_source() as opened,
        opened_mask(output, opened.info, opened.first) as mask,
        opened_guides(request.automation.looks or (dream,)) as guides,
    ):
        info = opened.info
        sound = soundtrack_of(request, opened) if output.audio else None
        check_sound(sound, target)
        output, encoder_note = with_chosen_encoder(target, info, output)
        read_files(request, opened)
        if opened.is_piped and needs_plan(request):
            problem = "what changes by shots, or by shares of the length, needs a file"
            raise SettingsError(f"standard input is read once: {problem}")
        plan = make_plan(opened, 1, cuts=request.finds_cuts) if needs_plan(request) else None
        program = programmed(request, opened, plan).program
        made = make_ascents(program) if ascents is None else ascents.of(program)
        dreamer = film_dreamer(made.dreams, dream, program, info, journey)
        looks = FrameLooks(made, program, info, [guide.images() for guide in guides])
        meter = ProgressMeter(on_progress)
        meter.begin(info.frame_count)

        def report(done: FrameReport) -> None:
            on_report(done)
            meter.advance(done.index + 1)

        room = closing(made) if ascents is None else nullcontext()
        with _sink(target, info, output, sound, recipe, overwrite) as sink, room:
            writer = FrameWriter(
                sink.write,
                output,
                program,
                report,
                mask=mask,
                encoding=sink.encoding,
                checksums=checksums,
            )
            frames = iter(opened)
            if request.finds_cuts:
                frames = mark_cuts(frames, info.fps)
            try:
                on_start(info)
                dream_frames(frames, dreamer, looks, writer, made.spare, stop=opened.stop)
                sink.close()
            except KeyboardInterrupt:
                raise Interrupted(_keep(sink)) from None
    return RenderSummary(
        target=target,
        mattes=request.outputs[1:],
        frames=sink.frames,
        seconds=time.perf_counter() - begun,
        fps=writer.fps,
        stages=dict(writer.stages),
        warning="; ".join(
            filter(
                None,
                [
                    opened.shortfall,
                    tone_mapping_note(opened, output),
                    encoder_note,
                    left_over(target, sink.frames),
                    program.clipped,
                ],
            )
        )
        or None,
        encoder=output.encoder,
    )


def _sink(
    target: Path,
    info: StreamInfo,
    output: OutputSettings,
    sound: Soundtrack | None,
    recipe: Recipe | None,
    overwrite: bool,
) -> VideoSink | StandardOutput:
    text = None if recipe is None else recipe.text
    finalizer = finalizer_of(target, info, output, sound, text)
    if target != STANDARD_OUTPUT:
        return VideoSink.of(finalizer, overwrite=overwrite)
    return StandardOutput(
        size=finalizer.size,
        fps=info.fps,
        pixel_aspect=finalizer.pixel_aspect,
        bits=finalizer.encoding.bits,
    )


def _keep(sink: VideoSink | StandardOutput) -> str:
    """Keep the frames written so far; return the message that says where."""
    if isinstance(sink, StandardOutput):
        return f"interrupted after {sink.frames} frames"
    kept = " and ".join(map(str, sink.keep_partial()))
    if not kept:
        return "interrupted before the first frame: nothing was written"
    done = "first frame is" if sink.frames == 1 else f"first {sink.frames} frames are"
    return f"interrupted: the {done} in {kept}"
