"""Displays of ``--json``: they print events."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.cli import json_lines
from stream_dream.cli.events import (
    FrameEvent,
    ItemFailedEvent,
    ItemFinishedEvent,
    ItemStartedEvent,
    Kind,
    ProgressEvent,
)
from stream_dream.cli.progress import Display, PictureDisplay
from stream_dream.errors import StreamDreamError
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.runtime.progress import Progress, ProgressMeter

if TYPE_CHECKING:
    from stream_dream.dream.iterative_ascent import Step


class JsonLines(Display):
    """Prints each report, and seldom the progress, as events."""

    def __init__(self, source: Path, target: Path) -> None:
        """Create the display of a render from a source to a target."""
        super().__init__()
        self._source, self._target = source, target

    def started(self, info: StreamInfo) -> None:
        """Print what the source is."""
        start_film(self._source, self._target, info)

    def advanced(self, report: FrameReport) -> None:
        """Print the report."""
        json_lines.emit(FrameEvent(**asdict(report)))

    def progressed(self, progress: Progress) -> None:
        """Print how far the render is, if it is due."""
        json_lines.progress(ProgressEvent(stage="dreaming", unit="frames", **asdict(progress)))


class PictureJson(PictureDisplay):
    """Prints pictures, or the looks of a sheet, and seldom the progress as events."""

    def __init__(self, kind: Kind, source: Path) -> None:
        """Create the display; ``source`` is that of items that have none of their own."""
        super().__init__()
        self._kind, self._source = kind, source
        self._number = 0
        self._meter = ProgressMeter(self._reached)

    def started(
        self, name: str, count: int, source: Path | None = None, target: Path | None = None
    ) -> None:
        """Print which picture begins."""
        self._number += 1
        self._begun = time.monotonic()
        self._item: dict[str, Any] = {
            "kind": self._kind,
            "number": self._number,
            "name": name,
            "source": str(source or self._source),
            "target": None if target is None else str(target),
        }
        self._meter.begin(count)
        json_lines.emit(ItemStartedEvent(total=count, **self._item))

    def advanced(self, step: Step) -> None:
        """Print the progress if it is due."""
        if not step.finished:
            self._meter.advance(self._number - 1 + step.share_done)

    def ended(self, result: Path | StreamDreamError | None) -> None:
        """Print that it is done, or why it is not."""
        self._meter.advance(self._number)
        if isinstance(result, StreamDreamError):
            code = result.exit_code
            json_lines.emit(ItemFailedEvent(message=str(result), exit_code=code, **self._item))
            return
        self._item["target"] = None if result is None else str(result)
        seconds = time.monotonic() - self._begun
        json_lines.emit(ItemFinishedEvent(seconds=seconds, **self._item))

    def _reached(self, progress: Progress) -> None:
        unit: Any = f"{self._kind}s"
        json_lines.progress(ProgressEvent(stage="dreaming", unit=unit, **asdict(progress)))


def start_film(source: Path, target: Path | None, info: StreamInfo) -> None:
    """Print what a source is as an event."""
    json_lines.start([source], target, size=info.size, fps=info.fps, frames=info.frame_count)
