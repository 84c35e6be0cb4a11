"""Progress displays for the render of a film."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn

from stream_dream.cli import json_lines
from stream_dream.cli.event_displays import start_film
from stream_dream.cli.events import ChunkEvent, ProgressEvent
from stream_dream.cli.options import complain
from stream_dream.cli.progress import (
    BaseDisplay,
    Drawn,
    SeldomLines,
    figures_column,
    own_console,
)
from stream_dream.film.events import FilmEvents
from stream_dream.film.execution.scheduler import FilmProgress as FilmProgress
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.plan import Chunk
from stream_dream.film.preview import duration
from stream_dream.frame import StreamInfo

STOPPING = "stopping when the chunks in work are done; Ctrl-C stops at once"


class FilmDisplay(BaseDisplay):
    """Base of the displays: prints notes, but no progress."""

    _said_stopping = False

    def started(self, info: StreamInfo) -> None:
        """Show the properties of the source."""

    def events(self) -> FilmEvents:
        """Return the callbacks for the render's progress."""
        return FilmEvents(
            started=self.started,
            planning=self.planning,
            checking=self.checking,
            progress=self.advanced,
            done=self.done,
            measured=self.measured,
            joining=self.joining,
            note=self.note,
        )

    def planning(self, frames: int, total: int | None) -> None:
        """Show how many frames are analysed."""

    def checking(self, chunks: int, total: int) -> None:
        """Show how many finished chunks are checked."""

    def advanced(self, progress: FilmProgress) -> None:
        """Show the film's progress; announce a stop once."""
        if progress.stopping and progress.working and not self._said_stopping:
            self._said_stopping = True
            self.note(f"{progress.failure}; {STOPPING}" if progress.failure else STOPPING)

    def done(self, chunk: Chunk, record: ChunkRecord) -> None:
        """Show that a chunk is finished."""

    def measured(self, workers: int, fps: float) -> None:
        """Print the frame rate measured with ``workers`` workers."""
        self.note(f"{workers} {'worker' if workers == 1 else 'workers'}: {fps:.1f} fps")

    def joining(self) -> None:
        """Show that the chunks are being joined."""

    def note(self, line: str) -> None:
        """Print a line."""
        complain(line)


class FilmJson(FilmDisplay):
    """Prints finished chunks and, about once a second, the progress as events."""

    def __init__(self, source: Path, target: Path | None) -> None:
        """Create the display of a render from a source to a target."""
        super().__init__()
        self._source, self._target = source, target

    def started(self, info: StreamInfo) -> None:
        """Print what the source is."""
        start_film(self._source, self._target, info)

    def planning(self, frames: int, total: int | None) -> None:
        """Print how many frames are analysed, if it is due."""
        event = ProgressEvent(stage="planning", unit="frames", done=frames, total=total)
        json_lines.progress(event)

    def checking(self, chunks: int, total: int) -> None:
        """Print how many chunks were checked, if it is due."""
        event = ProgressEvent(stage="checking", unit="chunks", done=chunks, total=total)
        json_lines.progress(event)

    def advanced(self, progress: FilmProgress) -> None:
        """Print the progress if it is due."""
        super().advanced(progress)
        json_lines.progress(
            ProgressEvent(
                stage="dreaming",
                unit="frames",
                done=progress.frames,
                total=progress.total,
                rate=progress.fps,
                seconds_left=progress.seconds_left,
                chunks_done=progress.chunks_done,
                chunks=progress.chunks,
                working=progress.working,
                retries=progress.retries,
                stopping=progress.stopping,
                failure=progress.failure,
            )
        )

    def done(self, chunk: Chunk, record: ChunkRecord) -> None:
        """Print the record of the chunk."""
        values = asdict(record) | {"shot": chunk.shot, "first": chunk.first}
        json_lines.emit(ChunkEvent(chunk=values.pop("number"), **values))

    def joining(self) -> None:
        """Print that the chunks are being joined."""
        json_lines.progress(ProgressEvent(stage="joining", unit="chunks", done=0, total=None))


class FilmLines(SeldomLines, FilmDisplay):
    """Prints the progress every few seconds."""

    def planning(self, frames: int, total: int | None) -> None:
        """Print the progress if a line is due."""
        self.print_seldom(f"looking for cuts: frame {frames}{f' of {total}' if total else ''}")

    def checking(self, chunks: int, total: int) -> None:
        """Print the progress if a line is due."""
        self.print_seldom(f"checking what is done: chunk {chunks} of {total}")

    def advanced(self, progress: FilmProgress) -> None:
        """Print the progress if a line is due."""
        super().advanced(progress)
        self.print_seldom(f"frame {progress.frames} of {progress.total}, {figures(progress)}")


class FilmBar(Drawn, FilmDisplay):
    """A progress bar."""

    def __init__(self, console: Console) -> None:
        """Draw on a console."""
        super().__init__(console, MofNCompleteColumn(), figures_column())
        self._show("opening", 0, 1)

    def planning(self, frames: int, total: int | None) -> None:
        """Show how many frames are analysed."""
        self._show("looking for cuts", frames, total)

    def checking(self, chunks: int, total: int) -> None:
        """Show how many chunks were checked."""
        self._show("checking what is done", chunks, total)

    def advanced(self, progress: FilmProgress) -> None:
        """Show the film's progress."""
        super().advanced(progress)
        what = "stopping" if progress.stopping else "dreaming"
        what = what if progress.fps or progress.stopping else "preparing"
        self._show(what, progress.frames, progress.total, figures(progress))

    def joining(self) -> None:
        """Show that the chunks are being joined."""
        self._show("joining the chunks", 1, 1)

    def note(self, line: str) -> None:
        """Show a line above the bar."""
        self._progress.console.print(f"stream-dream: {line}", markup=False, highlight=False)

    def _show(self, what: str, done: int, total: int | None, text: str = "") -> None:
        self._progress.update(
            self._task, description=what, completed=done, total=total or done, figures=text
        )


def film_display(source: Path, target: Path | None, *, quiet: bool, as_json: bool) -> FilmDisplay:
    """Return the display that suits the options and the terminal."""
    if as_json:
        return FilmJson(source, target)
    if quiet:
        return FilmDisplay()
    return FilmBar(own_console()) if sys.stderr.isatty() else FilmLines()


def figures(progress: FilmProgress) -> str:
    """Return frame rate, chunks, retries and remaining time as text."""
    parts = [f"{progress.fps:.1f} fps"] if progress.fps else []
    parts.append(f"chunk {progress.chunks_done} of {progress.chunks}")
    if progress.retries:
        parts.append(f"{progress.retries} again")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return ", ".join(parts)
