"""A show as a TOML file: its settings and parameters as they are when it ends, scenes, MIDI map."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from stream_dream.errors import SettingsError, SinkError, StreamDreamError
from stream_dream.live.control.show_state import DECKS, LFO_NAMES
from stream_dream.media.write.atomic import write_bytes
from stream_dream.media.write.output_paths import check_output
from stream_dream.runtime.limited_log import LimitedLog
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import typed_name
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.scenes import MOST_SCENES, Deck, Lfo, Scene, scene_name
from stream_dream.settings.toml_file import located, read_toml, toml_lines, toml_tables
from stream_dream.settings.validation import part, validated

log = logging.getLogger("stream_dream.live")

SECRET = ("token", "out")
"""Settings that hold a secret: a token, stream keys."""

_OTHERS = stat.S_IRGRP | stat.S_IROTH

MODELS: tuple[type[BaseModel], ...] = (DreamSettings, ShowParameters, LiveSettings)

# What the files begin with that shows write.
_HEAD = "# A show of stream-dream:"
_SCENES, _MIDI = "scenes", "midi_map"
# Between two writes: operators store in quick succession, and each write waits for the disk.
_REST_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ShowFile:
    """What a file holds of a show.

    Attributes:
        settings: Settings by field name: text, numbers, booleans or lists.
        scenes: Scenes by name.
        bindings: Addresses of the control surface by their MIDI control.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    scenes: Mapping[str, Scene] = field(default_factory=dict)
    bindings: Mapping[str, str] = field(default_factory=dict)


def read_config(path: Path) -> ShowFile:
    """Return what a file holds; relative paths start at its folder.

    A warning is logged if it holds a secret and other users can read it.

    Raises:
        SettingsError: It cannot be read, or holds an unknown or invalid setting, scene or binding.
    """
    table = read_toml(path, "config", sections=(_SCENES, _MIDI))
    warn_if_exposed(path, [name for name in SECRET if name in table])
    scenes = _table(table.pop(_SCENES, {}), str(path), _SCENES)
    bindings = _table(table.pop(_MIDI, {}), str(path), _MIDI)
    if len(scenes) > MOST_SCENES:
        raise SettingsError(f"{path}: there are {len(scenes)} scenes: at most {MOST_SCENES}")
    return ShowFile(
        _settings(path, table),
        dict(_scene(name, scene, str(path)) for name, scene in scenes.items()),
        {_source(source, to, str(path)): to for source, to in bindings.items()},
    )


def warn_if_exposed(path: Path, secrets: Sequence[str]) -> None:
    """Log a warning if a file holds secrets and other users can read it."""
    if secrets and os.name == "posix" and path.stat().st_mode & _OTHERS:
        named = " and ".join(secrets)
        log.warning("%s holds %s, and others can read it: chmod 600 it", path, named)


def _settings(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    from stream_dream.automation.tell_apart import tell_apart

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


def _table(value: object, origin: str, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{origin}: {what} cannot be {value!r:.40}: give a section")
    return value


def _scene(name: str, value: object, origin: str) -> tuple[str, Scene]:
    """Return name and scene. Raises ``SettingsError``, naming what is wrong."""
    try:
        name = scene_name(name)
    except SettingsError as error:
        raise SettingsError(f"{origin}: {error}") from None
    values = dict(_table(value, origin, f"scene {name!r}"))
    origin = f"{origin}: scene {name!r}"
    lfos = _table(values.get("lfos", {}), origin, "lfos")
    if unknown := [key for key in lfos if key not in LFO_NAMES]:
        known = ", ".join(LFO_NAMES)
        raise SettingsError(f"{origin}: no LFO moves {unknown[0][:40]!r}: choose one of {known}")
    for deck in DECKS:
        table = _table(values.get(deck, {}), origin, deck)
        values[deck] = validated(Deck, table, origin=f"{origin}: {deck}")
    values["lfos"] = {
        key: validated(Lfo, _table(lfo, origin, f"LFO of {key}"), origin=f"{origin}: LFO of {key}")
        for key, lfo in lfos.items()
    }
    return name, validated(Scene, values, origin=origin)


def _source(source: str, address: object, origin: str) -> str:
    """Return the MIDI control of a binding. Raises ``SettingsError``."""
    from stream_dream.live.control.midi_source import check_source

    if not isinstance(address, str):
        problem = f"{source!r} cannot be {address!r:.40}: give an address such as 'strength'"
        raise SettingsError(f"{origin}: {_MIDI}: {problem}")
    try:
        return check_source(source)
    except SettingsError as error:
        raise SettingsError(f"{origin}: {_MIDI}: {error}") from None


def write_config(path: Path, show: ShowFile, *, overwrite: bool = False) -> Path:
    """Write a show, each setting with its description; none but the user may read secrets.

    Args:
        path: The file.
        show: What it is to hold.
        overwrite: True if an existing file may be replaced.

    Returns:
        The path written: another name if the file has appeared meanwhile.

    Raises:
        SettingsError: A value cannot be written in TOML.
        SinkError: The file cannot be written.
    """
    text = _config_text(path.name, show)
    private = any(show.settings.get(name) for name in SECRET)
    return write_bytes(path, text.encode(), overwrite=overwrite, private=private)


@dataclass(slots=True)
class KeptConfig:
    """The config that a show writes; it may be the one that it was started with.

    A file that was there before, and that no show has written, is kept as ``NAME.bak``.
    """

    path: Path
    overwrite: bool
    _written: bool = False

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
        check_output(self.path, overwrite=self.overwrite, inputs=inputs, outputs=outputs)
        _config_text(self.path.name, ShowFile(values))

    def write(self, show: ShowFile) -> None:
        """Write a show, in place of what was written before; see ``write_config``."""
        if self.overwrite and not self._written:
            self._keep_that_of_others()
        written = write_config(self.path, show, overwrite=self.overwrite)
        if written != self.path:
            log.warning("%s has appeared meanwhile and was kept: see %s", self.path, written)
        self.path, self.overwrite, self._written = written, True, True

    def _keep_that_of_others(self) -> None:
        """Copy a file that no show has written. Raises ``SinkError``."""
        if not self.path.is_file():
            return
        try:
            before, mode = self.path.read_bytes(), self.path.stat().st_mode
        except OSError as error:
            raise SinkError(f"{self.path} cannot be kept as .bak: {error.strerror}") from error
        if not before.startswith(_HEAD.encode()):
            kept = self.path.with_name(f"{self.path.name}.bak")
            write_bytes(kept, before, overwrite=False, private=not mode & 0o077)


class Keeper:
    """Writes a show's config in a thread, for as long as the show runs."""

    def __init__(self, kept: KeptConfig, reached: Callable[[], ShowFile]) -> None:
        """Write nothing yet.

        Args:
            kept: The config.
            reached: Returns the show as it is now.
        """
        self._kept, self._reached = kept, reached
        self._problems = LimitedLog(log, "config: problems")
        self._asked, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="config", daemon=True)
        self._thread.start()

    def store(self) -> None:
        """Write the show soon; returns at once."""
        self._asked.set()

    def close(self) -> None:
        """Write the show as it is at the end. Raises as ``write_config`` does."""
        self._closed.set()
        self._asked.set()
        self._thread.join()
        self._kept.write(self._reached())

    def _run(self) -> None:
        while self._asked.wait() and not self._closed.is_set():
            self._asked.clear()
            try:
                self._kept.write(self._reached())
            except StreamDreamError as error:
                self._problems.warn(f"not stored: {error}")
            except Exception:
                # An unexpected error must not end the thread: the next scene may be written.
                self._problems.warn(f"{self._kept.path} was not written", trace=True)
            self._closed.wait(_REST_SECONDS)


def _config_text(name: str, show: ShowFile) -> str:
    """Return the text of a file of that name. Raises ``SettingsError``."""
    shown = os.fsencode(name).decode(errors="replace")
    head = f"{_HEAD} stream-dream live --config {' '.join(shown.split())}"
    lines = [head, *toml_lines(_with_looks_in(Path(), show.settings), *MODELS)]
    scenes = {key: scene.model_dump() for key, scene in show.scenes.items()}
    tables = toml_tables({_MIDI: show.bindings, _SCENES: scenes})
    return "\n".join(lines) + "\n" + tables


def _with_looks_in(folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings whose ``preset``, maybe looks over time, has its files in a folder.

    Raises:
        SettingsError: Looks over time are not understood.
    """
    from stream_dream.automation import look_track

    preset = values.get("preset")
    changed = {} if preset is None else {"preset": look_track.located(str(preset), folder)}
    return {**values, **changed}
