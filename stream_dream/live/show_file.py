"""A show as a TOML file: its settings, and its parameters as they are when it ends."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stream_dream.errors import SettingsError
from stream_dream.media.write.atomic import write_bytes
from stream_dream.media.write.output_paths import check_output
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import typed_name
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.toml_file import located, read_toml, toml_lines
from stream_dream.settings.validation import part, validated

log = logging.getLogger("stream_dream.live")

_OTHERS = stat.S_IRGRP | stat.S_IROTH

MODELS: tuple[type[BaseModel], ...] = (DreamSettings, ShowParameters, LiveSettings)


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a file by field name; relative paths start at its folder.

    A warning is logged if it holds the token of the page and other users can read it.

    Raises:
        SettingsError: It cannot be read, or holds an unknown or invalid setting.
    """
    from stream_dream.automation.tell_apart import tell_apart

    table = read_toml(path, "config")
    if "token" in table and os.name == "posix" and path.stat().st_mode & _OTHERS:
        log.warning("%s holds the token of the page and others can read it: chmod 600 it", path)
    fields = {typed_name(model, name): name for model in MODELS for name in model.model_fields}
    unknown = {key: value for key, value in table.items() if key not in fields}
    validated(LiveSettings, unknown, origin=str(path))  # suggests the name that was meant
    values = {fields[key]: value for key, value in table.items()}
    rest, _ = tell_apart(values)
    for model in MODELS:
        part(model, rest, origin=str(path))
    values = located(values, path.parent, *MODELS)
    try:
        return _with_looks_in(path.parent, values)
    except SettingsError as error:
        raise SettingsError(f"{path}: preset: {error}") from None


def write_config(path: Path, values: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write settings by field name, each with its description; none but the user may read a token.

    Args:
        path: The file.
        values: Settings as text, numbers, booleans or lists.
        overwrite: True if an existing file may be replaced.

    Returns:
        The path written: another name if the file has appeared meanwhile.

    Raises:
        SettingsError: A value cannot be written in TOML.
        SinkError: The file cannot be written.
    """
    text = _config_text(path.name, values)
    private = values.get("token") is not None
    return write_bytes(path, text.encode(), overwrite=overwrite, private=private)


@dataclass(frozen=True, slots=True)
class KeptConfig:
    """The config that is written when a show ends; ``read`` are those that it was started with."""

    path: Path
    read: Sequence[Path]
    overwrite: bool

    def check(
        self, values: Mapping[str, Any], *, inputs: Iterable[Path], outputs: Iterable[Path]
    ) -> None:
        """Check before the show starts that the config can be written at its end.

        Args:
            values: Settings that are known already.
            inputs: All other files that are read.
            outputs: All other files that are written.

        Raises:
            SettingsError: A value cannot be written in TOML.
            SinkError: The file must not or cannot be written.
        """
        inputs = [*self.read, *inputs]
        check_output(self.path, overwrite=self.overwrite, inputs=inputs, outputs=outputs)
        _config_text(self.path.name, values)

    def write(self, values: Mapping[str, Any]) -> None:
        """Write the settings; see ``write_config``."""
        written = write_config(self.path, values, overwrite=self.overwrite)
        if written != self.path:
            log.warning("%s has appeared meanwhile and was kept: see %s", self.path, written)


def _config_text(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of a file of that name. Raises ``SettingsError``."""
    shown = os.fsencode(name).decode(errors="replace")
    head = f"# A show of stream-dream: stream-dream live --config {' '.join(shown.split())}"
    return "\n".join([head, *toml_lines(_with_looks_in(Path(), values), *MODELS)]) + "\n"


def _with_looks_in(folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings whose ``preset``, maybe looks over time, has its files in a folder.

    Raises:
        SettingsError: Looks over time are not understood.
    """
    from stream_dream.automation import look_track

    preset = values.get("preset")
    changed = {} if preset is None else {"preset": look_track.located(str(preset), folder)}
    return {**values, **changed}
