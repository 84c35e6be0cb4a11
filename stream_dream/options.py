"""Command-line options, made from the settings models.

Every option is read as text and checked by its model: one place converts, and one place complains.
"""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from stream_dream.errors import SettingsError
from stream_dream.live_settings import LOOPBACK_WEB
from stream_dream.presets import Preset as Look
from stream_dream.presets import load_preset, look_text
from stream_dream.presets.surprise import NETWORK, SURPRISE, surprise
from stream_dream.quiet import DEBUG_VARIABLE
from stream_dream.setting_values import parse_path
from stream_dream.settings import DreamSettings, for_stills, limits, merged, typed_name, validated

PRESET_HELP = (
    "A look: a name (see: stream-dream presets), a .toml file, whose own files are looked up from "
    "its folder, or surprise: a new one that --seed decides on."
)
Preset = Annotated[str, typer.Option(help=PRESET_HELP)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings and errors.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show tracebacks and the libraries' messages.")
]
_M = TypeVar("_M", bound=BaseModel)
_OPTIONAL_VALUES = {"--web": LOOPBACK_WEB}
_LEAST_WIDTH = 60  # of a table: in less, words become columns of letters
_RANDOM_SEEDS = 1_000_000  # short enough to be written down


def bounds(field: FieldInfo) -> str:
    """Return the range or the choices of a setting as text; "" where it has none."""
    kind = _kind(field)
    if get_origin(kind) is Literal:
        return " | ".join(get_args(kind))
    found = limits(field)
    low, high = found.get("ge", found.get("gt")), found.get("le")
    if low is None:
        return ""
    if high is None:
        return f"{'above' if 'gt' in found else 'from'} {low:g}"
    return f"{'above ' if 'gt' in found else ''}{low:g} to {high:g}"


def default_text(value: object) -> str:
    """Return a default as it would be typed."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)


def with_options(*models: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each field of the models.

    The command's function takes them as keyword arguments named like the fields; what was not
    given is None, the rest is text, a list of texts or a bool.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = [
            _parameter(model, name, field)
            for model in models
            for name, field in model.model_fields.items()
        ]
        # typer reads both.
        function.__signature__ = signature.replace(parameters=own + made)  # type: ignore[attr-defined]
        function.__annotations__ = {p.name: p.annotation for p in own + made}
        return function

    return decorate


def chosen(
    preset: str,
    knobs: Mapping[str, Any],
    model: type[_M],
    *,
    debug: bool,
    quiet: bool = False,
    as_json: bool = False,
    stills: bool = False,
) -> tuple[DreamSettings, _M]:
    """Return the settings that a command line asks for, and obey ``--debug`` from here on.

    A surprise is printed as a preset file.

    Args:
        preset: Name or file of the look that the options change.
        knobs: What ``with_options`` hands over.
        model: The settings that are not the dream's.
        debug: True to show tracebacks and the libraries' messages.
        quiet: True to print no surprise.
        as_json: True if standard output is for JSON: a surprise goes to standard error.
        stills: True to return the settings of stills.

    Raises:
        SettingsError: There is no such preset, or an option cannot be used.
    """
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    given = {name: value for name, value in knobs.items() if value is not None}
    dreamed = {name: value for name, value in given.items() if name in DreamSettings.model_fields}
    others = validated(model, {k: v for k, v in given.items() if k not in dreamed})
    look = found_look(preset, dreamed)
    dream = merged(look.dream, dreamed)
    if preset == SURPRISE and not quiet:
        show_look(replace(look, dream=dream), as_json=as_json)
    return for_stills(look.dream, dreamed) if stills else dream, others


def found_look(preset: str, given: Mapping[str, Any]) -> Look:
    """Return a preset or, as a surprise, a new look; a seed that nobody gave is chosen and said.

    Args:
        preset: Name or file of a look, or ``surprise``.
        given: The settings of the dream that were given; the seed of a surprise is one.

    Raises:
        SettingsError: There is no such preset, or a surprise is asked of another network.
    """
    if preset != SURPRISE:
        return load_preset(preset)
    if given.get("network", NETWORK) != NETWORK:
        raise SettingsError(f"--preset {SURPRISE} knows {NETWORK} alone: leave out --network")
    if "seed" in given:
        return surprise(validated(DreamSettings, {"seed": given["seed"]}).seed)
    seed = random.SystemRandom().randrange(_RANDOM_SEEDS)
    complain(f"--preset {SURPRISE} --seed {seed} is this look again")
    return surprise(seed)


def show_look(look: Look, *, as_json: bool) -> None:
    """Print a look as a preset file, where it does not get into the way of JSON."""
    typer.echo(look_text(look), nl=False, err=as_json)


def with_optional_values(arguments: Sequence[str]) -> list[str]:
    """Fill in the values that may be left out: ``--web`` alone is the page on this machine."""
    completed: list[str] = []
    for place, argument in enumerate(arguments):
        completed.append(argument)
        following = arguments[place + 1 : place + 2]
        if argument in _OPTIONAL_VALUES and (not following or following[0].startswith("-")):
            completed.append(_OPTIONAL_VALUES[argument])
    return completed


def print_table(rows: Iterable[Sequence[object]], *headers: str, figures: bool = False) -> None:
    """Print a table on standard output; what is too long for a column goes on in the next line.

    Args:
        rows: What stands below the headers.
        headers: The heads of the columns.
        figures: True to align columns at the right.
    """
    table = Table(box=None)
    for header in headers:
        table.add_column(header, overflow="fold", justify="right" if figures else "left")
    for row in rows:
        table.add_row(*map(str, row))
    width = max(Console().width, _LEAST_WIDTH)
    Console(markup=False, width=width).print(table)


def complain(message: str) -> None:
    """Print a line on standard error."""
    typer.echo(f"stream-dream: {message}", err=True)


def file_name(text: str) -> Path:
    """Read the name of a file or folder from the command line."""
    try:
        return parse_path(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}") from None


def flag(model: type[BaseModel], name: str) -> str:
    """Return a field's option."""
    return "--" + typed_name(model, name).replace("_", "-")


def _parameter(model: type[BaseModel], name: str, field: FieldInfo) -> inspect.Parameter:
    option_name = flag(model, name)
    kind = _kind(field)
    annotation: Any = str | None
    if kind is bool:
        option_name += f"/--no-{option_name.removeprefix('--')}"
        annotation = bool | None
    elif isinstance(field.default, tuple) and Ellipsis in get_args(kind):
        annotation = list[str] | None
    notes = "; ".join(
        text for text in (bounds(field), f"default: {default_text(field.default)}") if text
    )
    option = typer.Option(
        option_name,
        help=f"{field.description} [{notes}]",
        show_default=False,
        metavar=_metavar(field),
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[annotation, option]
    )


def _kind(field: FieldInfo) -> Any:
    """Return the type of a setting, without ``| None``."""
    members = [member for member in get_args(field.annotation) if member is not type(None)]
    optional = type(None) in get_args(field.annotation)
    return members[0] if optional else field.annotation


def _metavar(field: FieldInfo) -> str | None:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "metavar" in extra:
        return str(extra["metavar"])
    return {int: "INTEGER", float: "NUMBER", bool: None}.get(_kind(field), "NAME")
