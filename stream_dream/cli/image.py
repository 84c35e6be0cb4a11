"""The command ``stream-dream image``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.carried_recipe import NoRecipe, carried_recipe
from stream_dream.cli.events import ItemSkippedEvent
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
from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading
from stream_dream.settings.output import StillSettings
from stream_dream.settings.validation import part

if TYPE_CHECKING:
    from stream_dream.still.batch import StillsSummary
    from stream_dream.still.jobs import StillJob


@with_options(DreamSettings, StillSettings)
def image(
    paths: Annotated[
        list[Path],
        file_argument(
            "INPUT... OUTPUT",
            "A picture and the name of its dream, or pictures and folders and a folder.",
        ),
    ],
    preset: Annotated[str | None, LOOKS_OPTION] = None,
    like: Like = None,
    score: Annotated[
        Path | None,
        file_option(
            "File of settings that change from picture to picture, which are its frames.",
            Heading.TIME,
        ),
    ] = None,
    overwrite: Overwrite = False,
    no_recipe: NoRecipe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
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
    start = started("image", like, preset, options | {"score": score})
    over = start.over_time()
    still = part(StillSettings, over.options)
    dream, automation = over.with_dreams(quiet=quiet, as_json=as_json, stills=True)
    recipe = None if no_recipe else carried_recipe("image", paths[0], paths[-1], start, over)

    from stream_dream.cli.displays import picture_display
    from stream_dream.cli.progress import fetch_weights
    from stream_dream.still.batch import dream_stills

    for look in automation.looks or (dream,):
        fetch_weights(look, quiet=quiet)

    def begin(job: StillJob, count: int) -> None:
        json_lines.start(paths[:-1], paths[-1], items=count)
        shown.started(job.source.name, count, job.source, job.target)

    with picture_display("picture", paths[0], quiet=quiet, as_json=as_json) as shown:
        summary = dream_stills(
            paths[:-1],
            paths[-1],
            dream,
            still,
            automation,
            overwrite=overwrite,
            read=over.files,
            recipe=recipe,
            on_picture=begin,
            on_step=shown.advanced,
            on_result=lambda job, result: shown.ended(result),
        )
    json_lines.start(paths[:-1], paths[-1], items=0)  # if all are skipped
    _warn(summary)
    json_lines.finish(
        summary.written,
        seconds=summary.seconds,
        failed=len(summary.failed),
        skipped=len(summary.skipped) + len(summary.left_out),
    )
    if not quiet and not as_json:
        done = summary.written[0] if len(summary.written) == 1 else paths[-1]
        pictures = counted(len(summary.written), "picture")
        typer.echo(f"{done}: {pictures} in {summary.seconds:.1f} s")
    if summary.failed:
        raise typer.Exit(1)


def _warn(summary: StillsSummary) -> None:
    for line in (*summary.failed, *([summary.clipped] if summary.clipped else ())):
        complain(f"warning: {line}")
    if summary.left_out:
        count, first = len(summary.left_out), summary.left_out[0]
        complain(f"warning: {count} left out that are no pictures by their names, such as {first}")
    if summary.skipped:
        count = len(summary.skipped)
        complain(f"warning: {count} left as they are, such as {summary.skipped[0]}: --overwrite")
    for path in summary.left_out:
        reason = "by its name it is no picture"
        json_lines.emit(ItemSkippedEvent(kind="picture", source=str(path), reason=reason))
    for path in summary.skipped:
        json_lines.emit(ItemSkippedEvent(kind="picture", target=str(path), reason="it exists"))
