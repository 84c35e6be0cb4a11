"""The command ``stream-dream presets``."""

from __future__ import annotations

from typing import Annotated

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import ListedLook, PresetsAnswer
from stream_dream.cli.options import (
    AsJson,
    Debug,
    credited,
    default_text,
    look_answer,
    print_table,
)
from stream_dream.settings.presets import load_preset, look_text, preset_names, presets


def show_presets(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Print this one as TOML: a start for a look of your own.",
            autocompletion=preset_names,
        ),
    ] = None,
    as_json: AsJson = False,
    _: Debug = False,
) -> None:
    """List the looks, or print one."""
    if name is not None:
        look = load_preset(name)
        if as_json:
            json_lines.emit(look_answer(look))
        else:
            typer.echo(look_text(look), nl=False)
        return
    if as_json:
        listed = [
            ListedLook(
                name=preset.name,
                description=preset.description,
                suits=preset.suits,
                provider=preset.provider,
                layers=tuple(map(str, preset.dream.layer)),
            )
            for preset in presets()
        ]
        json_lines.emit(PresetsAnswer(presets=tuple(listed)))
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
