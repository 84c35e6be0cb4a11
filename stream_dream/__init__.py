"""DeepDream for moving pictures: coherent, fast, with the sound kept."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stream_dream.errors import (
    Interrupted,
    NetworkError,
    SettingsError,
    SinkError,
    SourceError,
    StreamDreamError,
)
from stream_dream.runtime.quiet import hushed

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent
    from stream_dream.film.in_chunks import render_film
    from stream_dream.film.journey import make_journey
    from stream_dream.film.one_piece import render
    from stream_dream.film.render_films import render_films
    from stream_dream.frame import Frame
    from stream_dream.loop.make_loop import make_loop
    from stream_dream.media.read.recipe_text import read_recipe
    from stream_dream.media.read.video import VideoSource
    from stream_dream.media.write.video import VideoSink
    from stream_dream.runtime.progress import Progress
    from stream_dream.settings.automation import Automation
    from stream_dream.settings.dream import DreamSettings, for_stills
    from stream_dream.settings.film import FilmSettings
    from stream_dream.settings.journey import JourneySettings
    from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings
    from stream_dream.settings.presets import load_preset
    from stream_dream.settings.recipe import Recipe
    from stream_dream.still.batch import dream_stills
    from stream_dream.still.dreamer import StillDreamer
    from stream_dream.temporal.dreamer import TemporalDreamer

__all__ = [
    "Ascent",
    "Automation",
    "DreamSettings",
    "FilmSettings",
    "Frame",
    "Interrupted",
    "JourneySettings",
    "LoopSettings",
    "NetworkError",
    "OutputSettings",
    "Progress",
    "Recipe",
    "SettingsError",
    "SinkError",
    "SourceError",
    "StillDreamer",
    "StillSettings",
    "StreamDreamError",
    "TemporalDreamer",
    "VideoSink",
    "VideoSource",
    "dream_stills",
    "for_stills",
    "load_preset",
    "make_journey",
    "make_loop",
    "read_recipe",
    "render",
    "render_film",
    "render_films",
]

_MODULES = {
    "Ascent": "dream.ascent",
    "Automation": "settings.automation",
    "DreamSettings": "settings.dream",
    "FilmSettings": "settings.film",
    "Frame": "frame",
    "JourneySettings": "settings.journey",
    "LoopSettings": "settings.output",
    "OutputSettings": "settings.output",
    "Progress": "runtime.progress",
    "Recipe": "settings.recipe",
    "StillDreamer": "still.dreamer",
    "StillSettings": "settings.output",
    "TemporalDreamer": "temporal.dreamer",
    "VideoSink": "media.write.video",
    "VideoSource": "media.read.video",
    "dream_stills": "still.batch",
    "for_stills": "settings.dream",
    "load_preset": "settings.presets",
    "make_journey": "film.journey",
    "make_loop": "loop.make_loop",
    "read_recipe": "media.read.recipe_text",
    "render": "film.one_piece",
    "render_film": "film.in_chunks",
    "render_films": "film.render_films",
}


def __getattr__(name: str) -> Any:
    """Import on first use: TensorFlow and OpenCV take seconds, and --help needs neither."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with hushed():
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
