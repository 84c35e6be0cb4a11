"""The command ``stream-dream plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import PlanAnswer, PlannedChunk
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
    print_table,
    with_options,
)
from stream_dream.cli.over_time import OverTime, over_time
from stream_dream.errors import Interrupted, SettingsError
from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, named_files
from stream_dream.settings.film import PlanSettings
from stream_dream.settings.validation import part

if TYPE_CHECKING:
    from stream_dream.film.preview import Preview


@with_options(DreamSettings, PlanSettings, AutomationOptions)
def plan(
    source: Annotated[Path, file_argument("INPUT", "A video file.")],
    preset: Annotated[str | None, LOOKS_OPTION] = None,
    contact_sheet: Annotated[
        Path | None, file_option("Picture that gets a frame of every shot.", Heading.OUTPUT)
    ] = None,
    curves: Annotated[
        Path | None,
        file_option(
            "Picture that gets shots, beats, sound, and all that changes over time.",
            Heading.OUTPUT,
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Show the shots and chunks of a film, and how long it would take, without rendering it.

    A few of its frames are dreamed to find out how fast this machine is; --no-estimate leaves that
    out, and so do --curves, which draws what changes over time, and --check, which only says
    whether all is well. Options left out take their value from the preset; the defaults named below
    are those of the preset dogs.
    """
    over = over_time(preset, options)
    settings = part(PlanSettings, over.options)
    if settings.check or (curves is not None and "estimate" not in settings.model_fields_set):
        settings = settings.model_copy(update={"estimate": False})
    if settings.check and (curves is not None or contact_sheet is not None):
        sheet = "--contact-sheet" if curves is None else "--curves"
        raise SettingsError(f"--check writes nothing: leave out {sheet}")
    dream, automation = over.with_dreams(quiet=quiet, as_json=as_json)

    from stream_dream.cli.film_progress import film_display
    from stream_dream.cli.progress import fetch_weights
    from stream_dream.film.preview import check_sheets, preview

    looks = automation.looks or (dream,)
    inputs = [source, *over.files, *named_files(dream, automation).values()]
    inputs += automation.more_files.values()
    check_sheets([contact_sheet, curves], inputs, overwrite=overwrite)
    for look in looks if settings.estimate else ():
        fetch_weights(look, quiet=quiet)
    try:
        with film_display(source, None, quiet=quiet or as_json, as_json=False) as shown:
            found = preview(
                source,
                dream,
                settings,
                automation,
                look_names=over.names,
                sheet=contact_sheet,
                curves=curves,
                overwrite=overwrite,
                events=shown.events(),
            )
    except KeyboardInterrupt:
        raise Interrupted("interrupted: nothing was planned") from None
    if not as_json and settings.check:
        typer.echo(_all_is_well(over, found))
    elif not as_json:
        _print(found)
    for warning in filter(None, (found.plan.shortfall, found.program.clipped, *found.late)):
        complain(f"warning: {warning}")
    values = found.to_json()
    chunks = tuple(PlannedChunk(**chunk) for chunk in values.pop("chunks"))
    sheets = tuple(str(sheet) for sheet in (contact_sheet, curves) if sheet is not None)
    json_lines.emit(PlanAnswer(chunks=chunks, sheets=sheets, **values))


def _print(found: Preview) -> None:
    rows = [
        (number + 1, begins, f"{seconds:.1f}", frames, chunks)
        for number, begins, seconds, frames, chunks in found.shots()
    ]
    print_table(rows, "shot", "begins", "seconds", "frames", "chunks", figures=True)
    for line in found.in_words():
        typer.echo(line)


def _all_is_well(over: OverTime, found: Preview) -> str:
    automation = over.automation
    parts = [
        f"{counted(len(found.program.changing), 'setting')} over time",
        counted(len(over.names), "look"),
        *([counted(len(automation.curves), "curve")] if automation.curves else []),
        counted(found.plan.shots, "shot"),
        counted(found.plan.frames, "frame"),
    ]
    return f"all is well: {', '.join(parts)}"
