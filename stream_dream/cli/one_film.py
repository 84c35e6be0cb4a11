"""Renders one film for a command, with its progress, report and last line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.options import complain, counted
from stream_dream.errors import SinkError

if TYPE_CHECKING:
    from stream_dream.film.ascent_cache import AscentCache
    from stream_dream.film.events import FilmSummary
    from stream_dream.film.one_piece import RenderSummary
    from stream_dream.film.request import RenderRequest
    from stream_dream.frame import FrameReport
    from stream_dream.settings.recipe import Recipe


@dataclass(frozen=True, slots=True)
class WantedFilm:
    """A film to render, and what is told and written beside it.

    Attributes:
        request: The film and its settings.
        recipe: What it carries as its recipe; None for none.
        overwrite: True to replace existing files.
        report: File of its report; None for none.
        quiet: True to show only warnings and errors.
        as_json: True to print events.
        files: Scores and looks that were read.
        queued: True if it is one of several.
    """

    request: RenderRequest
    recipe: Recipe | None
    overwrite: bool
    report: Path | None
    quiet: bool
    as_json: bool
    files: Sequence[Path] = ()
    queued: bool = False

    def of(self, source: Path, target: Path) -> WantedFilm:
        """Return the same for another film."""
        request = replace(self.request, source=source, target=target)
        recipe = None if self.recipe is None else self.recipe.with_source(source.name)
        return replace(self, request=request, recipe=recipe, queued=True)


def render_one(
    wanted: WantedFilm, *, resume: bool, ascents: AscentCache | None = None
) -> FilmSummary | RenderSummary:
    """Render a film in one piece or in chunks, and tell its end; ``ascents`` keeps networks."""
    from stream_dream.film.in_chunks import goes_in_chunks

    _check_outputs(wanted, resume=resume)
    if goes_in_chunks(wanted.request, resume=resume):
        return _render_in_chunks(wanted, resume=resume, ascents=ascents)
    return _render_in_one_piece(wanted, ascents)


def _render_in_chunks(
    wanted: WantedFilm, *, resume: bool, ascents: AscentCache | None
) -> FilmSummary:
    from stream_dream.cli.film_progress import film_display
    from stream_dream.cli.progress import fetch_weights
    from stream_dream.film.in_chunks import refuse_other, render_film
    from stream_dream.film.report import write_film_report

    request = wanted.request

    def finished(done: FilmSummary) -> None:
        if wanted.report is not None:
            write_film_report(wanted.report, request, done, overwrite=wanted.overwrite)

    refuse_other(request)
    for dream in request.automation.looks or (request.dream,):
        fetch_weights(dream, quiet=wanted.quiet)
    source, target = request.source, request.target
    with film_display(source, target, quiet=wanted.quiet, as_json=wanted.as_json) as shown:
        done = render_film(
            source,
            target,
            request.dream,
            request.output,
            request.film,
            request.automation,
            journey=request.journey,
            resume=resume,
            overwrite=wanted.overwrite,
            recipe=wanted.recipe,
            ascents=ascents,
            events=shown.events(),
            on_finished=finished,
        )
    _conclude(wanted, done, _film_line(done))
    return done


def _render_in_one_piece(wanted: WantedFilm, ascents: AscentCache | None) -> RenderSummary:
    from stream_dream.cli.displays import display
    from stream_dream.cli.progress import fetch_weights
    from stream_dream.film.one_piece import render as render_file
    from stream_dream.film.report import write_report

    request = wanted.request
    for dream in request.automation.looks or (request.dream,):
        fetch_weights(dream, quiet=wanted.quiet)
    reports: list[FrameReport] = []
    source, target = request.source, request.target
    with display(source, target, quiet=wanted.quiet, as_json=wanted.as_json) as shown:

        def take(advance: FrameReport) -> None:
            shown.advanced(advance)
            if wanted.report is not None:
                reports.append(advance)

        done = render_file(
            source,
            target,
            request.dream,
            request.output,
            request.automation,
            journey=request.journey,
            overwrite=wanted.overwrite,
            checksums=wanted.as_json or wanted.report is not None,
            recipe=wanted.recipe,
            ascents=ascents,
            on_start=shown.started,
            on_report=take,
            on_progress=shown.progressed,
        )
    if wanted.report is not None:
        write_report(wanted.report, request, reports, overwrite=wanted.overwrite)
    _conclude(wanted, done, _line(done))
    return done


def _check_outputs(wanted: WantedFilm, *, resume: bool) -> None:
    """Reject outputs that could not be written in the end. Raises ``SinkError``."""
    from stream_dream.film.job.job_folder import JobFolder
    from stream_dream.media.write.output_paths import check_output

    report, target = wanted.report, wanted.request.target
    others = [] if report is None else [report]
    # With --resume, an earlier run may have published the result already.
    replaced = wanted.overwrite or resume
    wanted.request.check_outputs(overwrite=replaced, inputs=wanted.files, others=others)
    if report is None:
        return
    inputs = [*wanted.request.inputs.values(), *wanted.files]
    check_output(report, overwrite=wanted.overwrite, inputs=inputs)
    if JobFolder(target).path.resolve() in report.resolve().parents:
        problem = "lies in a folder that goes when the film is done: choose another one"
        raise SinkError(f"{report} {problem}", exit_code=2)


def _conclude(wanted: WantedFilm, done: RenderSummary, line: str) -> None:
    if done.warning is not None:
        complain(f"warning: {done.warning}")
    if not wanted.queued:  # the last event is that of all
        targets = [done.target, *done.mattes]
        json_lines.finish(targets, frames=done.frames, seconds=done.seconds, fps=done.fps)
    if not wanted.quiet and not wanted.as_json:
        typer.echo(line, err=wanted.request.is_piped)


def _line(summary: RenderSummary) -> str:
    where = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary.stages.items())
    return (
        f"{summary.target}: {counted(summary.frames, 'frame')} in {summary.seconds:.1f} s, "
        f"{summary.fps:.1f} fps once begun{_encoded(summary)} (side by side: {where})"
    )


def _encoded(summary: RenderSummary) -> str:
    return "" if summary.encoder == "software" else f", encoded with {summary.encoder}"


def _film_line(summary: FilmSummary) -> str:
    plan = summary.plan
    what = f"{counted(plan.frames, 'frame')} of {counted(plan.shots, 'shot')}"
    if not summary.stages:
        return f"{summary.target}: {what}, finished by an earlier run"
    where = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary.stages.items())
    rate = f", {summary.fps:.1f} fps once begun" if summary.fps else ""
    again = f", {counted(summary.retries, 'chunk')} again" if summary.retries else ""
    return (
        f"{summary.target}: {what} in {summary.seconds:.1f} s{rate}{again}{_encoded(summary)} "
        f"(one after the other: {where})"
    )
