"""Reads and writes TOML files of settings: presets, configs and scores."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stream_dream.errors import SettingsError
from stream_dream.settings.fields import fact, kinds, names_file, typed_name
from stream_dream.settings.values import OFF

# Characters of a file: a million lines of a curve have a third of them.
_MOST = 64 * 2**20


def read_toml(path: Path, what: str, *, sections: Collection[str] = ()) -> dict[str, Any]:
    """Read a file of settings, skipping a byte order mark; messages call its kind ``what``.

    Raises:
        SettingsError: It cannot be read, or has other sections than those named.
    """
    text = read_text(path, what)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = f"it is not valid TOML: {error}"
    except ValueError:
        reason = "a number in it has too many digits"
    except RecursionError:
        reason = "its lists are nested too deeply"
    else:
        for key, value in table.items():
            if isinstance(value, dict) and key not in sections:
                raise SettingsError(f"{path}: {_section_problem(key, what, sections)}")
        return table
    raise SettingsError(f"{what} {path} cannot be read: {reason}")


def _section_problem(key: str, what: str, sections: Collection[str]) -> str:
    shown = (key if key.isprintable() else repr(key))[:80]
    near = difflib.get_close_matches(key, sections, n=1)
    if near and key.isprintable():
        return f"there is no section [{shown}]: did you mean [{near[0]}]?"
    known = f" but {', '.join(f'[{name}]' for name in sections)}" if sections else ""
    return f"a {what} has no sections{known}: write settings above [{shown}]"


def read_text(path: Path, what: str) -> str:
    """Read a text in UTF-8, skipping a byte order mark; messages call its kind ``what``.

    Raises:
        SettingsError: It cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_MOST + 1)
        if len(text) <= _MOST:
            return text
        reason = f"it has more than {_MOST // 2**20} million characters: is it another file?"
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError:
        reason = "it is not in UTF-8: save it in that encoding"
    except ValueError as error:  # a name that no file can have
        reason = str(error)
    raise SettingsError(f"{what} {path} cannot be read: {reason}")


def toml_lines(
    values: Mapping[str, Any], *models: type[BaseModel], unset: Collection[str] = ()
) -> list[str]:
    """Return settings as lines of TOML with their descriptions; file names become absolute.

    Args:
        values: The settings by field name, given or parsed.
        models: Their models, in the order of the lines.
        unset: Names of settings to write as commented-out lines.

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
            text = "" if value is None else f" {toml_value(_number(value, field))}"
            mark = "# " if value is None or name in unset else ""
            lines.append(f"{mark}{typed_name(model, name)} ={text}  # {field.description}")
    return lines


def _number(value: Any, field: FieldInfo) -> Any:
    """Return the number that a text, from a command line, gives for a field of numbers."""
    for kind in (int, float):
        if isinstance(value, str) and kind in kinds(field):
            with suppress(ValueError):
                return kind(value)
    return value


def toml_tables(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Return tables by name as TOML, each after an empty line; empty ones are left out.

    Raises:
        SettingsError: UTF-8 cannot encode a text in them.
    """
    text = tomli_w.dumps({name: table for name, table in tables.items() if table})
    try:
        # As in ``toml_value``.
        text = text.encode(errors="surrogateescape").decode()
    except UnicodeError:
        problem = "a file of settings is UTF-8: give a look another name"
        raise SettingsError(problem) from None
    return f"\n{text}" if text else ""


def toml_value(value: object) -> str:
    """Return a value as TOML. Raises ``SettingsError`` if UTF-8 cannot encode it."""
    # JSON and TOML write strings, numbers, booleans and lists alike, except escapes over 16 bits.
    text = json.dumps(value, default=str, ensure_ascii=False).replace("\x7f", "\\u007f")
    try:
        # Arguments in a locale without UTF-8 may be UTF-8 nevertheless.
        return text.encode(errors="surrogateescape").decode()
    except UnicodeError:
        shown = json.dumps(value, default=str)
        problem = f"a file of settings is UTF-8 and cannot hold {shown}"
        raise SettingsError(f"{problem}: give what it names another name") from None


def located(values: Mapping[str, Any], folder: Path, *models: type[BaseModel]) -> dict[str, Any]:
    """Return settings, not yet parsed, with relative file names resolved against a folder."""
    found = dict(values)
    for model in models:
        for name, field in model.model_fields.items():
            if name in values:
                found[name] = _located(values[name], folder, field)
    return found


def _located(value: object, folder: Path, field: FieldInfo) -> object:
    if isinstance(value, list | tuple):
        return [_located(item, folder, field) for item in value]
    if isinstance(value, str) and fact(field, "looks") and fact(field, "file"):
        names = [name.strip() for name in value.split(",")]
        return ",".join(_at(folder, name) if names_file(field, name) else name for name in names)
    return _at(folder, str(value)) if names_file(field, value) else value


def _at(folder: Path, name: str) -> str:
    return str(folder.absolute() / name)
