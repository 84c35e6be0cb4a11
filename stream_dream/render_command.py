"""The command ``stream-dream render``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.errors import SinkError
from stream_dream.film_settings import FilmSettings
from stream_dream.options import Debug, Overwrite, Preset, Quiet, chosen, complain, with_options
from stream_dream.presets import DEFAULT_PRESET
from stream_dream.settings import DreamSettings, OutputSettings, validated

if TYPE_CHECKING:
    from stream_dream.film.film import FilmSummary
    from stream_dream.frame import FrameReport
    from stream_dream.render import RenderSummary


@with_options(DreamSettings, OutputSettings, FilmSettings)
def render(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file or animated GIF.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help=".mp4, .mov, .mkv, .webm, .gif, .webp or a pattern like %05d.png.",
        ),
    ],
    preset: Preset = DEFAULT_PRESET,
    overwrite: Overwrite = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a render that was not finished.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what was done, with a checksum of every frame, as JSON."
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print a report on each frame, or each chunk of a long film, as a line of JSON.",
        ),
    ] = False,
    debug: Debug = False,
    **knobs: Any,
) -> None:
    """Dream a video file.

    A film of several chunks is dreamed chunk by chunk in a folder beside the output, OUTPUT.dream:
    whatever happens, --resume goes on from there. Options left out take their value from the
    preset; the defaults named below are those of the preset dogs.
    """
    given = {name: knobs.pop(name) for name in FilmSettings.model_fields}
    dream, output = chosen(preset, knobs, OutputSettings, debug=debug)
    film = validated(FilmSettings, {name: v for name, v in given.items() if v is not None})
    _check_report(report, (source, target, dream.guide, output.mask), overwrite=overwrite)

    # OpenCV and TensorFlow are imported here and not earlier: --help answers at once.
    from stream_dream.film.film import is_long, refuse_left_over, render_film
    from stream_dream.film.report import write_film_report, write_report
    from stream_dream.film_progress import film_display
    from stream_dream.progress import display, fetch_weights
    from stream_dream.render import render as render_file

    if not resume:
        refuse_left_over(target)
    spread = film.workers != 1 or film.cluster is not None
    if resume or spread or is_long(source, output, film):
        fetch_weights(dream, quiet=quiet)
        with film_display(quiet=quiet, as_json=as_json) as watched:
            done = render_film(
                source,
                target,
                dream,
                output,
                film,
                resume=resume,
                overwrite=overwrite,
                watcher=watched.watcher(),
            )
        if report is not None:
            write_film_report(report, source, dream, output, done)
        _conclude(done.warning, _film_line(done), quiet=quiet or as_json)
        return
    fetch_weights(dream, quiet=quiet)
    reports: list[FrameReport] = []
    with display(quiet=quiet, as_json=as_json) as shown:

        def take(advance: FrameReport) -> None:
            shown.advanced(advance)
            if report is not None:
                reports.append(advance)

        summary = render_file(
            source,
            target,
            dream,
            output,
            overwrite=overwrite,
            checksums=as_json or report is not None,
            on_start=shown.started,
            on_report=take,
        )
    if report is not None:
        write_report(report, source, dream, output, summary.target, reports)
    _conclude(summary.warning, _line(summary), quiet=quiet or as_json)


def _check_report(report: Path | None, others: tuple[Path | None, ...], *, overwrite: bool) -> None:
    """Refuse a report that could not be written when all is done. Raises ``SinkError``."""
    problem = None
    if report is None:
        return
    if not report.parent.is_dir():
        problem = f"lies in a folder that does not exist: create {report.parent}"
    elif report.is_dir():
        problem = "is a folder: give the name of a file"
    elif any(other is not None and other.resolve() == report.resolve() for other in others):
        problem = "is read or made by the render itself: choose another name"
    elif report.exists() and not overwrite:
        problem = "exists already: choose another name or --overwrite"
    if problem:
        raise SinkError(f"{report} {problem}", exit_code=2)


def _conclude(warning: str | None, line: str, *, quiet: bool) -> None:
    if warning is not None:
        complain(f"warning: {warning}")
    if not quiet:
        typer.echo(line)


def _line(summary: RenderSummary) -> str:
    where = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary.stages.items())
    return (
        f"{summary.target}: {_counted(summary.frames, 'frame')} in {summary.seconds:.1f} s, "
        f"{summary.fps:.1f} fps once begun (side by side: {where})"
    )


def _film_line(summary: FilmSummary) -> str:
    where = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary.stages.items())
    again = f", {_counted(summary.retries, 'chunk')} again" if summary.retries else ""
    plan = summary.plan
    return (
        f"{summary.target}: {_counted(plan.frames, 'frame')} of {_counted(plan.shots, 'shot')} in "
        f"{summary.seconds:.1f} s, {summary.fps:.1f} fps once begun{again} (one after the other: "
        f"{where})"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
