"""The command ``stream-dream render``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.carried_recipe import NoRecipe, carried_recipe
from stream_dream.cli.like import Like, started
from stream_dream.cli.one_film import WantedFilm, render_one
from stream_dream.cli.options import (
    LOOKS_OPTION,
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    Report,
    Resume,
    file_argument,
    with_options,
)
from stream_dream.cli.render_queue import FilmFormat, Queued, render_queue
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import part


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
    resume: Resume = False,
    report: Report = None,
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
    wanted = WantedFilm(request, recipe, overwrite, report, quiet, as_json, over.files)
    if not watch and not is_queue(sources, target):
        if suffix is not None:
            raise SettingsError(f"--format is for several films: {target} says its own")
        render_one(wanted, resume=resume)
        return
    if report is not None:
        raise SettingsError("--report is for one film: render that alone")
    # With absolute paths, as films in chunks have them: all share the network.
    wanted = replace(wanted, request=request.for_workers())
    render_queue(
        Queued(sources, target, output, suffix, watch, overwrite, resume or watch, quiet, as_json),
        lambda film, ascents, *, resume: render_one(
            wanted.of(*film), resume=resume, ascents=ascents
        ),
    )
