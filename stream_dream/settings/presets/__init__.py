"""Named looks: TOML files of settings, the package's and the user's."""

from __future__ import annotations

import difflib
import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings, merged
from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings
from stream_dream.settings.presets.look_files import DEFAULT_PRESET as DEFAULT_PRESET
from stream_dream.settings.presets.look_files import (
    SURPRISE,
    YOURS,
    LookFile,
    look_file,
    look_files,
)
from stream_dream.settings.toml_file import located, read_toml, toml_lines, toml_value

_KEYS = ("description", "suits", "extends")
_OF_ONE_WORK = (OutputSettings, StillSettings, LoopSettings)


@dataclass(frozen=True, slots=True)
class Preset:
    """A named look.

    Attributes:
        name: As used in ``--preset``.
        description: One line on what it looks like.
        dream: Its settings.
        suits: What footage it suits, in a few words.
        provider: Who has made it, as in ``LookFile``.
    """

    name: str
    description: str
    dream: DreamSettings
    suits: str = ""
    provider: str = ""


def preset_names() -> list[str]:
    """Return the names of all looks that have one, the default one and the shipped ones first."""
    return list(look_files())


def presets() -> list[Preset]:
    """Return all looks that have a name, in that order; broken ones of others are left out."""
    return [preset for file in look_files().values() if (preset := _readable(file)) is not None]


def _readable(file: LookFile) -> Preset | None:
    try:
        return _read_named(file, ())
    except SettingsError as error:
        if not file.provider:
            raise
        file.warn(str(error))
        return None


def look_text(preset: Preset) -> str:
    """Return a look as the text of a preset file, every setting with its description.

    Settings that it leaves open are commented out: films and stills have defaults of their own.
    """
    dream = preset.dream
    lines = [f"{key} = {toml_value(getattr(preset, key))}" for key in ("description", "suits")]
    unset = DreamSettings.model_fields.keys() - dream.model_fields_set
    lines += ["", *toml_lines(dict(dream), DreamSettings, unset=unset)]
    return "\n".join(lines) + "\n"


def load_preset(name: str | Path) -> Preset:
    """Load a preset by its name, or a user's own TOML file by its path.

    A file holds settings by name, a ``description``, what it ``suits``, and optionally
    ``extends = "dogs"``: the preset whose values it starts from. Relative file names in it start
    from its folder.

    Raises:
        SettingsError: There is no such preset or file, or it is invalid.
    """
    return _load(str(name), ())


def _load(name: str, extending: tuple[str, ...]) -> Preset:
    """Load a look that those in ``extending`` start from. Raises ``SettingsError``."""
    if name.endswith(".toml"):
        path = Path(name)
        return _read_preset(path.stem, read_toml(path, "preset"), name, folder=path.parent)
    file = look_file(name)
    if file is None:
        near = difflib.get_close_matches(name.casefold(), preset_names(), n=1)
        known = "choose one that 'stream-dream presets' lists, or a path to a .toml file"
        hint = f"did you mean {near[0]}?" if near else known
        raise SettingsError(f"there is no preset {reprlib.repr(name)}: {hint}")
    if name in extending:
        raise SettingsError(f"{' extends '.join((*extending, name))}: one must start from nothing")
    return _read_named(file, (*extending, name))


def _read_named(file: LookFile, extending: tuple[str, ...]) -> Preset:
    if isinstance(file.file, Path) and file.provider:
        table, origin = read_toml(file.file, "preset"), str(file.file)
    else:
        table, origin = tomllib.loads(file.file.read_text(encoding="utf-8")), f"preset {file.name}"
    preset = _read_preset(file.name, table, origin, folder=file.folder, extending=extending)
    return replace(preset, provider=file.provider)


def look_name(preset: str) -> str:
    """Return the name of a look in a show: that of a file without its folder and extension."""
    return Path(preset).stem if preset.endswith(".toml") else preset


def preset_files(*names: str) -> list[Path]:
    """Return those presets that are the user's files, by their path or in the user's folder."""
    files = [Path(name) for name in names if name.endswith(".toml")]
    named = [look_file(name) for name in names if name != SURPRISE and not name.endswith(".toml")]
    return files + [Path(str(look.file)) for look in named if look and look.provider == YOURS]


def _read_preset(
    name: str,
    table: Mapping[str, Any],
    origin: str,
    *,
    folder: Path | None = None,
    extending: tuple[str, ...] = (),
) -> Preset:
    for key in _KEYS:
        if not isinstance(table.get(key, ""), str):
            raise SettingsError(f"{origin}: {key} is a text: write it in quotes")
    base = DreamSettings()
    if "extends" in table:
        if table["extends"].endswith(".toml"):
            raise SettingsError(f"{origin}: extends takes the name of a preset, not a file")
        try:
            base = _load(table["extends"], extending).dream
        except SettingsError as error:
            raise SettingsError(f"{origin}: {error}") from None
    own = {key: value for key, value in table.items() if key not in _KEYS}
    for key in own:
        if any(key in model.model_fields for model in _OF_ONE_WORK):
            raise SettingsError(f"{origin}: {key} is for one render: give it as an option")
    own = own if folder is None else located(own, folder, DreamSettings)
    dream = merged(base, own, origin=origin)
    texts = {key: table.get(key, "") for key in ("description", "suits")}
    return Preset(name=name, dream=dream, **texts)
