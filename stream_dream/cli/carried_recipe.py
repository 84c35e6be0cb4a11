"""The recipe that an output carries: what a command says, without the folders of files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic.fields import FieldInfo

from stream_dream.cli.like import Start, names_a_file
from stream_dream.cli.options import complain
from stream_dream.cli.over_time import OverTime, looks_in
from stream_dream.settings.fields import Heading
from stream_dream.settings.presets.surprise import SURPRISE
from stream_dream.settings.recipe import (
    Command,
    Recipe,
    RecipeScore,
    defaults_of,
    known_options,
    look_values,
)

if TYPE_CHECKING:
    from stream_dream.automation.score import Score

NoRecipe = Annotated[
    bool,
    typer.Option(
        "--no-recipe",
        help="Leave out of the output how it was made (see: stream-dream recipe).",
        rich_help_panel=Heading.OUTPUT,
    ),
]


def carried_recipe(
    command: Command, source: Path, target: Path, start: Start, over: OverTime
) -> Recipe | None:
    """Return the recipe of a command; None, with a warning, if the target cannot hold so much.

    Files in it have no folders.

    Args:
        command: The command.
        source: Its input.
        target: Its output.
        start: What it starts from.
        over: The same, parsed, with its looks.
    """
    from stream_dream.media.write.recipe_tags import holds

    recipe = _recipe_of(command, source.name, start, over)
    if holds(target, recipe.text):
        return recipe
    complain(f"warning: {target} cannot hold its recipe of {len(recipe.text)} characters: left out")
    return None


def _recipe_of(command: Command, source: str, start: Start, over: OverTime) -> Recipe:
    short = _ShortNames()
    looks = {name: short.look_name(name) for name in over.names}
    given: dict[str, Any] = {} if start.preset is None else {"preset": start.preset}
    for name, (_, key, info) in known_options(command).items():
        if start.options.get(key) is not None and key != "score":
            given[name] = short.option(info, start.options[key])
    if isinstance(given.get("presets"), list):
        given["presets"] = ",".join(given["presets"])
    for name in given.keys() & {"preset", "presets"}:
        given[name] = short.looks(given[name], over)
    if SURPRISE in over.names:
        given.setdefault("seed", str(over.looks[SURPRISE].seed))
    return Recipe(
        command=command,
        source=source,
        options=given,
        looks={looks[name]: look_values(over.looks[name], short) for name in over.names},
        defaults=defaults_of(command),
        score=None if over.score is None else short.score(over.score, over),
    )


class _ShortNames:
    """Names of files without their folders; files of the same name get numbers."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, path: object) -> str:
        whole = os.path.abspath(str(path))
        if whole not in self._names:
            stem, suffix = os.path.splitext(os.path.basename(whole))
            names = [stem + suffix, *(f"{stem}.{n}{suffix}" for n in range(2, 99))]
            self._names[whole] = next(n for n in names if n not in self._names.values())
        return self._names[whole]

    def option(self, info: FieldInfo, value: Any) -> Any:
        """Return an option; looks are for ``looks``."""
        return self(value) if names_a_file(info, value) else value

    def look_name(self, name: str) -> str:
        return self(name) if name.endswith(".toml") else name

    def looks(self, text: str, over: OverTime) -> str:
        """Return the text of one or more looks."""
        from stream_dream.automation.look_track import renamed

        names, track = looks_in(text, over.looks)
        if track is None:
            return ",".join(map(self.look_name, names))
        return renamed(track, self.look_name)

    def score(self, score: Score, over: OverTime) -> RecipeScore:
        readers: dict[str, Callable[[Any], Any]] = {
            "preset": lambda text: self.looks(text, over),
            "beats": self,
            "soundtrack": self,
        }
        return RecipeScore(
            name=self(score.files[0]),
            tracks=score.tracks,
            curves={name: self(path) for name, path in score.curves.items()},
            settings={
                name: readers.get(name, lambda value: value)(value)
                for name, value in score.settings.items()
            },
        )
