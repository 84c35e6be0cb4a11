"""Scores: TOML files of settings over time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from stream_dream.automation.changeable import automated_fields
from stream_dream.automation.journey_camera import (
    CAMERA_NAMES,
    CAMERA_SETTINGS,
    RATES,
    check_unit,
    check_zoom,
    pair_tracks,
)
from stream_dream.automation.look_track import LookTrack, located
from stream_dream.automation.parser import RESERVED
from stream_dream.automation.reaction import DEFAULT_REACTION, Reaction
from stream_dream.automation.score_path import path_texts
from stream_dream.automation.text import plainly, shown
from stream_dream.automation.track import Track
from stream_dream.errors import SettingsError
from stream_dream.settings.journey import PAIR_RANGES
from stream_dream.settings.presets import load_preset
from stream_dream.settings.presets.surprise import SURPRISE
from stream_dream.settings.toml_file import read_toml
from stream_dream.settings.values import parse_path

WEIGHTS = ("layer", "class", "guide_layer")
"""Sections of weights over time, by target as on the command line."""

_SECTIONS = (*WEIGHTS, "curves")
_CURVE = "curves."
_PATH = "path"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Score:
    """Settings over time, checked as far as they can be without the film.

    Attributes:
        tracks: Texts of tracks by setting: ``strength``, ``layer.block10``, ``class.tabby cat``.
        curves: CSV files by the names that formulas have for them.
        settings: Those given of ``preset`` and ``react``, texts; ``bpm`` and ``offset``, numbers;
            ``beats`` and ``soundtrack``, paths. Names of files are absolute.
        files: The score, those that it extends, and its curves.
    """

    tracks: dict[str, str]
    curves: dict[str, Path]
    settings: dict[str, object]
    files: tuple[Path, ...]


class _Entry(NamedTuple):
    """A value of a score; ``name`` is ``layer.block10`` for one in a section."""

    file: Path
    name: str
    value: Any

    def read(self, reader: Callable[[Path, Any], Any]) -> Any:
        """Return what a reader makes of the file and the value; errors name both."""
        try:
            return reader(self.file, self.value)
        except SettingsError as error:
            raise SettingsError(f"{self.file}: {plainly(self.name)}: {error}") from None


def read_score(path: Path) -> Score:
    """Read a score. File names in it start at its folder; ``extends`` names another score.

    Whether its tracks belong to settings that can change is for the caller to check.

    Raises:
        SettingsError: It cannot be read, or a value is not understood; the message names file,
            setting, key and column.
    """
    files = list(_with_extended(path))
    entries = _all_entries(files)
    curves = {}
    for name, entry in entries.items():
        if name.startswith(_CURVE):
            _check_name(entry.file, name.removeprefix(_CURVE))
            curves[name.removeprefix(_CURVE)] = entry.read(_file)

    def track(name: str, file: Path, value: Any) -> str:
        text = _text_of(value)
        parsed = Track.parse(text, names=curves, rate=name in RATES)
        check_unit(name, parsed)
        if name == "zoom":
            check_zoom(parsed)
        return text

    def reaction(file: Path, value: Any) -> str:
        text = DEFAULT_REACTION if value is True else _text(file, value)
        Reaction.parse(text, names=curves)
        return text

    readers = {**_READERS, "react": reaction}
    tracks, settings = {}, {}
    for name, entry in entries.items():
        if name in readers:
            settings[name] = entry.read(readers[name])
        elif not name.startswith(_CURVE):
            tracks[name] = entry.read(partial(track, name))
    return Score(tracks, curves, settings, (*(file for file, _ in files), *curves.values()))


def _all_entries(files: Iterable[tuple[Path, dict[str, Any]]]) -> dict[str, _Entry]:
    """Return the values of scores by name; those of the first come before those of the next."""
    files = list(files)
    curves = [name for _, table in files for name in _section(table, "curves")]
    entries: dict[str, _Entry] = {}
    path_given = False
    for file, table in files:
        own: dict[str, _Entry] = {}
        # A path holds as a whole: those of scores that are extended do not lead elsewhere.
        places = table.pop(_PATH, None)
        for entry in _entries(file, table, None if path_given else places, curves):
            if entry.name in own:
                twice = "is given twice, in [[path]], alone or in a pair: give it once"
                raise SettingsError(f"{file}: {plainly(entry.name)} {twice}")
            own[entry.name] = entry
        path_given = path_given or places is not None
        entries = own | entries
    return entries


def _with_extended(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield a score as a table, and then those that it extends, each with its file."""
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        file = following
        table = read_toml(file, "score", sections=(*_SECTIONS, _PATH))
        if file.resolve() in seen:
            raise SettingsError(f"{path}: it extends itself by way of {file}: take out an extends")
        seen.append(file.resolve())
        if len(seen) > _DEEPEST:
            raise SettingsError(
                f"{path}: it extends more than {_DEEPEST - 1} scores in a row: join some of them"
            )
        _Entry(file, "description", table.pop("description", "")).read(_text)
        extends = table.pop("extends", None)
        following = None if extends is None else _Entry(file, "extends", extends).read(_file)
        yield file, table


def _section(table: dict[str, Any], name: str) -> dict[str, Any]:
    section = table.get(name)
    return section if isinstance(section, dict) else {}


def _entries(
    file: Path, table: dict[str, Any], places: object, curves: Collection[str]
) -> Iterator[_Entry]:
    """Yield the values of a score, and those that its path stands for."""
    texts: dict[str, str] = {}
    if places is not None:
        texts = _Entry(file, _PATH, places).read(lambda _, value: path_texts(value))
    for name, value in (*texts.items(), *table.items()):
        if name in PAIR_RANGES:
            halves = _Entry(file, name, value).read(partial(_pair, name, curves))
            yield from (_Entry(file, half, text) for half, text in halves.items())
            continue
        if name not in _SECTIONS:
            yield _Entry(file, name, value)
            continue
        if not isinstance(value, dict):
            raise SettingsError(f"{file}: {name} is a section: write a line [{name}]")
        for inner, weight in value.items():
            settings = automated_fields() | CAMERA_SETTINGS | {*CAMERA_NAMES, "react", "extends"}
            if inner in settings or inner in _READERS:
                raise SettingsError(f"{file}: {inner} is a setting: write it above [{name}]")
            yield _Entry(file, f"{name}.{inner}", weight)


def _pair(name: str, curves: Collection[str], file: Path, value: Any) -> Mapping[str, str]:
    """Return the texts of the two tracks of a pair from a text, or from two numbers in a list."""
    if isinstance(value, list) and len(value) == 2:
        value = ", ".join(map(repr, (_number(file, part) for part in value)))
    if not isinstance(value, str):
        raise SettingsError("give two numbers in a list, or a track such as '0:(0,0), 2s:(0.1,0)'")
    return pair_tracks(name, value, names=curves)


def _check_name(file: Path, name: str) -> None:
    problem = ""
    if not _NAME.fullmatch(name):
        problem = "is no name of a curve: give up to 40 letters, digits and _"
    elif name in RESERVED:
        problem = "has a meaning in every formula: give the curve another name"
    if problem:
        raise SettingsError(f"{file}: [curves]: {shown(name)} {problem}")


def _text(file: Path, value: Any) -> str:
    if not isinstance(value, str):
        raise SettingsError("this is a text: write it in quotes")
    return value


def _text_of(value: Any) -> str:
    """Return the text of a track from a number or a text."""
    if isinstance(value, str):
        return value
    try:
        return repr(_number(Path(), value))
    except SettingsError as error:
        raise SettingsError(f"{error}, or a track in quotes such as '0:(0), 2s:(1)'") from None


def _number(file: Path, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError("give a number")
    if not abs(value) < math.inf:
        raise SettingsError("give a finite number")
    return value


def _file(file: Path, value: Any) -> Path:
    name = _text(file, value)
    if not name.isprintable():
        raise SettingsError(f"{shown(name)} is no name of a file: give one")
    try:
        return file.parent.absolute() / parse_path(name)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _looks(file: Path, value: Any) -> str:
    text = _text(file, value)
    for look in LookTrack.parse(text).looks:
        if not look.endswith(".toml"):  # files are read when the looks are
            for name in map(str.strip, look.split(",")):
                if name != SURPRISE and not name.endswith(".toml"):
                    load_preset(name)
    return located(text, file.parent)


_READERS: dict[str, Callable[[Path, Any], Any]] = {
    "preset": _looks,
    "bpm": _number,
    "offset": _number,
    "beats": _file,
    "soundtrack": _file,
}
