"""Plans a film without rendering it, and estimates the time of its render."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from stream_dream.automation.program import Program
from stream_dream.film.contact_sheet import ContactSheet, clock
from stream_dream.film.events import FilmEvents
from stream_dream.film.execution.autotune import estimated_seconds, measured_fps, sample_of
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.workers import OwnProcess
from stream_dream.film.plan.chunk_reader import SourceExcerpt
from stream_dream.film.plan.plan import Plan, frames_in, make_plan
from stream_dream.frame import Frame
from stream_dream.media.read.video import VideoSource, excerpt_of
from stream_dream.media.write.picture import check_picture_target
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files
from stream_dream.settings.film import PlanSettings
from stream_dream.settings.output import OutputSettings


@dataclass(frozen=True, slots=True)
class Preview:
    """The plan of a film, and the estimated time of its render.

    Attributes:
        plan: The plan.
        fps: Frame rate of the film.
        rate: Frames per second that one worker dreams here; None if not measured.
        seconds: Estimated time of the render with one worker; None if not measured.
    """

    plan: Plan
    fps: Fraction
    rate: float | None
    seconds: float | None

    def shots(self) -> Iterator[tuple[int, str, float, int, int]]:
        """Yield number (from 0), start time, seconds, frames and number of chunks of each shot."""
        for number, group in groupby(self.plan.chunks, key=lambda chunk: chunk.shot):
            chunks = list(group)
            frames = sum(chunk.frames for chunk in chunks)
            begins = clock(chunks[0].first / self.fps)
            yield number, begins, float(frames / self.fps), frames, len(chunks)

    def in_words(self) -> Iterator[str]:
        """Yield the totals, and the estimate if there is one, as lines of text."""
        plan = self.plan
        yield (
            f"{plan.frames} frames ({clock(plan.frames / self.fps)}), shots: {plan.shots}, "
            f"chunks: {len(plan.chunks)}"
        )
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
            **asdict(self.plan),
        }


def preview(
    source: Path,
    dream: DreamSettings,
    settings: PlanSettings,
    *,
    sheet: Path | None = None,
    overwrite: bool = False,
    events: FilmEvents | None = None,
) -> Preview:
    """Plan a film, and dream a few of its frames to estimate the time of its render.

    Args:
        source: A video file.
        dream: Settings of the dream.
        settings: Excerpt, length of chunks, and whether to estimate.
        sheet: Path of a contact sheet to write; None for none.
        overwrite: True to replace an existing sheet.
        events: Callbacks for progress.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: One line says why.
    """
    events = events or FilmEvents()
    if sheet is not None:
        inputs = [source, *named_files(dream).values()]
        check_picture_target(sheet, overwrite=overwrite, inputs=inputs)
    with excerpt_of(source, settings) as opened:
        info = opened.info
        drawn = ContactSheet(info) if sheet is not None else None

        def look(frame: Frame) -> None:
            events.planning(frame.index + 1, info.frame_count)
            if drawn is not None:
                drawn.look(frame)

        frames = frames_in(settings.chunk_seconds, info)
        plan = make_plan(opened, frames, cuts=dream.cuts, on_frame=look)
        if drawn is not None and sheet is not None:
            drawn.write(sheet, overwrite=overwrite)
        rate = _measured(opened, plan, dream) if settings.estimate else None
    seconds = None if rate is None else estimated_seconds(plan, dream.warm_up, rate)
    return Preview(plan, info.fps, rate, seconds)


def duration(seconds: float) -> str:
    """Format a duration as ``45 s``, ``12 min``, ``3 h 20 min`` or ``2 d 4 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _measured(source: VideoSource, plan: Plan, dream: DreamSettings) -> float:
    workers = OwnProcess()
    task = ChunkTask(
        chunk=sample_of(plan),
        source=SourceExcerpt.of(source),
        info=source.info,
        target=Path("sample.mp4"),
        program=Program((dream,)),
        output=OutputSettings(),
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
