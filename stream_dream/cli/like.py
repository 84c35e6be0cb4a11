"""The option ``--like``: settings from the recipe that a file carries."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic.fields import FieldInfo

from stream_dream.cli.options import complain, file_option, flag
from stream_dream.cli.over_time import OverTime, looks_in, over_time
from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, fact, names_file
from stream_dream.settings.presets import DEFAULT_PRESET
from stream_dream.settings.recipe import (
    Recipe,
    RecipeScore,
    every_option,
    known_options,
    printable,
)

if TYPE_CHECKING:
    from stream_dream.automation.score import Score

Like = Annotated[
    Path | None,
    file_option(
        "An output, or the JSON of its recipe, whose look, settings and excerpt are used again; "
        "options that are given come before them, and another --preset replaces the look.",
        Heading.WHAT,
    ),
]


@dataclass(frozen=True, slots=True)
class Start:
    """What a command starts from: its options, completed by those of a recipe.

    Attributes:
        preset: Value of ``--preset``; None if there is none.
        options: The other options; None for those that nobody gives.
        score: Score of the recipe; None without one.
        looks: Looks of the recipe by name.
        files: Files that were read: that of the recipe.
    """

    preset: str | None
    options: dict[str, Any]
    score: Score | None = None
    looks: dict[str, DreamSettings] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def over_time(self) -> OverTime:
        """Separate what changes over time. Raises ``SettingsError``."""
        preset = self.options.get("presets") or self.preset
        over = over_time(preset, self.options, score=self.score, looks=self.looks)
        return replace(over, files=(*over.files, *self.files))


def started(
    command: str, like: Path | None, preset: str | None, options: Mapping[str, Any]
) -> Start:
    """Return what a command starts from.

    Args:
        command: The command.
        like: File whose recipe completes the options; None for none.
        preset: Value of ``--preset``; None if it was not given.
        options: The other options; None for those that were not given.

    Raises:
        SettingsError: The file carries no recipe, or one that cannot be used here.
        SourceError: The file cannot be read.
    """
    if like is None:
        return Start(preset, dict(options))
    # Imported late: --help does not wait for NumPy.
    from stream_dream.media.read.recipe_text import read_recipe

    recipe = read_recipe(like)
    given = {name: value for name, value in options.items() if value is not None}
    taken = _options_of(recipe, command, like)
    looks_text = taken.pop("presets", None) or taken.pop("preset", None)
    new_look = preset is not None or "presets" in given
    if new_look:
        taken = {k: v for k, v in taken.items() if k not in DreamSettings.model_fields}
        taken.pop("morph_layer", None)
    elif command in ("loop", "journey") and "presets" in recipe.options:
        taken["presets"] = _checked(looks_text, recipe, like)
    else:
        preset = _preset(recipe) if looks_text is None else _checked(looks_text, recipe, like)
    for name, others in (("beats", ("bpm", "offset")), ("bpm", ("beats", "offset"))):
        if name in given:
            taken = {k: v for k, v in taken.items() if k not in others}
    fields = {key: info for _, key, info in known_options(command).values()}
    taken = {name: value for name, value in taken.items() if name not in given}
    find = _Finder(like, {*given, *taken}, fields)
    score = None if "score" in given else recipe.score
    if score is not None and not new_look:
        _checked(score.settings.get("preset"), recipe, like)
    return Start(
        preset,
        {**options, **{name: find(name, value) for name, value in taken.items()}},
        None if score is None else find.score(score),
        {} if new_look else {name: find.look(recipe, name) for name in recipe.looks},
        (like,),
    )


def _options_of(recipe: Recipe, command: str, like: Path) -> dict[str, Any]:
    """Return the options of a recipe that a command has, by field; name those that it has not."""
    options = recipe.changed_defaults() if recipe.command == command else {}
    options = {**options, **recipe.options}
    unknown = options.keys() - every_option()
    if unknown:
        name = min(unknown)
        raise SettingsError(
            f"{like}: its recipe, of stream-dream {printable(recipe.stream_dream)}, has an option "
            f"{printable(name)!r} that this version does not know: use that version, or leave it "
            "out of its JSON"
        )
    known = known_options(command)
    left = [name for name in options if name not in known and name not in ("preset", "presets")]
    if command == "render" != recipe.command and "fps" in options:
        left.append("fps")  # of a render it is the rate of numbered pictures alone
    if left:
        names = ", ".join(map(option_of, left))
        complain(f"warning: {command} has no {names}: left out of what {like} gives")
    fields = {name: known[name][1] for name in options if name in known and name not in left}
    return {fields.get(name, name): options[name] for name in options if name not in left}


def _checked(text: Any, recipe: Recipe, like: Path) -> Any:
    """Return a text of looks if all are in the recipe: no file that it names is read."""
    for name in () if text is None else looks_in(str(text), recipe.looks)[0]:
        if name not in recipe.looks:
            raise SettingsError(
                f"{like}: its recipe lacks the look {printable(name)!r}: give --preset"
            )
    return text


def _preset(recipe: Recipe) -> str | None:
    """Return the look of a recipe that names none; None for the default one, or a score's."""
    names = list(recipe.looks)
    scored = recipe.score is not None and "preset" in recipe.score.settings
    return names[0] if len(names) == 1 and names != [DEFAULT_PRESET] and not scored else None


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds the files that a recipe names: beside the file that carries it, or in this folder."""

    like: Path
    given: Collection[str]
    fields: Mapping[str, FieldInfo]

    def __call__(self, name: str, value: Any) -> Any:
        """Return an option with the path of what it names."""
        info = self.fields[name]
        return str(self._file(value, option_of(name))) if names_a_file(info, value) else value

    def look(self, recipe: Recipe, name: str) -> DreamSettings:
        """Return a look with the paths of its files."""
        look = recipe.look(name)
        paths = {}
        for key, value in look:
            info = DreamSettings.model_fields[key]
            if names_file(info, value) and key not in self.given:
                kind = type(value)
                paths[key] = kind(self._file(str(value), flag(DreamSettings, key)))
        return look.model_copy(update=paths)

    def score(self, said: RecipeScore) -> Score:
        """Return a score with the paths of its files."""
        from stream_dream.automation.score import Score

        settings: dict[str, object] = dict(said.settings)
        for name in settings.keys() & {"beats", "soundtrack"}:
            if name not in self.given:
                settings[name] = self._file(str(settings[name]), f"--{name}")
        curves = {
            name: self._file(file, "--score", f"the curve {printable(name)} in")
            for name, file in said.curves.items()
        }
        files = (Path(printable(os.path.basename(said.name))), *curves.values())
        return Score(dict(said.tracks), curves, settings, files)

    def _file(self, name: str, option: str, what: str = "") -> Path:
        wanted = f"{what or option} {printable(name)}"
        if name != os.path.basename(name) or not name:
            raise SettingsError(
                f"{self.like} was made with {wanted}: a recipe names files without their folders; "
                f"give {option} FILE"
            )
        found = (folder / name for folder in (self.like.parent, Path()))
        path = next((path for path in found if path.is_file()), None)
        if path is None:
            raise SettingsError(
                f"{self.like} was made with {wanted}, which is neither beside it nor in this "
                f"folder: give {option} FILE"
            )
        return path


def option_of(name: str) -> str:
    """Return the option of a setting, by the name that users know."""
    return "--" + name.replace("_", "-")


def names_a_file(info: FieldInfo, value: object) -> bool:
    """Return whether an option names a file that is not a look."""
    return not fact(info, "looks") and names_file(info, value)
