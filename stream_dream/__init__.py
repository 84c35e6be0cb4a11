"""DeepDream for moving pictures: coherent, fast, with the sound kept."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stream_dream.runtime.quiet import hushed

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent
    from stream_dream.frame import Frame
    from stream_dream.media.read.video import VideoSource
    from stream_dream.media.write.video import VideoSink
    from stream_dream.settings.dream import DreamSettings
    from stream_dream.settings.presets import load_preset
    from stream_dream.still.dreamer import StillDreamer
    from stream_dream.temporal.dreamer import TemporalDreamer

__all__ = [
    "Ascent",
    "DreamSettings",
    "Frame",
    "StillDreamer",
    "TemporalDreamer",
    "VideoSink",
    "VideoSource",
    "load_preset",
]

_HOMES = {
    "Ascent": "dream.ascent",
    "DreamSettings": "settings",
    "Frame": "frame",
    "StillDreamer": "dream.still",
    "TemporalDreamer": "temporal.dreamer",
    "VideoSink": "media.sink",
    "VideoSource": "media.source",
    "load_preset": "presets",
}


def __getattr__(name: str) -> Any:
    """Import on first use: TensorFlow and OpenCV take seconds, and --help needs neither."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with hushed():
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
