"""The command ``stream-dream presets``."""

from __future__ import annotations

from typing import Annotated

import typer

from stream_dream.cli.options import Debug, credited, default_text, print_table
from stream_dream.settings.presets import load_preset, look_text, preset_names, presets


def show_presets(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Print this one as TOML: a start for a look of your own.",
            autocompletion=preset_names,
        ),
    ] = None,
    _: Debug = False,
) -> None:
    """List the looks, or print one."""
    if name is not None:
        typer.echo(look_text(load_preset(name)), nl=False)
        return
    rows = [
        (
            preset.name,
            credited(preset.description, preset.provider),
            preset.suits,
            default_text(preset.dream.layer),
        )
        for preset in presets()
    ]
    print_table(rows, "preset", "what it looks like", "suits", "layers")
