"""The command ``stream-dream config``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import ConfigAnswer, InForce
from stream_dream.cli.defaults import SECTIONS, Default, user_defaults
from stream_dream.cli.options import SETTINGS, AsJson, Debug, default_text, print_table
from stream_dream.errors import SettingsError
from stream_dream.live.show_file import SECRET
from stream_dream.settings.dream import DreamSettings, for_stills, merged
from stream_dream.settings.fields import typed_name
from stream_dream.settings.presets import DEFAULT_PRESET, load_preset
from stream_dream.settings.presets.look_files import SURPRISE, YOURS, look_files
from stream_dream.settings.user_folder import config_exists, config_file, looks_folder
from stream_dream.settings.validation import own

_COMMANDS = (*SECTIONS, "plan")


def show_config(
    command: Annotated[
        str | None,
        typer.Argument(
            help="Show every setting of this command, not only those that you have set.",
            autocompletion=lambda: list(_COMMANDS),
        ),
    ] = None,
    as_json: AsJson = False,
    _: Debug = False,
) -> None:
    """Show your defaults of options and your looks, and where they are."""
    if command is not None and command not in _COMMANDS:
        raise SettingsError(f"{command!r} has no defaults: choose one of {', '.join(_COMMANDS)}")
    looks = [look.name for look in look_files().values() if look.provider == YOURS]
    if as_json:
        _print_json(_COMMANDS if command is None else (command,), looks)
        return
    typer.echo(f"defaults: {config_file()}{'' if config_exists() else ' (not there)'}")
    typer.echo(f"looks:    {looks_folder()} ({', '.join(looks) or 'none'})")
    if command is not None:
        every = [(key, _text(key, one), _short(one)) for key, one in _in_force(command).items()]
        print_table(every, "setting", "value", "from")
        return
    users: dict[tuple[str, str, str], list[str]] = {}
    for name in SECTIONS:
        for key, one in user_defaults(name).items():
            users.setdefault((key, _text(key, one), _short(one)), []).append(name)
    if users:
        rows = [(key, text, origin, ", ".join(of)) for (key, text, origin), of in users.items()]
        print_table(rows, "setting", "value", "from", "for")
    else:
        typer.echo("nothing is set: stream-dream config render shows the defaults")


def _print_json(commands: tuple[str, ...], looks: list[str]) -> None:
    settings = {
        command: {
            name: InForce(value=_plain(name, default.value), origin=default.origin)
            for name, default in _in_force(command).items()
        }
        for command in commands
    }
    json_lines.emit(
        ConfigAnswer(
            file=str(config_file()),
            exists=config_exists(),
            looks_folder=str(looks_folder()),
            looks=tuple(looks),
            settings=settings,
        )
    )


def _in_force(command: str) -> dict[str, Default]:
    """Return every setting of a command if no option is given.

    Raises:
        SettingsError: The user's file is wrong, or names a look that is not there.
    """
    from stream_dream.automation.tell_apart import tell_apart

    defaults = user_defaults(command)
    preset = defaults.get("preset", Default(DEFAULT_PRESET, "default"))
    name, look = _first_look(preset.value)
    rest, _ = tell_apart({name: default.value for name, default in defaults.items()})
    given = own(DreamSettings, rest)
    dream = for_stills(look, given) if command == "image" else merged(look, given)
    found = {"preset": preset}
    for model in SETTINGS[command]:
        for key, field in model.model_fields.items():
            value, origin = field.default, "default"
            if model is DreamSettings:
                value = getattr(dream, key)
                if key in look.model_fields_set and value == getattr(look, key):
                    origin = f"preset {name}"
            found.setdefault(typed_name(model, key), Default(value, origin))
    return found | defaults


def _first_look(preset: str) -> tuple[str, DreamSettings]:
    """Return name and settings of a look, or of the first of several."""
    from stream_dream.automation.look_track import LookTrack

    if not preset.endswith(".toml"):
        preset = (LookTrack.parse(preset).looks or (preset,))[0]
    return preset, DreamSettings() if preset == SURPRISE else load_preset(preset).dream


def _text(name: str, default: Default) -> str:
    value = _plain(name, default.value)
    return default_text(tuple(value) if isinstance(value, list) else value)


def _short(default: Default) -> str:
    """Return where a default is set, without the folder, which stands above the table."""
    return default.origin.replace(str(config_file()), config_file().name)


def _plain(name: str, value: Any) -> Any:
    """Return a value as JSON has it, without secrets."""
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if name in SECRET and value is not None:
        return "(secret)"
    return value if value is None or isinstance(value, bool | int | float) else str(value)
