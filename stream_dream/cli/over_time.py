"""Options whose values change over time, and scores: what commands make an automation of."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.cli.defaults import is_default, without_defaults
from stream_dream.cli.options import dreamed
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import Automation, AutomationOptions, SoundSettings
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import fields_with
from stream_dream.settings.journey import CameraSettings, JourneySettings
from stream_dream.settings.live import LiveSettings, SteeringParameters
from stream_dream.settings.presets import DEFAULT_PRESET, preset_files
from stream_dream.settings.validation import part, validated

if TYPE_CHECKING:
    from stream_dream.automation.score import Score

REACT_DEFAULT = "default"
"""Value of ``--react`` alone."""

# Ways to say where beats are.
_BEATS = {"bpm", "offset", "beats"}


@dataclass(frozen=True, slots=True)
class OverTime:
    """What changes over time, and the rest of the options.

    Attributes:
        options: The options that do not change, as the command got them.
        names: Names of the looks, each once.
        automation: What changes; its ``looks`` are not filled in yet.
        files: Files that were read: scores, and looks.
        score: What the score says; None without one.
        looks: Looks by name as they are before the options; ``with_dreams`` adds those it loads.
    """

    options: dict[str, Any]
    names: tuple[str, ...]
    automation: Automation
    files: tuple[Path, ...]
    score: Score | None = None
    looks: dict[str, DreamSettings] = field(default_factory=dict)

    def with_dreams(
        self, *, quiet: bool, as_json: bool, stills: bool = False
    ) -> tuple[DreamSettings, Automation]:
        """Return the settings of the first look, and the automation with all looks.

        ``stills`` is True for the settings of still pictures.

        Raises:
            SettingsError: There is no such look, or an option is invalid.
        """
        dreams = tuple(
            dreamed(
                name, self.options, quiet=quiet, as_json=as_json, stills=stills, known=self.looks
            )
            for name in self.names
        )
        looks = dreams if len(dreams) > 1 else ()
        return dreams[0], self.automation.model_copy(update={"looks": looks})


def over_time(
    preset: str | Sequence[str] | None,
    options: Mapping[str, Any],
    *,
    score: Score | None = None,
    looks: Mapping[str, DreamSettings] | None = None,
) -> OverTime:
    """Separate what changes over time from what does not. Options come before the score's settings.

    Args:
        preset: Value of ``--preset``: a look, several, or looks over time; None if not given.
        options: The options of a command; None for those that were not given.
        score: A score to use where the options name none.
        looks: Looks that are known by name.

    Raises:
        SettingsError: A text is not understood, or a file cannot be read.
    """
    score = _score_of(options) or score
    known = dict(looks or {})
    rest, automation, files = automation_of(options, score)
    if automation.look_track is not None and is_default("preset"):
        preset = None
    chosen = (automation.look_track or DEFAULT_PRESET) if preset is None else preset
    names, track = looks_in(chosen if isinstance(chosen, str) else ",".join(chosen), known)
    automation = automation.model_copy(update={"look_track": track})
    read = preset_files(*(name for name in names if name not in known))
    return OverTime(rest, names, automation, (*files, *read), score, known)


def _score_of(options: Mapping[str, Any]) -> Score | None:
    from stream_dream.automation.score import read_score

    given = part(AutomationOptions, options).score
    return None if given is None else read_score(given)


def automation_of(
    options: Mapping[str, Any], score: Score | None = None
) -> tuple[dict[str, Any], Automation, tuple[Path, ...]]:
    """Return the options that do not change, the automation, and the files of its score.

    The track of looks is that of the score, if it has one. The score is read if it is not given.

    Raises:
        SettingsError: A text is not understood, or a file cannot be read.
    """
    # Imported late: --help does not wait for NumPy.
    from stream_dream.automation.assemble import Parsed
    from stream_dream.automation.changeable import OF_SOURCE, check_names
    from stream_dream.automation.journey_camera import CAMERA_NAMES, setting_of
    from stream_dream.automation.program import is_weight
    from stream_dream.automation.reaction import DEFAULT_REACTION
    from stream_dream.automation.tell_apart import tell_apart

    given = part(AutomationOptions, options)
    score = score or _score_of(options)
    origin = str(score.files[0]) if score else ""
    steering = SteeringParameters.model_fields if options.get("journey") else ()
    settings_of_score = [
        name
        for name in (score.tracks if score else ())
        if not is_weight(name) and name not in steering
    ]
    journey = _moves_camera(options)
    try:
        check_names(
            settings_of_score,
            (),
            without=OF_SOURCE if journey else (),
            also=CAMERA_NAMES if journey else (),
        )
    except SettingsError as error:
        raise SettingsError(f"{origin}: {error}") from None
    if score is not None:  # it comes before the user's defaults
        ways = _BEATS if _BEATS & score.settings.keys() else ()
        moved = map(setting_of, score.tracks)
        options = without_defaults(options, {*moved, *score.settings, *ways})
        given = part(AutomationOptions, options)
    rest, tracks = tell_apart(options, score, also=steering)
    settings = _sound_settings(given, {} if score is None else score.settings, origin)
    if settings.get("react") == REACT_DEFAULT:
        settings["react"] = DEFAULT_REACTION
    looks, curves = (score.settings.get("preset"), score.curves) if score else (None, {})
    automation = validated(
        Automation, {**settings, "tracks": tracks, "curves": curves, "look_track": looks}
    )
    parsed = Parsed.of(automation)  # only checks it
    if journey:
        parsed.check_zoom()
    return rest, automation, score.files if score else ()


def _moves_camera(options: Mapping[str, Any]) -> bool:
    """Return whether options are those of a command that has the camera of a journey."""
    return fields_with(CameraSettings, "automated") <= options.keys()


def in_a_show(settings: LiveSettings, automation: Automation) -> tuple[LiveSettings, Automation]:
    """Return settings of a show whose ``preset`` is one look, and what changes in the show.

    Several looks without times follow each other as those of ``--cycle`` do.

    Raises:
        SettingsError: ``--preset`` is not understood.
    """
    from stream_dream.automation.reaction import (
        DEFAULT_REACTION,
        SHOW_REACTION,
        STEERED_REACTION,
    )

    changes: dict[str, Any] = {}
    usual = settings.listen is not None and automation.react is None
    if usual or automation.react == DEFAULT_REACTION:
        changes["react"] = STEERED_REACTION if settings.journey else SHOW_REACTION
    looks = automation.look_track
    if looks is None or "preset" in settings.model_fields_set:  # it comes before the score
        looks = settings.preset
    names, changes["look_track"] = looks_in(looks)
    several = changes["look_track"] is None and len(names) > 1
    cycle = names if several and not settings.cycle else settings.cycle
    settings = settings.model_copy(update={"preset": names[0], "cycle": cycle})
    return settings, automation.model_copy(update=changes)


def in_a_journey(settings: JourneySettings, automation: Automation) -> Automation:
    """Return what changes in a journey: looks follow each other, and the camera reacts to sound.

    Several looks without times change every ``settings.every`` seconds, or with the bars where a
    reaction says so; that of ``--react`` alone does unless ``--every`` is given.
    """
    from stream_dream.automation.reaction import (
        DEFAULT_REACTION,
        JOURNEY_REACTION,
        JOURNEY_RHYTHM,
    )

    changes: dict[str, Any] = {"every": settings.every}
    if automation.react == DEFAULT_REACTION:
        by_clock = "every" in settings.model_fields_set
        changes["react"] = JOURNEY_RHYTHM if by_clock else JOURNEY_REACTION
    return automation.model_copy(update=changes)


def _sound_settings(
    given: AutomationOptions, scored: Mapping[str, object], origin: str
) -> dict[str, Any]:
    """Return the settings of sound: those given, and the others of a score.

    Raises:
        SettingsError: A value of the score is out of range, or two contradict each other.
    """
    settings = part(SoundSettings, scored, origin=origin).model_dump(exclude_unset=True)
    own = given.model_dump(exclude_unset=True, exclude={"score"})
    # Beats are given in one way: a way on the command line replaces the other of the score.
    if "beats" in own:
        settings = {name: settings[name] for name in settings.keys() - {"bpm", "offset"}}
    elif "bpm" in own:
        settings.pop("beats", None)
    settings |= own
    if settings.keys() >= {"bpm", "beats"}:
        raise SettingsError("--bpm and --beats both say where beats are: give one of the two")
    if "offset" in settings and "bpm" not in settings:
        raise SettingsError("--offset is the time of a beat of --bpm: give that, too")
    return settings


def looks_in(text: str, known: Collection[str] = ()) -> tuple[tuple[str, ...], str | None]:
    """Return the names of looks, and the text of their track if they have times.

    A text that is ``known``, or a file, is the name of one look.
    """
    from stream_dream.automation.look_track import LookTrack

    if text in known or os.path.isfile(text):  # unlike Path, accepts texts too long for a name
        return (text,), None
    try:
        looks = LookTrack.parse(text).looks
    except SettingsError as error:
        raise SettingsError(f"--preset: {error}") from None
    if looks != (text.strip(),):
        return looks, text
    return tuple(dict.fromkeys(name.strip() for name in text.split(","))), None
