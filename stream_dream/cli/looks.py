"""The command ``stream-dream looks``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.options import (
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    complain,
    counted,
    file_argument,
    listed_presets,
)
from stream_dream.errors import NetworkError, SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files
from stream_dream.settings.presets import Preset, load_preset, preset_files, presets
from stream_dream.settings.validation import part

_DREAM_SIZE = 640


def looks(
    source: Annotated[Path, file_argument("INPUT", "A picture, or a clip: its sharpest frame.")],
    target: Annotated[Path, file_argument("SHEET", ".png, .jpg, .webp or .tif: the sheet.")],
    only: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...",
            help="Only these looks, in this order.",
            autocompletion=listed_presets,
        ),
    ] = None,
    dream_size: Annotated[
        str,
        typer.Option(
            metavar="INTEGER", help="Longer side at which each look is dreamed, in pixels."
        ),
    ] = str(_DREAM_SIZE),
    seed: Annotated[
        str | None, typer.Option(metavar="INTEGER", help="Start of the random numbers.")
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    _: Debug = False,
) -> None:
    """Dream your own picture in every look, on one sheet with their names.

    Looks whose network would have to be downloaded first are left out.
    """
    settings = part(DreamSettings, {"dream_size": dream_size, "seed": seed})
    wanted = _usable() if only is None else [load_preset(name) for name in _names(only)]

    # Imported late: --help does not wait for OpenCV.
    from stream_dream.cli.displays import picture_display
    from stream_dream.media.write.picture import check_picture_target
    from stream_dream.still.look_sheet import dream_look_sheet, left_out, read_subject

    named = [path for look in wanted for path in named_files(look.dream).values()]
    inputs = [source, *preset_files(*_names(only or "")), *named]
    check_picture_target(target, overwrite=overwrite, inputs=inputs)
    absent = left_out(wanted)
    chosen = [look for look in wanted if look not in absent]
    if not chosen:
        raise SettingsError(f"{_without_weights(absent)}: choose other looks")
    subject = read_subject(source)
    if absent:
        complain(f"{_without_weights(absent)}: left out")
    json_lines.start([source], target, items=len(chosen))
    with picture_display("look", source, quiet=quiet, as_json=as_json) as shown:
        done = dream_look_sheet(
            subject,
            target,
            chosen,
            dream_size=settings.dream_size,
            inputs=inputs,
            seed=None if seed is None else settings.seed,
            overwrite=overwrite,
            on_look=lambda look, count: shown.started(look.name, count),
            on_step=shown.advanced,
            on_result=lambda look: shown.ended(None),
        )
    json_lines.finish([done.target], seconds=done.seconds)
    if not quiet and not as_json:
        width, height = done.size
        typer.echo(
            f"{done.target}: {counted(done.looks, 'look')} of {subject.name} ({subject.text}), "
            f"{width}x{height}, in {done.seconds:.1f} s"
        )


def _usable() -> list[Preset]:
    """Return all looks, except those of others whose network is not there."""
    from stream_dream.networks.registry import find

    found = []
    for look in presets():
        try:
            find(look.dream.network)
        except NetworkError as error:
            complain(f"warning: {look.name} ({look.provider}) is left out: {error}")
        else:
            found.append(look)
    return found


def _names(only: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in only.split(",")))


def _without_weights(looks: list[Preset]) -> str:
    """Return a message: which looks lack weights, and how to get them."""
    names = ", ".join(look.name for look in looks)
    verb, noun = ("has", "its network") if len(looks) == 1 else ("have", "their networks")
    example = f"stream-dream image IN OUT --preset {looks[0].name}"
    return f"{names} {verb} no weights on this machine ({example} fetches those of {noun})"
