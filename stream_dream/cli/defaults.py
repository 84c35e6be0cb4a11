"""Defaults of options: the user's ``config.toml``."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from stream_dream.cli.options import SETTINGS
from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, fact, typed_name
from stream_dream.settings.toml_file import located, read_toml
from stream_dream.settings.user_folder import config_exists, config_file
from stream_dream.settings.validation import part
from stream_dream.settings.values import OFF

SECTIONS = ("render", "image", "loop", "journey", "live")
"""Commands with a section in the file; ``plan`` takes that of the render that it is for."""

# A given option drops the default of the other one.
_EITHER = (("bpm", "beats"), ("offset", "beats"), ("workers", "batch"))
# Options that name a file with all settings, to which nothing is added: it says all.
_WHOLE = ("config", "like")
# Defaults that wait for another option, without which they are errors.
_NEEDS = {"https": "web", "osc_allow": "osc", "osc_reply": "osc", "offset": "bpm"}

# What "none" is a value of: it lifts the preset's, too.
_TAKE_NONE = [name for name, field in DreamSettings.model_fields.items() if OFF in field.metadata]


@dataclass(frozen=True, slots=True)
class Default:
    """A default that the user has set.

    Attributes:
        value: As TOML has it; names of files are absolute.
        origin: Where it is set: the file, and its section if it is in one.
    """

    value: Any
    origin: str


# Of the command that runs, by name: what its options do not give.
_in_force: dict[str, Default] = {}


def add_defaults(command: str, options: dict[str, Any]) -> None:
    """Fill in the user's defaults for options that are not given; ``none`` leaves one out.

    Raises:
        SettingsError: The user's file is wrong.
    """
    _in_force.clear()
    from_file = any(options.get(name) is not None for name in _WHOLE)
    if command not in (*SECTIONS, "plan") or from_file:
        return
    given = {name for name, value in options.items() if value not in (None, (), [])}
    either = (*_EITHER, ("preset", "presets")) if command in ("loop", "journey") else _EITHER
    dropped = {other for a, b in either for one, other in ((a, b), (b, a)) if one in given}
    defaults = user_defaults(command)
    for name in given & defaults.keys():
        if _is_none(options[name]) and name not in _TAKE_NONE:
            options[name] = None
    for name, default in defaults.items():
        needed = _NEEDS.get(name)
        waits = needed in options and needed not in given | defaults.keys()
        if name not in given | dropped and not waits:
            _in_force[name] = default
    for name, default in _in_force.items():
        several = isinstance(options[name], list | tuple)  # typer makes a list of it
        listed = isinstance(default.value, list)
        options[name] = [default.value] if several and not listed else default.value


def _is_none(value: Any) -> bool:
    """Return whether an option says to leave out its default."""
    return value == "none" or (isinstance(value, list | tuple) and [*value] == ["none"])


def is_default(name: str) -> bool:
    """Return whether the command has a setting from the user's defaults."""
    return name in _in_force


def without_defaults(
    options: Mapping[str, Any], names: Collection[str] | None = None
) -> dict[str, Any]:
    """Return options without the user's defaults, or those alone that have some names."""
    dropped = _in_force.keys() & (_in_force if names is None else names)
    return {key: value for key, value in options.items() if key not in dropped}


def where_set(message: str) -> str:
    """Return where defaults are set that an error message names, as its end; "" if it does not."""
    named = [name for name in _in_force if re.search(_mentioned(name), message)]
    flags = ", ".join(f"--{name.replace('_', '-')}" for name in named)
    return f" ({flags}: set in {_in_force[named[0]].origin})" if named else ""


def _mentioned(name: str) -> str:
    option = name.replace("_", "-")
    return rf"--{option}(?![\w-])|(?<![\w-]){option} was "  # the latter of a film that is resumed


def user_defaults(command: str) -> dict[str, Default]:
    """Return the user's defaults of a command by name.

    Raises:
        SettingsError: The file is wrong, in whatever section.
    """
    section = "render" if command == "plan" else command
    found: dict[str, Default] = {}
    for (of, origin), table in _tables().items():
        if of in ("", section):
            own = {name: value for name, value in table.items() if name in defaultable(command)}
            own = _located(own, command)
            found |= {name: Default(value, origin) for name, value in own.items()}
    return found


def defaultable(command: str) -> list[str]:
    """Return the names of a command's settings that may have a default.

    What to dream may not: that is a look.
    """
    names = [
        name
        for model in SETTINGS[command]
        for name, field in model.model_fields.items()
        if fact(field, "heading") != Heading.WHAT
    ]
    return list(dict.fromkeys(["preset", *names]))


def _tables() -> dict[tuple[str, str], dict[str, Any]]:
    """Return the checked tables of the file, by section and origin; "" is that of all commands."""
    if not config_exists():
        return {}
    path = config_file()
    table = read_toml(path, "config", sections=SECTIONS)
    sections = {key: table.pop(key) for key in SECTIONS if isinstance(table.get(key), dict)}
    fields = {
        typed_name(model, name): name
        for model in SETTINGS["journey"]
        for name in model.model_fields.keys() & {*defaultable("journey")}
    }
    found = {}
    for section, typed in {"": table, **sections}.items():
        values = {fields.get(name, name): value for name, value in typed.items()}
        origin = f"{path} [{section}]" if section else str(path)
        commands = (section,) if section else SECTIONS
        _check_keys(values, origin, commands)
        for command in commands:
            _check_values(values, origin, command)
        found[section, origin] = values
    return found


def _check_keys(values: Mapping[str, Any], origin: str, commands: Collection[str]) -> None:
    """Raise ``SettingsError`` if a key is no setting of these commands."""
    known = [name for command in commands for name in defaultable(command)]
    of_looks = [typed_name(DreamSettings, name) for name in DreamSettings.model_fields]
    for key in values:
        if key in known:
            continue
        others = [f"[{name}]" for name in SECTIONS if key in defaultable(name)]
        near = difflib.get_close_matches(key, known, n=1)
        if others:
            hint = f"it belongs to {' or '.join(others)}"
        elif key in of_looks:
            hint = 'it makes a look: write looks/NAME.toml, and here preset = "NAME"'
        else:
            hint = f"did you mean {near[0]}?" if near else "see stream-dream help settings"
        raise SettingsError(f"{origin}: {key[:80]!r} cannot have a default: {hint}")


def _check_values(values: Mapping[str, Any], origin: str, command: str) -> None:
    """Raise ``SettingsError`` if a value is wrong for a command that has it."""
    # Imported late: --help does not wait for NumPy.
    from stream_dream.automation.tell_apart import tell_apart

    own = {name: value for name, value in values.items() if name in defaultable(command)}
    preset = own.get("preset", "")
    if not isinstance(preset, str):
        raise SettingsError(f"{origin}: preset cannot be {preset!r:.80}: give text in quotes")
    rest, _ = tell_apart(own)
    for model in SETTINGS[command]:
        part(model, rest, origin=origin)
    _located(own, command)


def _located(values: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Return values whose files are looked up from the folder of the user's file.

    Files that are written start where the command does.
    """
    from stream_dream.automation import look_track

    models, folder = SETTINGS[command], config_file().parent
    found = {name: _expanded(value) for name, value in values.items()}
    written = {
        name
        for model in models
        for name, field in model.model_fields.items()
        if fact(field, "heading") == Heading.OUTPUT
    }
    read = {name: value for name, value in found.items() if name not in written}
    found |= located(read, folder, *models)
    if "preset" in found:
        found["preset"] = look_track.located(found["preset"], folder)
    return found


def _expanded(value: Any) -> Any:
    """Return a value with the user's home in place of ``~/``, which a shell would expand."""
    home = isinstance(value, str) and value.startswith("~/")
    return os.path.expanduser(value) if home else value
