"""The command ``stream-dream demo``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from stream_dream.cli.carried_recipe import NoRecipe
from stream_dream.cli.options import (
    AsJson,
    Debug,
    Overwrite,
    PresetName,
    Quiet,
    file_argument,
    with_options,
)
from stream_dream.cli.render import render
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.presets import DEFAULT_PRESET

_TARGET = Path("demo-dream.mp4")


@with_options(DreamSettings, OutputSettings, FilmSettings)
def demo(
    target: Annotated[
        Path | None,
        file_argument("[OUTPUT]", f"{_TARGET} if no other name is given."),
    ] = None,
    preset: PresetName = DEFAULT_PRESET,
    overwrite: Overwrite = False,
    no_recipe: NoRecipe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Dream the clip that comes with stream-dream.

    It takes the options of render.
    """
    from stream_dream.media.write.output_paths import free_name

    with resources.as_file(resources.files("stream_dream") / "demo_clip.mp4") as clip:
        render(
            [clip, target or free_name(_TARGET)],
            preset=preset,
            overwrite=overwrite,
            no_recipe=no_recipe,
            quiet=quiet,
            as_json=as_json,
            **options,
        )
