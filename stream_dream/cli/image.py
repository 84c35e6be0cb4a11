"""The command ``stream-dream image``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stream_dream.cli.options import (
    Debug,
    Overwrite,
    PresetName,
    Quiet,
    complain,
    counted,
    dreamed,
    file_argument,
    with_options,
)
from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import StillSettings
from stream_dream.settings.presets import DEFAULT_PRESET, preset_files
from stream_dream.settings.validation import part


@with_options(DreamSettings, StillSettings)
def image(
    paths: Annotated[
        list[Path],
        file_argument(
            "INPUT... OUTPUT",
            "A picture and the name of its dream, or pictures and folders and a folder.",
        ),
    ],
    preset: PresetName = DEFAULT_PRESET,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Dream pictures.

    Options left out take their value from the preset; the defaults named below are those of the
    preset dogs. Pictures get all the steps of a shot's first frame, and are dreamed at 1536 pixels,
    one octave after the other, if nothing else is said.
    """
    if len(paths) < 2:
        raise SettingsError("give the name of the dream as well, or a folder for several")
    still = part(StillSettings, options)
    dream = dreamed(preset, options, quiet=quiet, stills=True)

    from stream_dream.cli.progress import fetch_weights, picture_display
    from stream_dream.still.batch import dream_stills

    fetch_weights(dream, quiet=quiet)
    with picture_display(quiet=quiet) as shown:
        summary = dream_stills(
            paths[:-1],
            paths[-1],
            dream,
            still,
            overwrite=overwrite,
            read=preset_files(preset),
            on_picture=lambda job, count: shown.started(job.source.name, count),
            on_step=shown.advanced,
        )
    for line in summary.failed:
        complain(f"warning: {line}")
    if summary.left_out:
        count, first = len(summary.left_out), summary.left_out[0]
        complain(f"warning: {count} left out that are no pictures by their names, such as {first}")
    if summary.skipped:
        count = len(summary.skipped)
        complain(f"warning: {count} left as they are, such as {summary.skipped[0]}: --overwrite")
    if not quiet:
        done = summary.written[0] if len(summary.written) == 1 else paths[-1]
        pictures = counted(len(summary.written), "picture")
        typer.echo(f"{done}: {pictures} in {summary.seconds:.1f} s")
    if summary.failed:
        raise typer.Exit(1)
