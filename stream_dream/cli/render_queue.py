"""Films that ``stream-dream render`` dreams one after the other, and what it prints of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.events import (
    ItemFailedEvent,
    ItemFinishedEvent,
    ItemSkippedEvent,
    ItemStartedEvent,
)
from stream_dream.cli.options import complain, counted

if TYPE_CHECKING:
    from stream_dream.film.queued_films import QueuedFilm
    from stream_dream.film.render_queue import QueueEvents, QueueSummary, Render, Rendered
    from stream_dream.settings.output import OutputSettings

FilmFormat = Literal["mp4", "mov", "mkv", "webm", "gif", "webp", "apng"]
"""Formats that all dreams of several films may have."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Several films to render.

    Attributes:
        inputs: Films and folders.
        folder: The folder of the dreams.
        output: Settings of the output.
        format: Format of all dreams; None for those of their sources.
        watch: True to render what arrives in the input, too.
        overwrite: True to replace existing files.
        resume: True to continue films that were begun.
        quiet: True to print warnings and errors only.
        as_json: True to print events as JSON.
    """

    inputs: Sequence[Path]
    folder: Path
    output: OutputSettings
    format: FilmFormat | None
    watch: bool
    overwrite: bool
    resume: bool
    quiet: bool
    as_json: bool


def render_queue(wanted: Queued, render: Render) -> None:
    """Render several films, each by a call of ``render``; exit with 1 if some failed."""
    # Imported late: --help does not wait for OpenCV.
    from stream_dream.film.queued_films import list_films, target_of
    from stream_dream.film.render_queue import RenderQueue, prepare_folder
    from stream_dream.film.watch import check_watched

    inputs, folder, quiet = wanted.inputs, wanted.folder, wanted.quiet
    suffix = None if wanted.format is None else f".{wanted.format}"
    films: list[QueuedFilm] = []
    left_out = 0
    if wanted.watch:
        check_watched(inputs, folder)
        target_of(inputs[0] / "film.mp4", folder, wanted.output, suffix)  # refuses what never fits
    else:
        films = list_films(inputs, folder, wanted.output, suffix)
    prepare_folder(folder)
    json_lines.start(inputs, folder, items=None if wanted.watch else len(films))
    if not wanted.watch:
        left_out = _report_left_out(inputs)
    events = _events(quiet=quiet, as_json=wanted.as_json)
    with RenderQueue(
        render, overwrite=wanted.overwrite, resume=wanted.resume, events=events
    ) as queue:
        if wanted.watch:
            if not quiet:
                complain(f"watching {inputs[0]}: Ctrl-C ends it")
            queue.watch(inputs[0], lambda source: target_of(source, folder, wanted.output, suffix))
        else:
            queue.run(films)
    _conclude(wanted, queue.summary, left_out)


def _conclude(wanted: Queued, summary: QueueSummary, left_out: int) -> None:
    json_lines.finish(
        summary.written,
        frames=summary.frames,
        seconds=summary.seconds,
        failed=len(summary.failed),
        skipped=len(summary.skipped) + left_out,
    )
    if not wanted.quiet and not wanted.as_json:
        done = f"{counted(len(summary.written), 'film')}, {counted(summary.frames, 'frame')}"
        failed = f"; {len(summary.failed)} failed" if summary.failed else ""
        skipped = f"; {len(summary.skipped)} left as they were" if summary.skipped else ""
        typer.echo(f"{wanted.folder}: {done} in {summary.seconds:.1f} s{failed}{skipped}")
    if summary.failed and not wanted.watch:  # stopping a watch is its usual end
        raise typer.Exit(1)


def _report_left_out(inputs: Sequence[Path]) -> int:
    """Report the files in folders of films that are no films; return their number."""
    from stream_dream.film.queued_films import other_files

    left_out = [other for given in inputs for other in other_files(given)]
    if left_out:
        count, first = len(left_out), left_out[0]
        complain(f"warning: {count} left out that are no films by their names, such as {first}")
    for path in left_out:
        reason = "by its name it is no film"
        json_lines.emit(ItemSkippedEvent(kind="film", source=str(path), reason=reason))
    return len(left_out)


def _events(*, quiet: bool, as_json: bool) -> QueueEvents:
    from stream_dream.film.render_queue import QueueEvents

    number = 0

    def item(film: QueuedFilm) -> dict[str, Any]:
        names = {"name": film.source.name, "source": str(film.source), "target": str(film.target)}
        return {"kind": "film", "number": number, **names}

    def started(film: QueuedFilm, of_queue: int, count: int | None) -> None:
        nonlocal number
        number = of_queue
        json_lines.emit(ItemStartedEvent(total=count, **item(film)))
        if not quiet and not as_json:
            complain(f"{film.source} ({number}{'' if count is None else f' of {count}'})")

    def finished(film: QueuedFilm, done: Rendered) -> None:
        event = ItemFinishedEvent(frames=done.frames, seconds=done.seconds, **item(film))
        json_lines.emit(event)

    def skipped(films: Sequence[QueuedFilm]) -> None:
        for film in films:
            source, target = map(str, film)
            event = ItemSkippedEvent(kind="film", source=source, target=target, reason="it exists")
            json_lines.emit(event)
        first = films[0].target
        complain(f"warning: {len(films)} left as they are, such as {first}: --overwrite")

    def failed(film: QueuedFilm, line: str, exit_code: int) -> None:
        json_lines.emit(ItemFailedEvent(message=line, exit_code=exit_code, **item(film)))
        complain(f"warning: {line}")

    return QueueEvents(started, finished, skipped, failed, note=complain)
