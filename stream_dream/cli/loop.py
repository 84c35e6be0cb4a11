"""The command ``stream-dream loop``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.carried_recipe import NoRecipe, carried_recipe
from stream_dream.cli.like import Like, started
from stream_dream.cli.options import (
    LOOKS_OPTION,
    AsJson,
    Debug,
    Overwrite,
    Quiet,
    complain,
    file_argument,
    with_options,
)
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.validation import part

if TYPE_CHECKING:
    from stream_dream.loop.make_loop import LoopSummary


@with_options(DreamSettings, LoopSettings, AutomationOptions)
def loop(
    source: Annotated[Path, file_argument("INPUT", "A picture, or a clip: video or animated GIF.")],
    target: Annotated[
        Path,
        file_argument(
            "OUTPUT", ".gif, .webp, .apng, .mp4, .webm, .mov, .mkv or a pattern like %05d.png."
        ),
    ],
    preset: Annotated[str | None, LOOKS_OPTION] = None,
    like: Like = None,
    overwrite: Overwrite = False,
    no_recipe: NoRecipe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Make a seamless loop of a picture or a clip.

    A picture is filmed by a camera that moves (--motion). In a clip, the two places that look and
    move most alike are joined, or --start and --end, or it goes back and forth (--bounce). Films
    get the sound of --soundtrack, and none of a clip. Options left out take their value from the
    preset; the defaults named below are those of the preset dogs.
    """
    if preset is not None and options.get("presets"):
        raise SettingsError("--preset is one look, --presets are several: give one of the two")
    start = started("loop", like, preset, options)
    over = start.over_time()
    settings = part(LoopSettings, over.options)
    first, automation = over.with_dreams(quiet=quiet, as_json=as_json)
    dreams = automation.looks or (first,)
    recipe = None if no_recipe else carried_recipe("loop", source, target, start, over)

    from stream_dream.cli.displays import display
    from stream_dream.cli.progress import fetch_weights
    from stream_dream.loop.keyframes import way_around
    from stream_dream.loop.make_loop import check_loop, make_loop

    keyframes = way_around(dreams, settings, given=over.options)
    check_loop([source, *over.files], target, keyframes, settings, overwrite=overwrite)
    for keyframe in keyframes:
        fetch_weights(keyframe, quiet=quiet)
    with display(source, target, quiet=quiet, as_json=as_json) as shown:
        summary = make_loop(
            source,
            target,
            keyframes,
            settings,
            automation,
            overwrite=overwrite,
            recipe=recipe,
            on_start=shown.started,
            on_report=shown.advanced,
            on_progress=shown.progressed,
        )
    if as_json:
        for note in summary.notes:
            complain(note)
        json_lines.finish(
            [summary.target],
            frames=summary.frames,
            seconds=summary.seconds,
            rounds=summary.rounds,
            seam=summary.seam,
        )
    elif not quiet:
        _tell(summary)


def _tell(summary: LoopSummary) -> None:
    width, height = summary.size
    typer.echo(
        f"{summary.target}: {summary.frames} frames at {float(summary.fps):.4g} fps, "
        f"{width}x{height}, in {summary.seconds:.1f} s; closed after {summary.rounds:.2g} rounds, "
        f"the seam adds {summary.seam:.2f} of 255 levels to a frame's change"
    )
    for note in summary.notes:
        typer.echo(f"  {note}")
