"""Reads and writes TOML files of settings: presets and configs."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stream_dream.errors import SettingsError
from stream_dream.settings.fields import fact, names_file, typed_name
from stream_dream.settings.values import OFF


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a file of settings.

    Args:
        path: The file; Windows' byte order mark at its beginning is no part of it.
        what: What the file is, for messages.

    Raises:
        SettingsError: It cannot be read, or has sections.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError:
        reason = "it is not in UTF-8: save it in that encoding"
    except tomllib.TOMLDecodeError as error:
        reason = f"it is not valid TOML: {error}"
    except ValueError as error:  # no file can have that name
        reason = str(error)
    else:
        for key, value in table.items():
            if isinstance(value, dict):
                problem = f"a {what} has no sections: write settings above [{key}]"
                raise SettingsError(f"{path}: {problem}")
        return table
    raise SettingsError(f"{what} {path} cannot be read: {reason}")


def toml_lines(
    values: Mapping[str, Any], *models: type[BaseModel], unset: Collection[str] = ()
) -> list[str]:
    """Return settings as lines of TOML, each with what it means; they may be kept in any folder.

    Args:
        values: The settings by field name, as they were given or read.
        models: The models of these settings, in the order of the lines.
        unset: Those that are written as comments, for whoever may want to set them.

    Raises:
        SettingsError: A value cannot be written in TOML.
    """
    values = located(values, Path(), *models)
    lines = []
    for model in models:
        for name, field in model.model_fields.items():
            if name not in values:
                continue
            value = values[name]
            if value is None and name not in unset and OFF in field.metadata:
                value = "none"
            text = "" if value is None else f" {toml_value(value)}"
            mark = "# " if value is None or name in unset else ""
            lines.append(f"{mark}{typed_name(model, name)} ={text}  # {field.description}")
    return lines


def toml_value(value: object) -> str:
    """Write a value in TOML. Raises ``SettingsError`` if that cannot be."""
    # JSON's strings, numbers, booleans and lists are TOML's, but for its escapes beyond 16 bits.
    text = json.dumps(value, default=str, ensure_ascii=False).replace("\x7f", "\\u007f")
    try:
        # What the command line gives in a locale without UTF-8 may be UTF-8 nevertheless.
        return text.encode(errors="surrogateescape").decode()
    except UnicodeError:
        shown = json.dumps(value, default=str)
        problem = f"a file of settings is UTF-8 and cannot hold {shown}"
        raise SettingsError(f"{problem}: give what it names another name") from None


def located(values: Mapping[str, Any], folder: Path, *models: type[BaseModel]) -> dict[str, Any]:
    """Return settings whose relative file names are looked up from a folder.

    Args:
        values: Settings as a file or the command line has them, by field name.
        folder: Where relative names begin.
        models: The models of these settings.
    """
    found = dict(values)
    for model in models:
        for name, field in model.model_fields.items():
            if name in values:
                found[name] = _located(values[name], folder, field)
    return found


def _located(value: object, folder: Path, field: FieldInfo) -> object:
    if isinstance(value, list | tuple):
        return [_located(item, folder, field) for item in value]
    if isinstance(value, str) and fact(field, "looks"):
        names = [name.strip() for name in value.split(",")]
        return ",".join(_at(folder, name) if names_file(field, name) else name for name in names)
    return _at(folder, str(value)) if names_file(field, value) else value


def _at(folder: Path, name: str) -> str:
    return str(folder.absolute() / name)
