"""The command ``stream-dream journey``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from stream_dream.cli import json_lines
from stream_dream.cli.carried_recipe import NoRecipe, carried_recipe
from stream_dream.cli.defaults import without_defaults
from stream_dream.cli.like import Like, option_of, started
from stream_dream.cli.one_film import WantedFilm, render_one
from stream_dream.cli.options import (
    LOOKS_OPTION,
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    Report,
    Resume,
    complain,
    file_argument,
    with_options,
)
from stream_dream.cli.over_time import in_a_journey
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import ChunkSettings, FilmSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.recipe import OF_SOURCES
from stream_dream.settings.validation import own, part


@with_options(DreamSettings, JourneySettings, ChunkSettings, AutomationOptions)
def journey(
    paths: Annotated[
        list[Path],
        file_argument(
            "[INPUT] OUTPUT",
            "INPUT is a picture, or a clip, of which one frame is taken; with --from noise there "
            "is none. OUTPUT is .mp4 .mov .mkv .webm .gif .webp .apng, %05d.png .tif .exr or -.",
        ),
    ],
    preset: Annotated[str | None, LOOKS_OPTION] = None,
    like: Like = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    report: Report = None,
    no_recipe: NoRecipe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Travel into a picture that dreams on without end.

    A camera moves into the picture, turns and pans; what comes nearer is dreamed on, and new detail
    grows as it appears. A long journey is dreamed in pieces in a folder beside the output,
    OUTPUT.dream: whatever happens, --resume goes on from there. Options left out take their value
    from the preset; the defaults named below are those of the preset dogs.
    """
    if preset is not None and options.get("presets"):
        raise SettingsError("--preset is one look, --presets are several: give one of the two")
    if as_json and str(paths[-1]) == "-":
        json_lines.begin(())  # no line of JSON is to be taken for a film
        raise SettingsError("standard output gets the film: leave out --json, or name a file")
    for name in OF_SOURCES:
        if without_defaults(options).get(name) is not None:
            problem = "has no meaning in a journey, which has no source"
            raise SettingsError(f"{option_of(name)} {problem}: leave it out")
    start = started("journey", like, preset, options)
    _tell_what_is_idle({**without_defaults(options), "like": like}, preset or "")
    _leave_out_other_starts(start.options, without_defaults(options), paths)
    over = start.over_time()
    settings = part(JourneySettings, over.options)
    source, target = _files(paths, settings)
    first, automation = over.with_dreams(quiet=quiet, as_json=as_json)
    recipe = None if no_recipe else carried_recipe("journey", source, target, start, over)

    # Imported late: --help does not wait for OpenCV and TensorFlow.
    from stream_dream.film.journey import journey_request

    film = part(FilmSettings, own(ChunkSettings, over.options))
    automation = in_a_journey(settings, automation)
    request = journey_request(source, target, first, settings, film, automation, given=over.options)
    wanted = WantedFilm(request, recipe, overwrite, report, quiet, as_json, over.files)
    render_one(wanted, resume=resume)


def _tell_what_is_idle(given: Mapping[str, Any], preset: str) -> None:
    """Warn of options that do nothing without another, which may be given elsewhere."""
    if any(given.get(name) is not None for name in ("score", "like", "react")):
        return
    needs = {"every": given.get("presets") or "," in preset, "depth_map": given.get("depth")}
    for name, needed in (("every", "presets"), ("depth_map", "depth")):
        if given.get(name) is not None and not needs[name]:
            complain(f"warning: {option_of(name)} does nothing without {option_of(needed)}")


def _leave_out_other_starts(
    taken: dict[str, Any], given: Mapping[str, Any], paths: Sequence[Path]
) -> None:
    """Leave out what a recipe or the defaults say of a start that is not this journey's."""
    from stream_dream.media.read.picture import is_picture

    if len(paths) == 2 and given.get("start_from") is None:
        taken["start_from"] = None
    if given.get("start") is None and (len(paths) < 2 or is_picture(paths[0])):
        taken["start"] = None


def _files(paths: Sequence[Path], settings: JourneySettings) -> tuple[Path, Path]:
    """Return the source and the target. Raises ``SettingsError``."""
    from stream_dream.film.journey_source import NOISE

    if settings.start_from == "noise":
        if len(paths) != 1:
            problem = "begins with noise: give the name of its film alone, or leave out --from"
            raise SettingsError(f"the journey {problem}")
        return NOISE, paths[0]
    if len(paths) != 2:
        raise SettingsError(
            "give what the journey begins with and the name of its film, or --from noise and the "
            "name alone"
        )
    return paths[0], paths[1]
