"""Settings of what changes over time: scores, and sound that other settings follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, named_files, under, with_paths
from stream_dream.settings.values import FileName, Model, Seconds

_time = under(Heading.TIME)

BEATS_PER_BAR = 4
"""Beats in a bar."""


class SoundSettings(Model):
    """Sound that settings follow, and its beats."""

    soundtrack: FileName | None = _time(
        None,
        "Sound that settings follow and that the output gets, in place of the source's own.",
        metavar="FILE",
    )
    react: str | None = _time(
        None,
        "How settings follow the sound, such as 'bass->step-size*2, onset->strength+0.3, "
        "bar/4->preset'; alone it is a good start.",
        metavar="RULES",
    )
    bpm: float | None = _time(
        None, "Beats per minute, in place of those found in the sound.", ge=20, le=400
    )
    offset: Seconds = _time(
        None,
        "Time of a beat of --bpm that begins a bar.",
        metavar="SECONDS|MM:SS",
        ge=-3600,
        le=36000,
    )
    beats: FileName | None = _time(
        None,
        "File of beats, the time of each in seconds on a line of its own, in place of those found "
        "in the sound.",
        metavar="FILE",
    )

    @property
    def gives_beats(self) -> bool:
        """True if beats need not be found in the sound."""
        return self.bpm is not None or self.beats is not None


class AutomationOptions(SoundSettings):
    """What commands take."""

    score: FileName | None = _time(
        None,
        "File of settings that change over time (see: stream-dream help music).",
        metavar="FILE",
    )


class Automation(SoundSettings):
    """Everything that changes over time in a render, with the files of a score resolved.

    Attributes:
        tracks: Values over time as text, by setting: ``strength``, ``layer.block10``, ...
        curves: Files of named curves.
        look_track: When to change the look, as text; None if it never does.
        looks: The looks, the one that ``DreamSettings`` are given for first.
        every: Seconds after which the next of several looks without times follows, again and again;
            None if they are spread over the film.
    """

    tracks: dict[str, str] = Field(default_factory=dict)
    curves: dict[str, FileName] = Field(default_factory=dict)
    look_track: str | None = None
    looks: tuple[DreamSettings, ...] = ()
    every: float | None = None

    @property
    def more_files(self) -> dict[str, Path]:
        """Files that no field of this model names by itself, by names of their own."""
        curves = {f"curve {name}": path for name, path in self.curves.items()}
        return curves | files_of_looks(self.looks)

    def with_files(self, paths: Mapping[str, Path]) -> Automation:
        """Return the same with other paths, by the names of ``named_files`` and ``more_files``."""
        curves = {name: paths[f"curve {name}"] for name in self.curves}
        changes = {"looks": looks_with_files(self.looks, paths), "curves": curves}
        return with_paths(self, paths).model_copy(update=changes)


def files_of_looks(looks: Sequence[DreamSettings]) -> dict[str, Path]:
    """Return the files that looks name, by names such as ``guide of look 2``."""
    return {
        f"{name} of look {number}": path
        for number, look in enumerate(looks, 1)
        for name, path in named_files(look).items()
    }


def looks_with_files(
    looks: Sequence[DreamSettings], paths: Mapping[str, Path]
) -> tuple[DreamSettings, ...]:
    """Return looks with other paths, by the names of ``files_of_looks``."""
    return tuple(
        with_paths(look, {name: paths[f"{name} of look {number}"] for name in named_files(look)})
        for number, look in enumerate(looks, 1)
    )
