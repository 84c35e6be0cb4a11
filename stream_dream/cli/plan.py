"""The command ``stream-dream plan``."""

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
    dreamed,
    file_argument,
    file_option,
    print_table,
    with_options,
)
from stream_dream.errors import Interrupted
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, named_files
from stream_dream.settings.film import PlanSettings
from stream_dream.settings.presets import DEFAULT_PRESET, preset_files
from stream_dream.settings.validation import part


@with_options(DreamSettings, PlanSettings)
def plan(
    source: Annotated[Path, file_argument("INPUT", "A video file.")],
    preset: PresetName = DEFAULT_PRESET,
    contact_sheet: Annotated[
        Path | None, file_option("Picture that gets a frame of every shot.", Heading.OUTPUT)
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Show the shots and chunks of a film, and how long it would take, without rendering it.

    A few of its frames are dreamed to find out how fast this machine is; --no-estimate leaves that
    out. Options left out take their value from the preset; the defaults named below are those of
    the preset dogs.
    """
    settings = part(PlanSettings, options)
    dream = dreamed(preset, options, quiet=quiet, as_json=as_json)

    from stream_dream.cli.film_progress import film_display
    from stream_dream.cli.progress import fetch_weights, print_json
    from stream_dream.film.preview import preview
    from stream_dream.media.write.picture import check_picture_target

    if contact_sheet is not None:
        inputs = [source, *named_files(dream).values(), *preset_files(preset)]
        check_picture_target(contact_sheet, overwrite=overwrite, inputs=inputs)
    if settings.estimate:
        fetch_weights(dream, quiet=quiet)
    try:
        with film_display(quiet=quiet or as_json, as_json=False) as shown:
            found = preview(
                source,
                dream,
                settings,
                sheet=contact_sheet,
                overwrite=overwrite,
                events=shown.events(),
            )
    except KeyboardInterrupt:
        raise Interrupted("interrupted: nothing was planned") from None
    if as_json:
        print_json(found.to_json())
        return
    rows = [
        (number + 1, begins, f"{seconds:.1f}", frames, chunks)
        for number, begins, seconds, frames, chunks in found.shots()
    ]
    print_table(rows, "shot", "begins", "seconds", "frames", "chunks", figures=True)
    for line in found.in_words():
        typer.echo(line)
    if found.plan.shortfall:
        complain(f"warning: {found.plan.shortfall}")
