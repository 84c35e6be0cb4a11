"""Plans a film without rendering it, draws what changes, and estimates the time of its render."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from stream_dream.automation.assemble import Parsed
from stream_dream.automation.program import Program
from stream_dream.errors import SourceError
from stream_dream.film.contact_sheet import ContactSheet, clock
from stream_dream.film.curves.sheet import CurveSheet
from stream_dream.film.events import FilmEvents
from stream_dream.film.execution.autotune import estimated_seconds, measured_fps, sample_of
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.workers import OwnProcess
from stream_dream.film.frame_loop import opened_guides
from stream_dream.film.plan.chunk_reader import SourceExcerpt
from stream_dream.film.plan.plan import Plan, frames_in, make_plan
from stream_dream.film.programming import Programmed, programmed, read_files
from stream_dream.film.request import RenderRequest
from stream_dream.film.rhythm import Rhythm
from stream_dream.frame import Frame
from stream_dream.media.read.video import VideoSource, excerpt_of
from stream_dream.media.write.picture import check_picture_target
from stream_dream.networks.wanted import check_looks
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings, PlanSettings
from stream_dream.settings.output import OutputSettings


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan of a film, its beats, and the estimated time of its render.

    Attributes:
        plan: The plan.
        program: Settings of each frame.
        fps: Frame rate of the film.
        rate: Frames per second that one worker dreams here; None if not measured.
        seconds: Estimated time of the render with one worker; None if not measured.
        rhythm: The beats; None if they were neither given nor looked for.
        late: A line for each key that comes after the end.
    """

    plan: Plan
    program: Program
    fps: Fraction
    rate: float | None
    seconds: float | None
    rhythm: Rhythm | None = None
    late: tuple[str, ...] = ()

    def shots(self) -> Iterator[tuple[int, str, float, int, int]]:
        """Yield number (from 0), start time, seconds, frames and number of chunks of each shot."""
        for number, group in groupby(self.plan.chunks, key=lambda chunk: chunk.shot):
            chunks = list(group)
            frames = sum(chunk.frames for chunk in chunks)
            begins = clock(chunks[0].first / self.fps)
            yield number, begins, float(frames / self.fps), frames, len(chunks)

    def in_words(self) -> Iterator[str]:
        """Yield the totals, the beats and the estimate, as far as known, as lines of text."""
        plan = self.plan
        frames = "1 frame" if plan.frames == 1 else f"{plan.frames} frames"
        length = clock(plan.frames / self.fps)
        yield f"{frames} ({length}), shots: {plan.shots}, chunks: {len(plan.chunks)}"
        if self.rhythm is not None:
            yield from self.rhythm.in_words()
        if self.rate is not None and self.seconds is not None:
            yield f"about {duration(self.seconds)} with one worker here ({self.rate:.1f} fps)"

    def to_json(self) -> dict[str, Any]:
        """Return the preview and its plan as JSON data."""
        return {
            "frames": self.plan.frames,
            "shots": self.plan.shots,
            "fps": float(self.fps),
            "measured_fps": self.rate,
            "estimated_seconds": self.seconds,
            **(self.rhythm or Rhythm(confidence=None)).to_json(),
            "clipped": self.program.clipped,
            "late": list(self.late),
            **asdict(self.plan),
        }


def preview(
    source: Path,
    dream: DreamSettings,
    settings: PlanSettings,
    automation: Automation | None = None,
    *,
    look_names: Sequence[str] = (),
    sheet: Path | None = None,
    curves: Path | None = None,
    overwrite: bool = False,
    events: FilmEvents | None = None,
) -> Preview:
    """Plan a film, and dream a few of its frames to estimate the time of its render.

    Args:
        source: A video file.
        dream: Settings of the dream.
        settings: Excerpt, length of chunks, whether to estimate, and whether to check networks and
            guides.
        automation: What changes over time; None for nothing.
        look_names: Names of the looks of ``automation``, for the curve sheet.
        sheet: Path of a contact sheet to write; None for none.
        curves: Path of a curve sheet to write; None for none.
        overwrite: True to replace existing sheets.
        events: Callbacks for progress.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: One line says why.
    """
    events = events or FilmEvents()
    request = _request_of(source, dream, settings, automation or Automation())
    check_sheets([sheet, curves], [*request.inputs.values()], overwrite=overwrite)
    looks = request.automation.looks or (dream,)
    if settings.check:
        _check(looks)
    if request.is_piped:
        raise SourceError("a plan reads a film more than once: give a file, not standard input")
    with excerpt_of(source, settings, fps=settings.fps) as opened:
        info = opened.info
        contacts = ContactSheet(info) if sheet is not None else None
        curve_sheet = CurveSheet(request, info, look_names) if curves is not None else None

        def look(frame: Frame) -> None:
            events.planning(frame.index + 1, info.frame_count)
            if contacts is not None:
                contacts.look(frame)
            if curve_sheet is not None:
                curve_sheet.look(frame)

        named = read_files(request, opened)  # before the film, which takes a while
        plan = make_plan(
            opened, frames_in(settings.chunk_seconds, info), cuts=dream.cuts, on_frame=look
        )
        if contacts is not None and sheet is not None:
            contacts.write(sheet, overwrite=overwrite)
        made = programmed(request, opened, plan, listen=_listens(request, settings, curves))
        program = made.program
        values = program.values(0, plan.frames)
        if curve_sheet is not None and curves is not None:
            curve_sheet.write(curves, plan, made, values, named, overwrite=overwrite)
        rate = _measured(opened, plan, request, made) if settings.estimate else None
    seconds = None if rate is None else estimated_seconds(plan, dream.warm_up, rate)
    late = tuple(Parsed.of(request.automation).late_keys(made.timeline))
    return Preview(plan, program, info.fps, rate, seconds, made.rhythm, late)


def check_sheets(sheets: Sequence[Path | None], inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse pictures that cannot be written. Raises ``SinkError``."""
    wanted = [sheet for sheet in sheets if sheet is not None]
    for number, sheet in enumerate(wanted):
        others = wanted[:number]
        check_picture_target(sheet, overwrite=overwrite, inputs=inputs, outputs=others)


def duration(seconds: float) -> str:
    """Format a duration as ``45 s``, ``12 min``, ``3 h 20 min`` or ``2 d 4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _check(looks: Sequence[DreamSettings]) -> None:
    """Check what looks want of their networks, and their guides, without dreaming."""
    check_looks(looks)
    with opened_guides(looks) as guides:
        for guide in guides:
            next(guide.images(), None)


def _request_of(
    source: Path, dream: DreamSettings, settings: PlanSettings, automation: Automation
) -> RenderRequest:
    shared = settings.model_dump(include={*OutputSettings.model_fields})
    output = OutputSettings().model_copy(update=shared)
    film = FilmSettings(chunk_seconds=settings.chunk_seconds)
    return RenderRequest(source, Path("sample.mp4"), dream, output, film, automation)


def _listens(request: RenderRequest, settings: PlanSettings, curves: Path | None) -> bool:
    """Return whether sound is analysed although nothing follows it: to show it."""
    automation = request.automation
    asked = curves is not None or automation.react is not None or automation.soundtrack is not None
    return asked and not settings.check


def _measured(source: VideoSource, plan: Plan, request: RenderRequest, made: Programmed) -> float:
    workers = OwnProcess()
    chunk = sample_of(plan)
    task = ChunkTask(
        chunk=chunk,
        source=SourceExcerpt.of(source),
        info=source.info,
        target=request.target,
        program=made.program.part(chunk.first, chunk.first + chunk.frames),
        output=request.output,
        folder=Path(),  # measured_fps gives each slot a folder of its own
    )
    waits = True
    try:
        return measured_fps(workers, task)
    except KeyboardInterrupt:
        waits = False  # ends after the current frame
        raise
    finally:
        workers.close(wait=waits)
