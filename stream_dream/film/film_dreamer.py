"""What dreams the frames of a film: from its own pictures, or a journey from its start alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from stream_dream.automation.program import Program
from stream_dream.film.journey_source import depth_map
from stream_dream.frame import Frame, StreamInfo
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.temporal.dreamer import Dreamed, DreamFunction, TemporalDreamer
from stream_dream.temporal.journey_dreamer import JourneyDreamer


class FilmDreamer(Protocol):
    """Dreams frames in order; see ``TemporalDreamer``."""

    def prepare(self, frame: Frame) -> Any:
        """Do what needs no dream; may run ahead of ``ascend``."""

    def ascend(self, prepared: Any) -> Dreamed:
        """Dream a prepared frame."""

    def save(self, path: Path) -> None:
        """Write the state after the last dreamed frame."""

    def restore(self, path: Path) -> None:
        """Continue from a saved state. Raises ``SettingsError``."""


def film_dreamer(
    dreams: Sequence[DreamFunction],
    settings: DreamSettings,
    program: Program,
    info: StreamInfo,
    journey: JourneySettings | None,
) -> FilmDreamer:
    """Return a dreamer with no state.

    Args:
        dreams: A dream function for each look of the program.
        settings: Those of the first look.
        program: The look and settings of each frame.
        info: Properties of the source.
        journey: Settings of a journey; None for a film.
    """
    if journey is not None:
        depths = depth_map(journey)
        return JourneyDreamer(dreams, settings, journey, moments=program.at, depth_map=depths)
    return TemporalDreamer(dreams, settings, moments=program.at, pixel_aspect=info.pixel_aspect)
