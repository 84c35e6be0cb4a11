"""The looks of a show: their settings, and what its config keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stream_dream.cli.options import dreamed
from stream_dream.live.control.show_state import OF_A_LOOK, parameters_of
from stream_dream.live.show_file import ShowFile
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import fields_with
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.presets import look_name

if TYPE_CHECKING:
    from stream_dream.live.app import LiveApp

# Dream settings that describe the machine rather than the look: they hold for every look.
_OF_EVERY_LOOK = fields_with(DreamSettings, "of_every_look")


def looks_at_hand(settings: LiveSettings, automation: Automation) -> list[str]:
    """Return the names of all looks of a show, those of a score included, each once."""
    names = (*settings.presets, *settings.cycle, settings.preset, *_looks_of_track(automation))
    return list(dict.fromkeys(names))


def _looks_of_track(automation: Automation) -> tuple[str, ...]:
    """Return the names of the looks of a score's track, if it has one."""
    if automation.look_track is None:
        return ()
    from stream_dream.automation.look_track import LookTrack

    return LookTrack.parse(automation.look_track).looks


def show_dreams(
    names: Sequence[str],
    settings: LiveSettings,
    given: Mapping[str, Any],
    *,
    as_json: bool,
    quiet: bool,
) -> dict[str, DreamSettings]:
    """Return the settings of looks by name.

    Args:
        names: Names of looks, or their files.
        settings: Settings of the show, whose ``preset`` gets all that is given.
        given: Settings by field name; the other looks get those that hold for every look.
        as_json: True if standard output is for JSON.
        quiet: True to print no surprise.

    Raises:
        SettingsError: There is no such look, or a setting is invalid.
    """
    if "cuts" not in given and (settings.source.isdecimal() or settings.source.startswith("/dev/")):
        given = {**given, "cuts": False}  # a camera has none, but a strobe looks like one
    of_all = {name: value for name, value in given.items() if name in _OF_EVERY_LOOK}
    dreams = {}
    for name in names:
        changes = given if name == settings.preset else of_all
        dreams[look_name(name)] = dreamed(name, changes, as_json=as_json, quiet=quiet)
    return dreams


def looks_in_a_show(
    dreams: Mapping[str, DreamSettings], automation: Automation
) -> dict[str, DreamSettings]:
    """Return looks adapted to a show; they name the layers whose weights change."""
    from stream_dream.automation.assemble import Parsed
    from stream_dream.automation.changeable import with_layers
    from stream_dream.live.engine.live_dream import for_live

    changing = Parsed.of(automation).changing
    return {name: with_layers(for_live(dream), changing) for name, dream in dreams.items()}


def reached_show(
    given: Mapping[str, Any],
    settings: LiveSettings,
    automation: Automation,
    dreams: Mapping[str, DreamSettings],
    app: LiveApp,
) -> ShowFile:
    """Return what a file is to hold of a show; see ``reached_settings``."""
    values = reached_settings(given, settings, automation, dreams, app)
    return ShowFile(values, app.controls.scenes, app.midi.bindings)


def reached_settings(
    given: Mapping[str, Any],
    settings: LiveSettings,
    automation: Automation,
    dreams: Mapping[str, DreamSettings],
    app: LiveApp,
) -> dict[str, Any]:
    """Return the given settings, updated to the show's current look and parameters.

    Args:
        given: Settings by field name, as they were given.
        settings: Those of the show, as they were when it began.
        automation: What changes over time.
        dreams: Settings of all looks, by name.
        app: The show.
    """
    from stream_dream.live.engine.live_dream import for_live, step_factor

    kept, target = dict(given), app.controls.target
    look, idle = app.controls.look, app.controls.idle - {"reactivity"}
    if automation.look_track is None and look != look_name(settings.preset):
        # Settings given for the first look do not hold for this one.
        alien = set(DreamSettings.model_fields) - _OF_EVERY_LOOK
        kept = {name: value for name, value in kept.items() if name not in alien}
        kept["preset"] = next(
            (name for name in looks_at_hand(settings, automation) if look_name(name) == look), look
        )
        if settings.cycle:  # it may be that of several looks in ``preset``
            kept["cycle"] = list(settings.cycle)
    kept |= {
        name: getattr(target, name)
        for name in ShowParameters.model_fields
        if name not in automation.tracks and name not in idle
    }
    if automation.look_track is not None:
        return kept  # and its looks bring their parameters
    dream, octaves = dreams[look], target.octaves
    if octaves != parameters_of(for_live(dream)).octaves and "octaves" not in automation.tracks:
        kept["octaves"] = octaves
        dream = dream.model_copy(update={"octaves": octaves})  # sets the length of a step
    usual = parameters_of(for_live(dream))
    for name in OF_A_LOOK:
        value = getattr(target, name)
        if name not in {*automation.tracks, *idle} and value != getattr(usual, name):
            longer = step_factor(dream) if name == "step_size" else 1
            kept[name] = value / longer if longer != 1 else value
    return kept
