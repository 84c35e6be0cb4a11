"""The command ``stream-dream recipe``."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import RecipeAnswer
from stream_dream.cli.like import option_of
from stream_dream.cli.options import AsJson, Debug, complain, counted, file_argument
from stream_dream.errors import SettingsError
from stream_dream.settings.presets import load_preset
from stream_dream.settings.presets.surprise import SURPRISE
from stream_dream.settings.recipe import Given, Recipe, printable


def show_recipe(
    path: Annotated[
        Path, file_argument("FILE", "What render, image, loop or journey has written.")
    ],
    as_json: AsJson = False,
    _: Debug = False,
) -> None:
    """Print the command that made a file.

    Names of files are printed without their folders. What no command line can hold, such as a look
    or a score of your own, is in the recipe: --like FILE uses it, and takes what --json prints.
    """
    # Imported late: --help does not wait for NumPy.
    from stream_dream.media.read.recipe_text import read_recipe

    recipe = read_recipe(path)
    if as_json:
        json_lines.emit(RecipeAnswer(recipe=recipe.values))
        return
    typer.echo(" ".join(map(quoted, ["stream-dream", *command_of(recipe, path)])))
    held = list(_only_in(recipe))
    if held:
        names = ", ".join(held)
        complain(f"{names} may be missing or have changed: --like {path} takes what was used")


def command_of(recipe: Recipe, path: Path) -> Iterator[str]:
    """Yield the words of the command that made a file, after the name of the program."""
    yield recipe.command
    if recipe.options.get("from") != "noise":
        yield _no_option(recipe.source)
    yield _no_option(_target(recipe, path))
    if recipe.score is not None:
        yield from ("--score", recipe.score.name)
    for name, value in recipe.options.items():
        yield from _words(name, value)


def quoted(word: str) -> str:
    """Quote a word for a shell; what a terminal might obey, or is no UTF-8, as bytes."""
    if word.isprintable():
        return shlex.quote(word)
    data = word.encode("utf-8", "surrogateescape" if _is_bytes(word) else "backslashreplace")
    plain = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\x{byte:02x}"
        for byte in data
    )
    return f"$'{plain}'"


def _is_bytes(word: str) -> bool:
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        return False
    return True


def _words(name: str, value: Given) -> Iterator[str]:
    if isinstance(value, bool):
        yield option_of(name if value else f"no_{name}")
    else:
        for text in value if isinstance(value, list) else [value]:
            yield from (option_of(name), text)


def _target(recipe: Recipe, path: Path) -> str:
    """Return the name of the output: for one of numbered pictures, that of all."""
    if path.suffix.lower() == ".json":
        return "OUTPUT"
    if recipe.command == "image" or path.suffix.lower() != ".png":
        return path.name
    return re.sub(r"\d+(?=\.\w+$)", lambda found: f"%0{len(found[0])}d", path.name)


def _no_option(name: str) -> str:
    return f"./{name}" if name.startswith("-") and name != "-" else name


def _only_in(recipe: Recipe) -> Iterator[str]:
    """Yield what the command names, but which may be another today, or missing."""
    for name in recipe.looks:
        if name != SURPRISE and not _is_as_shipped(recipe, name):
            yield printable(name)
    if recipe.score is not None:
        yield printable(recipe.score.name)
    changed = recipe.changed_defaults()
    if changed:
        yield f"{counted(len(changed), 'default')} of {printable(recipe.stream_dream)}"


def _is_as_shipped(recipe: Recipe, name: str) -> bool:
    """Return whether a look is one of the package, and has not changed since."""
    if name.endswith(".toml"):
        return False
    try:
        return dict(load_preset(name).dream) == dict(recipe.look(name))
    except SettingsError:
        return False
