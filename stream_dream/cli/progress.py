"""What a render shows on the terminal while it works."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.runtime.standard_streams import forgiving
from stream_dream.settings.dream import DreamSettings

if TYPE_CHECKING:
    from stream_dream.dream.iterative_ascent import Step

_LINE_SECONDS = 10.0


class BaseDisplay:
    """What is shown for as long as a ``with`` block lasts: nothing."""

    def __enter__(self) -> Self:
        """Open the display."""
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was."""


class Display(BaseDisplay):
    """Follows a render and shows nothing of it; use it, and what derives from it, in a ``with``."""

    def started(self, info: StreamInfo) -> None:
        """Show what is known of the source."""

    def advanced(self, report: FrameReport) -> None:
        """Show the report on one frame."""


class JsonLines(Display):
    """Prints each report as one line of JSON on standard output."""

    def advanced(self, report: FrameReport) -> None:
        """Print it."""
        print_json(asdict(report))


class SeldomLines:
    """Prints a line every few seconds: for logs, where a bar would be noise."""

    def __init__(self) -> None:
        """Start with nothing printed."""
        super().__init__()
        self._printed = time.monotonic()

    def print_seldom(self, line: str) -> None:
        """Print a line if the last one is a while ago."""
        now = time.monotonic()
        if now - self._printed >= _LINE_SECONDS:
            self._printed = now
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


class Lines(SeldomLines, Display):
    """Prints the number of the frame and the frame rate every few seconds."""

    def __init__(self) -> None:
        """Start without a frame."""
        super().__init__()
        self._total: int | None = None
        self._begun = self._printed

    def started(self, info: StreamInfo) -> None:
        """Remember the number of frames."""
        self._total = info.frame_count
        self._begun = self._printed = time.monotonic()

    def advanced(self, report: FrameReport) -> None:
        """Print a line if the last one is a while ago."""
        now = time.monotonic()
        if report.index == 0:
            self._begun = now  # it takes long and would spoil the rate
        total = f" of {self._total}" if self._total else ""
        rate = report.index / (now - self._begun) if report.index else 0.0
        self.print_seldom(f"frame {report.index + 1}{total}, {rate:.1f} fps")


class Drawn(BaseDisplay):
    """A bar on a console, whose file is closed at the end."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        """Draw on a console; the columns stand behind the bar."""
        super().__init__()
        self._progress = Progress(
            # Of characters that the terminal has.
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
        """Draw on a console."""
        super().__init__(console, MofNCompleteColumn(), figures_column(), TimeRemainingColumn())
        self._begun: float | None = None

    def started(self, info: StreamInfo) -> None:
        """Set the bar's length to the number of frames."""
        self._progress.update(self._task, total=info.frame_count)

    def advanced(self, report: FrameReport) -> None:
        """Move on by one frame."""
        now = time.monotonic()
        if self._begun is None:
            # The first frame takes long (tracing, warming up) and would spoil the rate.
            self._begun = now
        rate = report.index / (now - self._begun) if report.index else 0.0
        loss = "" if report.loss is None else f"  loss {report.loss:.3g}"
        self._progress.update(
            self._task, advance=1, description="dreaming", figures=f"{rate:.1f} fps{loss}"
        )


def display(*, quiet: bool, as_json: bool) -> Display:
    """Choose what to show."""
    if as_json:
        return JsonLines()
    if quiet:
        return Display()
    if not sys.stderr.isatty():
        return Lines()
    return Bar(own_console())


class PictureDisplay(BaseDisplay):
    """Follows the dreaming of pictures and shows nothing of it; use it in a ``with``."""

    def started(self, name: str, count: int) -> None:
        """Show that the next of ``count`` pictures has begun."""

    def advanced(self, step: Step) -> None:
        """Show one more step of the current picture."""


class PictureBar(Drawn, PictureDisplay):
    """A progress bar over all pictures, with the present one's octave, size and loss."""

    def __init__(self, console: Console) -> None:
        """Draw on a console."""
        super().__init__(console, figures_column(), TimeRemainingColumn())
        self._begun = 0

    def started(self, name: str, count: int) -> None:
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
        """Move on by one step; larger octaves take longer."""
        if step.finished:
            return
        height, width = step.image.shape[:2]
        self._progress.update(
            self._task,
            completed=self._begun - 1 + step.share_done,
            figures=f"octave {step.octave + 1} of {step.octaves}, {width}x{height}, "
            f"loss {step.loss:.3g}",
        )


def picture_display(*, quiet: bool) -> PictureDisplay:
    """Choose what to show of pictures: a bar on a terminal."""
    return PictureDisplay() if quiet or not sys.stderr.isatty() else PictureBar(own_console())


def fetch_weights(dream: DreamSettings, *, quiet: bool) -> None:
    """Download the network's weights if they are not there yet, before anything is drawn."""
    if dream.weights is not None:
        return
    from stream_dream.networks import registry

    spec = registry.find(dream.network)
    if spec.fetch is None:
        return
    # Keras shows its own progress, on standard output, which may be a pipe of JSON.
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere if quiet else sys.stderr),
        _download_display(quiet=quiet) as on_progress,
    ):
        spec.fetch(on_progress)


@contextmanager
def _download_display(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show a download: give what is to be told (file name, bytes so far, bytes in all or 0)."""
    if quiet:
        yield lambda name, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    progress = Progress(
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


def print_json(data: object) -> None:
    """Print a line, for as long as anybody reads: ``| head`` must not cost the film."""
    try:
        sys.stdout.write(json.dumps(data) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def own_console() -> Console:
    """Return a console for what moves, on standard error."""
    # A descriptor of its own: 2 is held back while TensorFlow is imported, and the bar must move.
    return Console(file=forgiving(io.FileIO(os.dup(2), "w"), encoding=sys.stderr.encoding))


def figures_column() -> TextColumn:
    """Return the column of a bar's figures."""
    return TextColumn("{task.fields[figures]}")
