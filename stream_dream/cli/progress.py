"""Progress displays: nothing, JSON, lines or a bar."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from stream_dream.cli import json_lines
from stream_dream.cli.events import ProgressEvent
from stream_dream.errors import StreamDreamError
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.runtime.progress import Progress
from stream_dream.runtime.standard_streams import forgiving
from stream_dream.settings.dream import DreamSettings

if TYPE_CHECKING:
    from stream_dream.dream.iterative_ascent import Step

_LINE_SECONDS = 10.0


class BaseDisplay:
    """A display, open during a ``with`` block, that shows nothing."""

    def __enter__(self) -> Self:
        """Open the display."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the display and restore the terminal."""


class Display(BaseDisplay):
    """Base of the displays for a render; shows nothing."""

    def started(self, info: StreamInfo) -> None:
        """Show the properties of the source."""

    def advanced(self, report: FrameReport) -> None:
        """Show the report on one frame."""

    def progressed(self, progress: Progress) -> None:
        """Show how far the render is."""


class SeldomLines:
    """Prints a line every few seconds: for logs, where a bar would be noise."""

    def __init__(self) -> None:
        """Create the display."""
        super().__init__()
        self._printed = time.monotonic()

    def print_seldom(self, line: str) -> None:
        """Print a line if ten seconds have passed since the last one."""
        now = time.monotonic()
        if now - self._printed >= _LINE_SECONDS:
            self._printed = now
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


class Lines(SeldomLines, Display):
    """Prints frame number and frame rate every few seconds."""

    def started(self, info: StreamInfo) -> None:
        """Store the number of frames."""
        self._total = info.frame_count
        self._begun = self._printed = time.monotonic()

    def advanced(self, report: FrameReport) -> None:
        """Print frame number and rate if a line is due."""
        now = time.monotonic()
        if report.index == 0:
            self._begun = now  # it takes long and would distort the rate
        total = f" of {self._total}" if self._total else ""
        rate = report.index / (now - self._begun) if report.index else 0.0
        self.print_seldom(f"frame {report.index + 1}{total}, {rate:.1f} fps")


class Drawn(BaseDisplay):
    """A progress bar on a console; closes the file of the console."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        """Create a bar on a console, with columns to its right."""
        super().__init__()
        self._progress = RichProgress(
            # In characters that the terminal has.
            SpinnerColumn("line" if console.options.ascii_only else "dots"),
            TextColumn("{task.description}"),
            BarColumn(),
            *columns,
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("preparing the network", total=None, figures="")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the bar."""
        self._progress.stop()
        self._progress.console.file.close()


class Bar(Drawn, Display):
    """A progress bar with frame, frame rate, time left and loss."""

    def __init__(self, console: Console) -> None:
        """Create a bar on a console."""
        super().__init__(console, MofNCompleteColumn(), figures_column(), TimeRemainingColumn())
        self._begun: float | None = None

    def started(self, info: StreamInfo) -> None:
        """Set the bar's length to the number of frames."""
        self._progress.update(self._task, total=info.frame_count)

    def advanced(self, report: FrameReport) -> None:
        """Advance by one frame."""
        now = time.monotonic()
        if self._begun is None:
            # The first frame takes long (tracing, warm-up) and would distort the rate.
            self._begun = now
        rate = report.index / (now - self._begun) if report.index else 0.0
        loss = "" if report.loss is None else f"  loss {report.loss:.3g}"
        self._progress.update(
            self._task, advance=1, description="dreaming", figures=f"{rate:.1f} fps{loss}"
        )


class PictureDisplay(BaseDisplay):
    """Base of the displays for pictures; shows nothing."""

    def started(
        self, name: str, count: int, source: Path | None = None, target: Path | None = None
    ) -> None:
        """Show that the next of ``count`` pictures has begun."""

    def advanced(self, step: Step) -> None:
        """Show one more step of the current picture."""

    def ended(self, result: Path | StreamDreamError | None) -> None:
        """Show that the current picture is done, or why it is not."""


class PictureBar(Drawn, PictureDisplay):
    """A progress bar over all pictures, with the current one's octave, size and loss."""

    def __init__(self, console: Console) -> None:
        """Create a bar on a console."""
        super().__init__(console, figures_column(), TimeRemainingColumn())
        self._begun = 0

    def started(
        self, name: str, count: int, source: Path | None = None, target: Path | None = None
    ) -> None:
        """Show the next picture."""
        number = f" ({self._begun + 1} of {count})" if count > 1 else ""
        self._progress.update(
            self._task,
            total=count,
            completed=self._begun,
            description=f"{name}{number}",
            figures="",
        )
        self._begun += 1

    def advanced(self, step: Step) -> None:
        """Advance by one step; larger octaves take longer."""
        if step.finished:
            return
        height, width = step.image.shape[:2]
        self._progress.update(
            self._task,
            completed=self._begun - 1 + step.share_done,
            figures=f"octave {step.octave + 1} of {step.octaves}, {width}x{height}, "
            f"loss {step.loss:.3g}",
        )


def fetch_weights(dream: DreamSettings, *, quiet: bool) -> None:
    """Download the network's weights if they are missing; call it before a bar is drawn."""
    if dream.weights is not None:
        return
    from stream_dream.networks import registry

    spec = registry.find(dream.network)
    if spec.fetch is None:
        return
    # Keras prints its progress on standard output, which may be a pipe of JSON.
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere if quiet else sys.stderr),
        _download_display(quiet=quiet) as on_progress,
    ):
        spec.fetch(on_progress)


@contextmanager
def _download_display(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield the callback for a download: (file name, bytes so far, total bytes or 0)."""

    def report(name: str, done: int, total: int) -> None:
        json_lines.progress(
            ProgressEvent(stage="downloading", unit="bytes", done=done, total=total or None)
        )

    if quiet or json_lines.wanted():
        yield report
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    progress = RichProgress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )
    tasks: dict[str, TaskID] = {}

    def on_progress(name: str, done: int, total: int) -> None:
        if name not in tasks:
            progress.start()
            tasks[name] = progress.add_task(f"downloading {name}")
        progress.update(tasks[name], completed=done, total=total or None)

    try:
        yield on_progress
    finally:
        if tasks:
            progress.stop()


def own_console() -> Console:
    """Return a console for progress bars, on standard error."""
    # A copy of descriptor 2, which is redirected while TensorFlow is imported: the bar moves on.
    return Console(file=forgiving(io.FileIO(os.dup(2), "w"), encoding=sys.stderr.encoding))


def figures_column() -> TextColumn:
    """Return the column for a bar's figures."""
    return TextColumn("{task.fields[figures]}")
