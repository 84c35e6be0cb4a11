"""Reads TOML files of settings: presets and configs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stream_dream.errors import SettingsError
from stream_dream.setting_values import members

# Texts that name a file where they end in one of these, and else a network or look.
_FILES = (".keras", ".h5", ".hdf5", ".toml")
_FILES_OR_NAMES = ("network", "preset", "presets", "cycle")


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Read a file of settings.

    Args:
        path: The file; Windows' byte order mark at its beginning is no part of it.
        what: What the file is, for messages.

    Raises:
        SettingsError: It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError:
        reason = "it is not in UTF-8: save it in that encoding"
    except tomllib.TOMLDecodeError as error:
        reason = f"it is not valid TOML: {error}"
    except ValueError as error:  # no file can have that name
        reason = str(error)
    raise SettingsError(f"{what} {path} cannot be read: {reason}")


def located(values: Mapping[str, Any], folder: Path, *models: type[BaseModel]) -> dict[str, Any]:
    """Return settings whose relative file names are looked up from a folder.

    Args:
        values: Settings as a file or the command line has them, by name.
        folder: Where relative names begin.
        models: The models of these settings.
    """
    paths = {
        name
        for model in models
        for name, field in model.model_fields.items()
        if Path in members(field.annotation)
    }

    def at(value: str) -> str:
        return str(folder.absolute() / value)

    def if_file(value: object) -> object:
        if isinstance(value, list | tuple):
            return [if_file(item) for item in value]
        if not isinstance(value, str):
            return value
        names = (name.strip() for name in value.split(","))
        return ",".join(at(name) if name.endswith(_FILES) else name for name in names)

    found = dict(values)
    for name, value in values.items():
        if name in _FILES_OR_NAMES:
            found[name] = if_file(value)
        elif isinstance(value, Path) or (isinstance(value, str) and name in paths):
            found[name] = at(str(value)) if str(value) else value
        elif name == "source" and isinstance(value, str) and _is_file(value):
            found[name] = at(value)
    return found


def _is_file(source: str) -> bool:
    """Return whether a live source is a file, and not a camera, a stream or the test picture."""
    return bool(source) and not (
        source == "test" or source.isdecimal() or re.match(r"\w+://", source)
    )
