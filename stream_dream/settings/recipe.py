"""Recipes: how an output was made, in the words of its command and in the values of its looks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from stream_dream.errors import SettingsError
from stream_dream.settings.automation import AutomationOptions
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import named_files, typed_name
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings
from stream_dream.settings.validation import validated

_START = '{"stream_dream":'
_EVENT = re.compile(r'\{"schema": \d+, "event": "recipe",')
_PRODUCTS: Mapping[str, type[BaseModel]] = {
    "render": OutputSettings,
    "image": StillSettings,
    "loop": LoopSettings,
    "journey": JourneySettings,
}


def _typed(value: object) -> object:
    """Return a number as it is typed on the command line; JSON that was edited may hold some."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if number else value


# Where else results go says nothing about how they were made.
_LEFT_OUT = ("progress_dir", "out")

OF_SOURCES = ("cuts", "enlarge", "persistence")
"""Settings of the dream that ask for a source, which a journey has not."""

Command = Literal["render", "image", "loop", "journey"]
"""Commands whose outputs carry a recipe."""

Given = Annotated[bool | str | list[str], BeforeValidator(_typed)]
"""The value of an option, as the command line passes it on."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RecipeScore(_Part):
    """What a score said, without the names of the folders that its files lie in.

    Attributes:
        name: Name of the score.
        tracks: Texts of tracks by setting.
        curves: Names of files by the names of the curves in them.
        settings: Its other settings.
    """

    name: str
    tracks: dict[str, str] = Field(default_factory=dict)
    curves: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, str | int | float] = Field(default_factory=dict)


class Recipe(_Part):
    """How an output was made.

    Nothing in it depends on the time or the place of the render; files have no folders.

    Attributes:
        stream_dream: Version that made it.
        recipe: Version of the recipe's own form.
        command: The command.
        source: Name of its input.
        options: Options given, by the names that users know, and ``preset``.
        looks: What each look sets, by its name in ``preset``, before the options change it.
        defaults: Settings that neither options nor looks give: later versions may have others.
        score: What the score said; None without one.
    """

    stream_dream: str = Field(default_factory=lambda: version("stream-dream"))
    recipe: Literal[1] = 1
    command: Command
    source: str
    options: dict[str, Given] = Field(default_factory=dict)
    looks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    defaults: dict[str, Any] = Field(default_factory=dict)
    score: RecipeScore | None = None

    @property
    def text(self) -> str:
        """The recipe as one line of JSON in ASCII, which every format holds."""
        return json.dumps(self.values)

    @property
    def values(self) -> dict[str, Any]:
        """The recipe as values of JSON."""
        return self.model_dump(exclude_none=False, exclude={"score"} if self.score is None else {})

    @classmethod
    def of_look(cls, look: DreamSettings, *, command: Command, source: str) -> Self:
        """Return the recipe of one look; file names lose their folders."""
        name = os.path.basename(source)
        looks, defaults = {"look": look_values(look)}, defaults_of(command)
        return cls(command=command, source=name, looks=looks, defaults=defaults)

    def with_source(self, source: str) -> Self:
        """Return the same for another input."""
        return self.model_copy(update={"source": source})

    def look(self, name: str) -> DreamSettings:
        """Return a look, with the defaults of the version that it was made with.

        Raises:
            SettingsError: A value is invalid, or unknown to this version.
        """
        now = default_values(DreamSettings)
        then = {key: value for key, value in self.defaults.items() if now.get(key, value) != value}
        origin = f"the recipe's look {printable(name)}"
        return validated(DreamSettings, then | self.looks[name], origin=origin)

    def changed_defaults(self) -> dict[str, Given]:
        """Return defaults of the product that another version had, as options."""
        now = default_values(_PRODUCTS[self.command])
        then = {key: value for key, value in self.defaults.items() if now.get(key, value) != value}
        return {
            key: value if isinstance(value, bool) else str(value)
            for key, value in then.items()
            if key not in self.options and isinstance(value, bool | int | float | str)
        }


def look_values(
    look: DreamSettings, short: Callable[[str], str] = os.path.basename
) -> dict[str, Any]:
    """Return what a look sets as values of JSON: layers as texts, files as ``short`` names them."""
    values = look.model_dump(mode="json", exclude_unset=True)
    for name, path in named_files(look).items():
        values[name] = short(str(path))
    for name in values.keys() & {"layer", "classes", "guide_layer"}:
        values[name] = [str(target) for target in getattr(look, name)]
    return {typed_name(DreamSettings, name): value for name, value in values.items()}


def defaults_of(command: str) -> dict[str, Any]:
    """Return all defaults that an output of a command may depend on."""
    return default_values(DreamSettings) | default_values(_PRODUCTS[command])


@cache
def default_values(model: type[BaseModel]) -> dict[str, Any]:
    """Return the defaults of a model as values of JSON, by the names that users know."""
    values = model().model_dump(mode="json", by_alias=True)
    return {key: value for key, value in values.items() if key not in _LEFT_OUT}


@cache
def known_options(command: str) -> dict[str, tuple[type[BaseModel], str, FieldInfo]]:
    """Return the options that recipes hold, by the names that users know: model, field, its facts.

    Not among them: how a long film is spread over workers, which frames do not depend on.
    """
    models = (DreamSettings, _PRODUCTS[command], AutomationOptions)
    known = {
        typed_name(model, name): (model, name, field)
        for model in models
        for name, field in model.model_fields.items()
        if name not in _LEFT_OUT
    }
    if command == "journey":
        known = {key: value for key, value in known.items() if key not in OF_SOURCES}
    if command == "image":  # pictures have no sound
        sound = AutomationOptions.model_fields.keys() - {"score"}
        known = {key: value for key, value in known.items() if key not in sound}
    return known


def every_option() -> set[str]:
    """Return the options of all recipes."""
    return {"preset"}.union(*(known_options(command) for command in _PRODUCTS))


def is_recipe(text: str) -> bool:
    """Return whether a text begins as a recipe does."""
    return text.startswith(_START)


def parse_recipe(text: str, *, origin: str) -> Recipe:
    """Parse a recipe; errors begin with ``origin``.

    Raises:
        SettingsError: It is damaged, of another program, or of a later version.
    """
    try:
        values = json.loads(_printed(text), parse_constant=_refuse)
        if isinstance(values, dict) and values.get("event") == "recipe":
            values = values.get("recipe")
    except RecursionError:
        values = None
    except ValueError as error:
        raise SettingsError(f"{origin}: its recipe is cut short or damaged: {error}") from None
    if not isinstance(values, dict) or not {"stream_dream", "recipe"} <= values.keys():
        raise SettingsError(
            f"{origin} is no recipe of stream-dream: give a file that carries one, or what "
            "stream-dream recipe --json has printed"
        )
    by = printable(str(values["stream_dream"]))
    if values["recipe"] != 1:
        raise SettingsError(
            f"{origin}: its recipe is of stream-dream {by} and of another form than "
            f"{version('stream-dream')} reads: use that version"
        )
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))[:80]
        raise SettingsError(
            f"{origin}: its recipe, of stream-dream {by}, cannot be used: {place!r} is not as "
            f"expected ({first['msg']})"
        ) from None


def _printed(text: str) -> str:
    """Return the line with a recipe among those that ``--json`` has printed, or all of a text."""
    return next((line for line in text.splitlines() if _EVENT.match(line)), text)


def printable(text: str) -> str:
    """Return a text of a file that others made, fit for a message."""
    return text[:80] if text.isprintable() else ascii(text[:80])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
