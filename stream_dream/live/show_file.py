"""A show in a TOML file: what was given on the command line, and where the show has got to."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stream_dream.media.write.atomic import write_text
from stream_dream.media.write.output_paths import check_output
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import typed_name
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.toml_file import located, read_toml, toml_lines
from stream_dream.settings.validation import part, validated

log = logging.getLogger("stream_dream.live")

MODELS: tuple[type[BaseModel], ...] = (DreamSettings, ShowParameters, LiveSettings)


def read_config(path: Path) -> dict[str, Any]:
    """Return the settings of a file, by field name; files from its folder on.

    Raises:
        SettingsError: It cannot be read, or holds what is no setting.
    """
    table = read_toml(path, "config")
    fields = {typed_name(model, name): name for model in MODELS for name in model.model_fields}
    unknown = {key: value for key, value in table.items() if key not in fields}
    validated(LiveSettings, unknown, origin=str(path))  # says what was meant
    values = {fields[key]: value for key, value in table.items()}
    for model in MODELS:
        part(model, values, origin=str(path))
    return located(values, path.parent, *MODELS)


def write_config(path: Path, values: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Write settings by field name, each with what it means.

    Args:
        path: The file.
        values: Settings as text, numbers, booleans or lists.
        overwrite: True if an existing file may be replaced.

    Returns:
        The name it has got: another one where the file has appeared meanwhile.

    Raises:
        SettingsError: A value cannot be written in TOML.
        SinkError: The file cannot be written.
    """
    return write_text(path, _config_text(path.name, values), overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class KeptConfig:
    """The config that is written when a show ends.

    Attributes:
        path: The file.
        read: The configs that the show was begun with.
        overwrite: True if an existing file may be replaced.
    """

    path: Path
    read: Sequence[Path]
    overwrite: bool

    def check(
        self, values: Mapping[str, Any], *, inputs: Iterable[Path], outputs: Iterable[Path]
    ) -> None:
        """Refuse, before the show begins, what could not be written at its end.

        Args:
            values: The settings that are known already.
            inputs: All other files that are read.
            outputs: What else is written.

        Raises:
            SettingsError: A value cannot be written in TOML.
            SinkError: The file must not or cannot be written.
        """
        inputs = [*self.read, *inputs]
        check_output(self.path, overwrite=self.overwrite, inputs=inputs, outputs=outputs)
        _config_text(self.path.name, values)

    def write(self, values: Mapping[str, Any]) -> None:
        """Write the settings, as ``write_config`` does."""
        written = write_config(self.path, values, overwrite=self.overwrite)
        if written != self.path:
            log.warning("%s has appeared meanwhile and was kept: see %s", self.path, written)


def _config_text(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of a file of that name. Raises ``SettingsError``."""
    shown = os.fsencode(name).decode(errors="replace")
    head = f"# A show of stream-dream: stream-dream live --config {' '.join(shown.split())}"
    return "\n".join([head, *toml_lines(values, *MODELS)]) + "\n"
