"""The command ``stream-dream render``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.carried_recipe import NoRecipe, carried_recipe
from stream_dream.cli.like import Like, started
from stream_dream.cli.options import (
    LOOKS_OPTION,
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    complain,
    counted,
    file_argument,
    file_option,
    with_options,
)
from stream_dream.cli.render_queue import FilmFormat, Queued, render_queue
from stream_dream.errors import SettingsError, SinkError
from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import part

if TYPE_CHECKING:
    from stream_dream.film.ascent_cache import AscentCache
    from stream_dream.film.events import FilmSummary
    from stream_dream.film.one_piece import RenderSummary
    from stream_dream.film.request import RenderRequest
    from stream_dream.frame import FrameReport
    from stream_dream.settings.recipe import Recipe


@with_options(DreamSettings, OutputSettings, FilmSettings, AutomationOptions)
def render(
    paths: Annotated[
        list[Path],
        file_argument(
            "INPUT... OUTPUT",
            "INPUT is a film, an animated GIF, numbered pictures (a folder or %05d.png) or -; "
            "OUTPUT is .mp4 .mov .mkv .webm .gif .webp .apng, %05d.png .tif .exr or -. Or films "
            "and folders of films, and a folder for their dreams.",
        ),
    ],
    preset: Annotated[str | None, LOOKS_OPTION] = None,
    like: Like = None,
    overwrite: Overwrite = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a render that was not finished.",
            rich_help_panel=Heading.FILM,
        ),
    ] = False,
    report: Annotated[
        Path | None,
        file_option(
            "Write what was done, with a checksum of every frame, as JSON.", Heading.OUTPUT
        ),
    ] = None,
    suffix: Annotated[
        FilmFormat | None,
        typer.Option(
            "--format",
            help="Format of several films, if not those of their sources as far as possible.",
            rich_help_panel=Heading.OUTPUT,
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Go on with the films that arrive in the folder INPUT, until Ctrl-C."
        ),
    ] = False,
    no_recipe: NoRecipe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Dream a video file, or several.

    Several go to a folder; dreams that it holds already are left alone.

    A film of several chunks is dreamed chunk by chunk in a folder beside the output, OUTPUT.dream:
    whatever happens, --resume goes on from there. Options left out take their value from the
    preset; the defaults named below are those of the preset dogs.
    """
    if len(paths) < 2:
        raise SettingsError("give the name of the dream as well, or a folder for several")
    *sources, target = paths
    if as_json and str(target) == "-":
        json_lines.begin(())  # no line of JSON is to be taken for a film
        raise SettingsError("standard output gets the film: leave out --json, or name a file")
    start = started("render", like, preset, options)
    over = start.over_time()
    output, film = part(OutputSettings, over.options), part(FilmSettings, over.options)
    dream, automation = over.with_dreams(quiet=quiet, as_json=as_json)
    recipe = None if no_recipe else carried_recipe("render", sources[0], target, start, over)

    # Imported late: --help does not wait for OpenCV and TensorFlow.
    from stream_dream.film.queued_films import is_queue
    from stream_dream.film.request import RenderRequest

    request = RenderRequest(sources[0], target, dream, output, film, automation)
    wanted = _Wanted(request, recipe, overwrite, report, quiet, as_json, over.files)
    if not watch and not is_queue(sources, target):
        if suffix is not None:
            raise SettingsError(f"--format is for several films: {target} says its own")
        _render_film(wanted, resume=resume)
        return
    if report is not None:
        raise SettingsError("--report is for one film: render that alone")
    # With absolute paths, as films in chunks have them: all share the network.
    wanted = replace(wanted, request=request.for_workers())
    render_queue(
        Queued(sources, target, output, suffix, watch, overwrite, resume or watch, quiet, as_json),
        lambda film, ascents, *, resume: _render_film(
            wanted.of(*film), resume=resume, ascents=ascents
        ),
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    request: RenderRequest
    recipe: Recipe | None
    overwrite: bool
    report: Path | None
    quiet: bool
    as_json: bool
    files: Sequence[Path] = ()  # scores and looks that were read
    queued: bool = False

    def of(self, source: Path, target: Path) -> _Wanted:
        """Return the same for another film."""
        request = replace(self.request, source=source, target=target)
        recipe = None if self.recipe is None else self.recipe.with_source(source.name)
        return replace(self, request=request, recipe=recipe, queued=True)


def _render_film(
    wanted: _Wanted, *, resume: bool, ascents: AscentCache | None = None
) -> FilmSummary | RenderSummary:
    from stream_dream.film.in_chunks import goes_in_chunks

    _check_outputs(wanted, resume=resume)
    if goes_in_chunks(wanted.request, resume=resume):
        return _render_in_chunks(wanted, resume=resume, ascents=ascents)
    return _render_in_one_piece(wanted, ascents)


def _render_in_chunks(wanted: _Wanted, *, resume: bool, ascents: AscentCache | None) -> FilmSummary:
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
            resume=resume,
            overwrite=wanted.overwrite,
            recipe=wanted.recipe,
            ascents=ascents,
            events=shown.events(),
            on_finished=finished,
        )
    _conclude(wanted, done, _film_line(done))
    return done


def _render_in_one_piece(wanted: _Wanted, ascents: AscentCache | None) -> RenderSummary:
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


def _check_outputs(wanted: _Wanted, *, resume: bool) -> None:
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


def _conclude(wanted: _Wanted, done: RenderSummary, line: str) -> None:
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
