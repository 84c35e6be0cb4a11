"""A show in a TOML file: what was given on the command line, and where the show has got to."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stream_dream.errors import SettingsError
from stream_dream.live_settings import LiveSettings, ShowParameters
from stream_dream.settings import DreamSettings, typed_name, validated
from stream_dream.settings_file import located, read_toml

MODELS: tuple[type[BaseModel], ...] = (DreamSettings, ShowParameters, LiveSettings)
PRESET = "preset"


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a file, by field name, and ``preset``; files from its folder on.

    Raises:
        SettingsError: It cannot be read, or holds what is no setting.
    """
    table = read_toml(path, "config")
    if not isinstance(table.get(PRESET, ""), str):
        raise SettingsError(f"{path}: {PRESET} is a text: write it in quotes")
    fields = {typed_name(model, name): name for model in MODELS for name in model.model_fields}
    for key, value in table.items():
        if isinstance(value, dict):
            raise SettingsError(f"{path}: a config has no sections: write settings above [{key}]")
        if key != PRESET and key not in fields:
            validated(LiveSettings, {key: value}, origin=str(path))  # says what was meant
    values = {fields.get(key, key): value for key, value in table.items()}
    return located(values, path.parent, *MODELS)


def write_config(path: Path, values: Mapping[str, Any]) -> None:
    """Write settings by field name, each with what it means; an existing file is replaced.

    Args:
        path: A file that belongs to the show: its earlier state is what is replaced.
        values: Settings as text, numbers, booleans or lists.

    Raises:
        SettingsError: It cannot be written.
    """
    values = located(values, Path(), *MODELS)  # the file may lie anywhere
    lines = ["# A show of stream-dream: stream-dream live --config " + path.name]
    if PRESET in values:
        lines.append(f"{PRESET} = {_toml(values[PRESET])}  # The look to begin with.")
    for model in MODELS:
        for name, field in model.model_fields.items():
            if values.get(name) is not None:
                value = _toml(values[name])
                lines.append(f"{typed_name(model, name)} = {value}  # {field.description}")
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        raise SettingsError(f"config {path} cannot be written: {error.strerror}") from error


def _toml(value: object) -> str:
    # JSON's strings, numbers, booleans and lists are TOML's, but for its escapes beyond 16 bits.
    return json.dumps(value, default=str, ensure_ascii=False)
