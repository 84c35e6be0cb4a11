"""Dreams picture files, building the network once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_dream.automation.assemble import Parsed, assemble, beats_of
from stream_dream.automation.moment import Moment
from stream_dream.automation.program import Program
from stream_dream.automation.timeline import Timeline
from stream_dream.errors import (
    Interrupted,
    SettingsError,
    SinkError,
    SourceError,
    StreamDreamError,
)
from stream_dream.frame import Image8
from stream_dream.media.read.guide import guide_images
from stream_dream.media.read.picture import Picture, read_picture, visible_image
from stream_dream.media.write.output_paths import (
    check_target,
    existing,
    interrupted_name,
    make_folder,
)
from stream_dream.media.write.picture import (
    check_picture_size,
    check_picture_target,
    write_picture,
)
from stream_dream.runtime.cancel import cancellable, check_cancelled
from stream_dream.runtime.progress import Progress, ProgressMeter, ignore_progress
from stream_dream.runtime.quiet import hushed
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files
from stream_dream.settings.output import StillSettings
from stream_dream.settings.recipe import Recipe
from stream_dream.still.jobs import StillJob, list_jobs, other_files
from stream_dream.still.timelapse import filmed, laid_over, octave_files, write_octave

if TYPE_CHECKING:
    from stream_dream.dream.iterative_ascent import Step
    from stream_dream.still.dreamer import StillDreamer


_FPS = Fraction(25)


@dataclass(slots=True)
class StillsSummary:
    """Result of ``dream_stills``.

    Attributes:
        written: The files that were written, under their final names.
        skipped: Targets that existed already.
        failed: One line for each picture that could not be dreamed.
        left_out: Other files in the input folders: films, texts and the like.
        clipped: One line on values that were clipped to their range; None if none were.
        seconds: Wall time.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    clipped: str | None = None
    seconds: float = 0.0


@cancellable
def dream_stills(
    inputs: Sequence[Path],
    output: Path,
    dream: DreamSettings,
    still: StillSettings,
    automation: Automation | None = None,
    *,
    overwrite: bool = False,
    read: Sequence[Path] = (),
    recipe: Recipe | None = None,
    on_picture: Callable[[StillJob, int], None] = lambda job, count: None,
    on_step: Callable[[Step], None] = lambda step: None,
    on_result: Callable[[StillJob, Path | StreamDreamError], None] = lambda job, result: None,
    on_progress: Callable[[Progress], None] = ignore_progress,
    cancel: threading.Event | None = None,
) -> StillsSummary:
    """Dream one or many pictures.

    A single picture that cannot be dreamed is an error; one of many is noted, and the rest go on.

    Args:
        inputs: Pictures and folders of pictures.
        output: A picture for one picture, else a folder, created if missing.
        dream: How to dream.
        still: How to write.
        automation: What changes from picture to picture, whose numbers are those of frames; None
            for nothing.
        overwrite: True to replace existing files; else, of several, they are skipped.
        read: Inputs beside the pictures and the files that the settings name.
        recipe: What each result carries as its recipe, with its own source; None for none.
        on_picture: Called before each picture with its job and the number of pictures.
        on_step: Called after each step.
        on_result: Called after each picture with its job and the file that was written, or the
            error that it has met.
        on_progress: Called after each step and picture with how many pictures are done.
        cancel: Ends the work once it is set, as Ctrl-C does; None for never.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: With one clear line.
        Interrupted: On Ctrl-C or ``cancel``; finished work is kept, and the message says where.
    """
    begun = time.perf_counter()
    jobs = list_jobs(inputs, output)
    summary = StillsSummary(left_out=[other for given in inputs for other in other_files(given)])
    automation = automation or Automation()
    program = _program(dream, still, automation, len(jobs))
    numbers = {job.target: place for place, job in enumerate(jobs)}
    many = len(jobs) > 1 or jobs[0].target != output
    if len(jobs) > 1 and (still.out or still.progress_dir):
        raise SinkError("--out and --progress-dir are for one picture", exit_code=2)
    if many:
        make_folder(output)
        if not overwrite:
            summary.skipped = [job.target for job in jobs if existing(job.target)]
            jobs = [job for job in jobs if job.target not in summary.skipped]
    if still.progress_dir is not None:
        make_folder(still.progress_dir)
    read = [*inputs, *read, *program.files.values(), *_files_of(automation)]
    octaves = [program.at(numbers[job.target]).dream.octaves for job in jobs]
    _check_outputs(jobs, octaves, still, read, overwrite=overwrite)
    meter = ProgressMeter(on_progress)
    meter.begin(len(jobs))

    def follow(step: Step) -> None:
        on_step(step)
        meter.advance(len(summary.written) + len(summary.failed) + step.share_done)
        check_cancelled()

    worker = _Worker(program, still, overwrite, follow, recipe)
    for job in jobs:
        picture = worker.newest = None
        try:
            on_picture(job, len(jobs))
            picture = read_picture(job.source)
            summary.written.append(worker(job, picture, program.at(numbers[job.target])))
            on_result(job, summary.written[-1])
        except KeyboardInterrupt as stop:
            notes = getattr(stop, "__notes__", [])
            said = [worker.keep(job, picture, summary), *notes]
            raise Interrupted("; ".join(said)) from None
        except (SourceError, SinkError) as error:
            on_result(job, error)
            if not many:
                raise
            summary.failed.append(str(error))
        meter.advance(len(summary.written) + len(summary.failed))
    summary.clipped = program.clipped
    summary.seconds = time.perf_counter() - begun
    return summary


def _files_of(automation: Automation) -> list[Path]:
    return [*named_files(automation).values(), *automation.more_files.values()]


def _check_outputs(
    jobs: Sequence[StillJob],
    counts: Sequence[int],
    still: StillSettings,
    read: Sequence[Path],
    *,
    overwrite: bool,
) -> None:
    """Reject outputs that cannot be written, before any work is done. Raises ``SinkError``.

    ``counts`` are the numbers of octaves of the pictures.
    """
    inputs = [*(job.source for job in jobs), *read]
    for job, count in zip(jobs, counts, strict=True):
        octaves = octave_files(still.progress_dir, job.source, count)
        check_picture_target(job.target, overwrite=overwrite, inputs=inputs, outputs=octaves)
        if still.out is not None:
            outputs = [job.target, *octaves]
            check_target(still.out, overwrite=overwrite, inputs=inputs, outputs=outputs)
        for path in octaves:
            check_picture_target(path, overwrite=overwrite, inputs=inputs)


@dataclass(slots=True)
class _Worker:
    """Dreams and writes one picture after the other.

    Attributes:
        program: How to dream each picture.
        still: How to write.
        overwrite: True to replace existing files.
        on_step: Called after each step.
        recipe: What each result carries, with its own source.
        dreamers: Those of the looks used last, by number.
        newest: Last step of the present picture; None before its first.
        strength: How much of the present picture's dream is shown.
    """

    program: Program
    still: StillSettings
    overwrite: bool
    on_step: Callable[[Step], None]
    recipe: Recipe | None = None
    dreamers: dict[int, StillDreamer] = field(default_factory=dict)
    newest: Step | None = None
    strength: float = 1.0

    def __call__(self, job: StillJob, picture: Picture, moment: Moment) -> Path:
        source = visible_image(picture)
        height, width = source.shape[:2]
        check_picture_size(job.target, (width, height))
        dreamer = self._dreamer_of(moment.look)
        self.strength = strength = moment.strength
        overwrite, folder = self.overwrite, self.still.progress_dir
        recipe = self._recipe_of(job)
        with filmed(self.still.out, source, overwrite, strength=strength, recipe=recipe) as film:

            def follow(step: Step) -> None:
                self.newest = step
                self.on_step(step)
                if folder is not None and step.finished:
                    write_octave(
                        step,
                        folder,
                        job.source,
                        strength=strength,
                        overwrite=overwrite,
                        recipe=recipe,
                    )
                if film is not None:
                    film(step)

            dream = dreamer(source, follow, settings=moment.dream, strength=strength)
            if film is not None:
                film.hold(dream)
        return self._write(dream, picture, job.target, recipe)

    def _recipe_of(self, job: StillJob) -> str | None:
        return None if self.recipe is None else self.recipe.with_source(job.source.name).text

    def _dreamer_of(self, look: int) -> StillDreamer:
        """Return the dreamer of a look, built of the look itself.

        The weights of its first picture may all be 0.
        """
        with hushed():
            from stream_dream.dream.look_ascents import LOOKS_KEPT

        dreamer = self.dreamers.pop(look, None)
        while dreamer is None and len(self.dreamers) >= LOOKS_KEPT:
            del self.dreamers[next(iter(self.dreamers))]
        if dreamer is None:
            varying = "weights" in self.program.varying
            dreamer = _dreamer(self.program.looks[look], varying=varying)
        self.dreamers[look] = dreamer  # as the last one used
        return dreamer

    def keep(self, job: StillJob, picture: Picture | None, summary: StillsSummary) -> str:
        """Write an interrupted picture as far as it got; return a message with its path."""
        others = f"; {len(summary.written)} are done" if summary.written else ""
        if self.newest is None or picture is None:
            return f"interrupted before the first step of {job.source}: nothing was written{others}"
        grown = laid_over(visible_image(picture), self.newest, strength=self.strength)
        recipe, name = self._recipe_of(job), interrupted_name(job.target)
        kept = self._write(grown, picture, name, recipe, overwrite=False)
        return f"interrupted: {job.source} as far as it came is in {kept}{others}"

    def _write(
        self,
        dream: Image8,
        picture: Picture,
        target: Path,
        recipe: str | None,
        *,
        overwrite: bool | None = None,
    ) -> Path:
        if picture.alpha is not None:
            # Fully transparent pixels keep their hidden colours.
            dream = np.where(picture.alpha[..., None] == 0, picture.image, dream)
        return write_picture(
            replace(picture, image=dream),
            target,
            overwrite=self.overwrite if overwrite is None else overwrite,
            quality=self.still.quality,
            recipe=recipe,
        )


def _program(
    dream: DreamSettings, still: StillSettings, automation: Automation, count: int
) -> Program:
    """Return the settings of each picture; to keys in seconds, 25 pictures are a second.

    Raises:
        SettingsError: What changes is not understood, needs sound, or cannot be computed.
    """
    if Parsed.of(automation).needs_sound(automation):
        raise SettingsError("pictures have no sound to react to: leave out what follows it")
    timeline = Timeline(_FPS, count, beats=beats_of(automation))
    program = assemble(dream, automation, timeline, {}, strength=still.strength)
    program.check(count)
    return program


def _dreamer(settings: DreamSettings, *, varying: bool) -> StillDreamer:
    # Imported late: a wrong path is reported before TensorFlow is loaded.
    with hushed():
        from stream_dream.still.dreamer import StillDreamer

    dreamer = StillDreamer(settings, varying=varying)
    if dreamer.guide is not None and settings.guide is not None:
        dreamer.guide.show(next(guide_images(settings.guide)))
    return dreamer
