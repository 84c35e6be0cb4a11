"""Makes a seamless loop of a picture or a clip."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from stream_dream.automation.program import Program
from stream_dream.errors import Interrupted, SinkError
from stream_dream.frame import Frame, FrameReport, Image, Image8, Image16, StreamInfo
from stream_dream.image import AnyImage, add_residual, fit_size, to_16bit
from stream_dream.loop.dream_seam import ClosedDream
from stream_dream.loop.periodic_source import Cycle, make_cycle
from stream_dream.loop.programming import program_of, soundtrack_of
from stream_dream.media.read.guide import guide_images
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.encoder_choice import choose_encoder
from stream_dream.media.write.formats import encoding_of, format_of
from stream_dream.media.write.mux import GIF_FPS
from stream_dream.media.write.output_paths import (
    check_target,
    interrupted_name,
    is_pattern,
    left_over,
)
from stream_dream.media.write.picture import check_picture_target, write_picture
from stream_dream.media.write.sound import Soundtrack, check_sound
from stream_dream.media.write.video import VideoSink
from stream_dream.runtime.cancel import cancellable
from stream_dream.runtime.progress import Progress, ProgressMeter, ignore_progress
from stream_dream.runtime.quiet import hushed
from stream_dream.runtime.stage_threads import prefetched, single_threads
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.recipe import Recipe
from stream_dream.temporal.dreamer import Prepared, TemporalDreamer

# Frames queued between two stages.
_DEPTH = 2


@dataclass(frozen=True, slots=True)
class LoopSummary:
    """Result of ``make_loop``.

    Attributes:
        target: The file that was written.
        frames: Frames of one turn.
        fps: Frames per second.
        size: (width, height) of the file.
        rounds: Number of times each frame was dreamed.
        seam: Change between frames that closing the loop adds, in levels of 255.
        seconds: Wall time.
        notes: Notes for the user: in- and out-point, sizes, what ``max_size`` cost.
    """

    target: Path
    frames: int
    fps: Fraction
    size: tuple[int, int]
    rounds: float
    seam: float
    seconds: float
    notes: tuple[str, ...]


@cancellable
def make_loop(
    source: Path | str,
    target: Path | str,
    keyframes: Sequence[DreamSettings],
    settings: LoopSettings,
    automation: Automation | None = None,
    *,
    overwrite: bool = False,
    recipe: Recipe | None = None,
    on_start: Callable[[StreamInfo], None] = lambda info: None,
    on_report: Callable[[FrameReport], None] = lambda report: None,
    on_progress: Callable[[Progress], None] = ignore_progress,
    cancel: threading.Event | None = None,
) -> LoopSummary:
    """Make a loop and write it.

    Args:
        source: A picture or a clip.
        target: Its extension decides on the format.
        keyframes: The keyframes, from ``stream_dream.loop.keyframes.way_around``. Persistence and
            dream size are the first one's.
        settings: What to loop, and how to write it.
        automation: What changes over time besides the keyframes; None for nothing.
        overwrite: True if an existing target may be replaced.
        recipe: What the results carry as its recipe; None for none.
        on_start: Called before the first frame, and again if more rounds are needed;
            ``frame_count`` counts all rounds.
        on_report: Called after each dreamed frame; its index counts over all rounds.
        on_progress: Called after each dreamed frame with how many are done, over all rounds.
        cancel: Ends the work once it is set, as Ctrl-C does; None for never.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: With one clear line.
        Interrupted: On Ctrl-C or ``cancel``. From the second round on, the loop is closed as it
            stands and kept.
    """
    begun = time.perf_counter()
    source, target = Path(source), Path(target)
    automation = automation or Automation()
    read = [source, *named_files(automation).values(), *automation.more_files.values()]
    check_loop(read, target, keyframes, settings, overwrite=overwrite)
    cycle = make_cycle(source, target, settings, cuts=keyframes[0].cuts)
    program = program_of(source, cycle, keyframes, settings, automation)
    sound = soundtrack_of(cycle, settings, automation)
    check_sound(sound, target)
    settings, encoder_note = _with_chosen_encoder(target, cycle, settings)
    dream = _Dream(cycle, program)
    meter = ProgressMeter(on_progress)

    def start(info: StreamInfo) -> None:
        on_start(info)
        meter.begin(info.frame_count)

    def report(done: FrameReport) -> None:
        on_report(done)
        meter.advance(done.index + 1)

    write = partial(_write, dream=dream, settings=settings, sound=sound, recipe=recipe)
    try:
        with single_threads():
            dream.go_around(start, report)
            sink = write(target, overwrite=overwrite)
    except KeyboardInterrupt:
        if not dream.closed_dream.closable:
            raise Interrupted("interrupted in the first round: nothing was written") from None
        kept = write(interrupted_name(target), overwrite=False).path
        raise Interrupted(f"interrupted: the loop as it stood is in {kept}") from None
    return LoopSummary(
        target=target,
        frames=cycle.frames,
        fps=cycle.fps,
        size=sink.written_size,
        rounds=dream.closed_dream.rounds,
        seam=dream.closed_dream.seam * program.at(0).strength,
        seconds=time.perf_counter() - begun,
        notes=(
            *cycle.notes,
            *_notes(sink, settings, cycle.fps),
            *filter(None, (encoder_note, program.clipped)),
        ),
    )


def check_loop(
    read: Sequence[Path],
    target: Path,
    keyframes: Sequence[DreamSettings],
    settings: LoopSettings,
    *,
    overwrite: bool,
) -> None:
    """Reject outputs that cannot be written, before any work is done.

    Arguments are those of ``make_loop``; ``read`` are the inputs that the keyframes do not name.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    inputs = [*read, *(path for dream in keyframes for path in named_files(dream).values())]
    check_target(target, overwrite=overwrite, inputs=inputs)
    encoding = encoding_of(target, settings.codec, settings.bits)
    made = encoding.format
    problem = None
    if settings.repeat > 1 and not made.film:
        problem = f"{target.suffix} plays for ever by itself: --repeat is for films"
    elif settings.max_size is not None and is_pattern(target):
        problem = f"{target} is many files: --max-size is for one"
    elif settings.max_size is not None and made.film and encoding.codec.worst_crf is None:
        problem = f"{settings.codec} has one quality: --max-size is for h264, h265, av1 and vp9"
    elif settings.poster and is_pattern(target):
        problem = f"{target} has its first frame as a picture already: leave out --poster"
    if problem:
        raise SinkError(problem, exit_code=2)
    if settings.poster:
        check_picture_target(_poster(target), overwrite=overwrite, inputs=inputs, outputs=[target])


def _with_chosen_encoder(
    target: Path, cycle: Cycle, settings: LoopSettings
) -> tuple[LoopSettings, str | None]:
    """Return the settings with an encoder that works, and a note on it or None."""
    encoding = encoding_of(target, settings.codec, settings.bits)
    wanted = settings.encoder
    name, note = choose_encoder(wanted, encoding, size=cycle.size, fps=cycle.fps, crf=settings.crf)
    if wanted == "auto" and name != "software":
        note = f"encoded with {name}"
    return settings.model_copy(update={"encoder": name}), note


class _Dream:
    """The frames of a cycle and their dream."""

    def __init__(self, cycle: Cycle, program: Program) -> None:
        """Build the networks and render the source frames at dream size."""
        # Imported late: a wrong path is reported before TensorFlow is loaded.
        with hushed():
            from stream_dream.dream.look_ascents import LookAscents

        self.cycle, self._program = cycle, program
        first = program.looks[0]
        self._size = fit_size(cycle.size, first.dream_size, enlarged=first.enlarge)
        self._ascents = ascents = LookAscents(program.looks, program.varying)
        counts = [
            (look, octaves)
            for look in program.looks_in(0, cycle.frames)
            for octaves in program.octaves_in(0, cycle.frames, look)
        ]
        ascents.prepare(counts, (self._size[1], self._size[0]))
        # Its frames have the size that they are dreamed at.
        painted = first.model_copy(update={"enlarge": 1.0})
        self._dreamer = TemporalDreamer(ascents.dreams, painted, moments=program.at, looping=True)
        self._small = [cycle.view(index, self._size) for index in range(cycle.frames)]
        self.closed_dream = ClosedDream(self._dreamer, cycle.frames)
        self._guides = ascents.guided(())

    def go_around(
        self, on_start: Callable[[StreamInfo], None], on_report: Callable[[FrameReport], None]
    ) -> None:
        """Dream until the loop is closed."""
        while places := self.closed_dream.to_dream:
            on_start(StreamInfo(self.cycle.size, self.cycle.fps, frame_count=places.stop))
            with closing(prefetched(map(self._prepared, places), _DEPTH)) as stream:
                self.closed_dream.dream(self._guided(stream), on_report)

    def image(self, index: int) -> Image8:
        """Return a frame of the loop, dreamed, at full size."""
        return self._dreamed(self._source(index), index)

    def deep_image(self, index: int) -> Image16:
        """Return a frame of the loop as ``image`` does, but in 16 bits."""
        return self._dreamed(to_16bit(self._source(index)), index)

    def _source(self, index: int) -> Image8:
        same = self._size == self.cycle.size
        return self._small[index] if same else self.cycle.view(index, self.cycle.size)

    def _dreamed(self, source: AnyImage, index: int) -> AnyImage:
        strength = self._program.at(index).strength
        return add_residual(source, self.closed_dream.residual(index), strength=strength)

    def _prepared(self, count: int) -> Prepared:
        index = count % self.cycle.frames
        frame = Frame(self._small[index], index, cut=index in self.cycle.cuts)
        flow = None if self.cycle.flow is None else self.cycle.flow(index, self._size)
        return self._dreamer.prepare(frame, flow)

    def _guided(self, stream: Iterator[Prepared]) -> Iterator[Prepared]:
        """Show each frame's look its guide before it; a guide clip restarts with each round."""
        for prepared in stream:
            index = prepared.frame.index
            if index == 0:
                self._guides = self._ascents.guided(self._guide_images())
            self._guides.show(self._program.at(index).look)
            yield prepared

    def _guide_images(self) -> list[Iterator[Image8]]:
        guides = (look.guide for look in self._program.looks)
        return [iter(()) if guide is None else guide_images(guide) for guide in guides]


def _write(
    path: Path,
    *,
    dream: _Dream,
    settings: LoopSettings,
    sound: Soundtrack | None,
    recipe: Recipe | None,
    overwrite: bool,
) -> VideoSink:
    cycle = dream.cycle
    text = None if recipe is None else recipe.text
    with VideoSink(
        path,
        size=cycle.size,
        fps=cycle.fps,
        codec=settings.codec,
        bits=settings.bits,
        encoder=settings.encoder,
        crf=settings.crf,
        colors=settings.colors,
        dither=settings.dither,
        max_bytes=settings.max_size,
        sound=sound,
        recipe=text,
        overwrite=overwrite,
    ) as sink:
        places = (index for _ in range(settings.repeat) for index in range(cycle.frames))
        drawn: Callable[[int], Image] = dream.deep_image if sink.encoding.deep else dream.image
        with closing(prefetched(map(drawn, places), _DEPTH)) as images:
            for image in images:
                sink.write(image)
        sink.close()
        if settings.poster:
            poster = Picture(dream.image(0))
            write_picture(poster, _poster(path), overwrite=overwrite, recipe=text)
    return sink


def _poster(target: Path) -> Path:
    return target.with_suffix(".png")


def _notes(sink: VideoSink, settings: LoopSettings, fps: Fraction) -> Iterator[str]:
    """Yield notes on lost quality and on leftovers of an earlier image sequence."""
    if fps > GIF_FPS and format_of(sink.path).muxer == "gif":
        yield f"a GIF shows {GIF_FPS} frames a second at the most: some are left out"
    made = sink.compression
    if (made.crf, made.colors, made.scale) != (settings.crf, settings.colors, 1.0):
        width, height = sink.written_size
        how = {"gif": f" and {made.colors} colours", "apng": ""}
        rest = how.get(format_of(sink.path).muxer, f" and crf {made.crf}")
        yield f"{width}x{height}{rest} to fit {(settings.max_size or 0) / 1e6:g} MB"
    left = left_over(sink.path, sink.frames)
    if left is not None:
        yield left
