"""The command ``stream-dream loop``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.errors import SettingsError
from stream_dream.options import (
    PRESET_HELP,
    Debug,
    Overwrite,
    Quiet,
    chosen,
    file_name,
    with_options,
)
from stream_dream.presets import DEFAULT_PRESET, preset_files
from stream_dream.settings import DreamSettings, LoopSettings

if TYPE_CHECKING:
    from stream_dream.loop import LoopSummary


@with_options(DreamSettings, LoopSettings)
def loop(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            parser=file_name,
            help="A picture, or a clip: video or animated GIF.",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            parser=file_name,
            help=".gif, .webp, .apng, .mp4, .webm, .mov, .mkv or a pattern like %05d.png.",
        ),
    ],
    preset: Annotated[str | None, typer.Option(help=PRESET_HELP)] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a report on each frame as a line of JSON.")
    ] = False,
    debug: Debug = False,
    **knobs: Any,
) -> None:
    """Make a seamless loop of a picture or a clip.

    A picture is filmed by a camera that moves (--motion). In a clip, the two places that look and
    move most alike are joined, or --start and --end, or it goes back and forth (--bounce). Loops
    have no sound. Options left out take their value from the preset; the defaults named below are
    those of the preset dogs.
    """
    choose = partial(
        chosen, knobs=knobs, model=LoopSettings, debug=debug, quiet=quiet, as_json=as_json
    )
    dream, settings = choose(preset or DEFAULT_PRESET)
    if preset is not None and settings.presets:
        raise SettingsError("--preset is one look, --presets are several: give one of the two")
    dreams = [choose(name)[0] for name in settings.presets]

    from stream_dream.loop import check_loop, make_loop
    from stream_dream.progress import display, fetch_weights
    from stream_dream.stations import way_around

    stations = way_around(dreams or [dream], settings, given=knobs)
    looks = preset_files(preset or DEFAULT_PRESET, *settings.presets)
    check_loop([source, *looks], target, stations, settings, overwrite=overwrite)
    for station in stations:
        fetch_weights(station, quiet=quiet)
    with display(quiet=quiet, as_json=as_json) as shown:
        summary = make_loop(
            source,
            target,
            stations,
            settings,
            overwrite=overwrite,
            on_start=shown.started,
            on_report=shown.advanced,
        )
    if not quiet and not as_json:
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
