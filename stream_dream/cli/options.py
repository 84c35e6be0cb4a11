"""Command-line options, made from the settings models.

Options are passed on as text: their models convert and validate them.
"""

from __future__ import annotations

import inspect
import os
import random
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from stream_dream.cli import json_lines
from stream_dream.cli.answers import LookAnswer
from stream_dream.errors import SettingsError
from stream_dream.runtime.quiet import DEBUG_VARIABLE
from stream_dream.settings.dream import DreamSettings, for_stills, merged
from stream_dream.settings.fields import Heading, choices, fact, is_list, kinds, limits, typed_name
from stream_dream.settings.live import EVERY_PORT, LOOPBACK_WEB
from stream_dream.settings.presets import Preset, load_preset, look_text, preset_names
from stream_dream.settings.presets.surprise import NETWORK, SURPRISE, surprise
from stream_dream.settings.validation import own, validated
from stream_dream.settings.values import parse_path

# The value of an option that may stand alone, and what its value looks like if one follows.
_OPTIONAL_VALUES = {
    "--web": (LOOPBACK_WEB, r"(?!-)"),
    "--listen": ("playing", r"(?!-)"),
    "--midi": (EVERY_PORT, r"(?!-)"),
    "--react": ("default", r".*[-=]>|(default|none)?$"),
}
SETTINGS: dict[str, tuple[type[BaseModel], ...]] = {}
"""Models of the options of each command that has some."""

_LEAST_WIDTH = 60  # of a table, in characters: less breaks words into letters
_RANDOM_SEEDS = 1_000_000  # short enough to write down


def look_names(incomplete: str) -> list[str]:
    """Return completions for a look's name, or for the last of a list."""
    before, comma, _ = incomplete.rpartition(",")
    return [*listed_presets(incomplete), f"{before}{comma}{SURPRISE}"]


def listed_presets(incomplete: str) -> list[str]:
    """Return completions for the last preset of a list."""
    before, comma, _ = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in preset_names()]


def network_names() -> list[str]:
    """Return completions for a network's name."""
    from stream_dream.networks import registry

    return [spec.name for spec in registry.networks()]


def _obey(debug: bool) -> None:
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"


PRESET_HELP = (
    "A look: a name (see: stream-dream presets), a .toml file, whose own files are looked up from "
    "its folder, or surprise: a new one that --seed decides on."
)
PRESET_OPTION = typer.Option(
    help=PRESET_HELP, autocompletion=look_names, rich_help_panel=Heading.WHAT
)
LOOKS_OPTION = typer.Option(
    help=f"{PRESET_HELP} Or several, or looks over time: '0:dogs, 12s:eyes~2s, shot 4:wild', where "
    "~ is how long one fades into the next.",
    autocompletion=look_names,
    rich_help_panel=Heading.WHAT,
)
PresetName = Annotated[str, PRESET_OPTION]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show only warnings and errors.")]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print events as lines of JSON alone: see stream-dream help pipelines."
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        help="Show tracebacks and the libraries' messages.",
        callback=_obey,
        is_eager=True,
    ),
]


def bounds(field: FieldInfo) -> str:
    """Return the range or the choices of a setting as text; "" if it has none."""
    words = choices(field)
    if len(kinds(field)) == 1 and words:
        return " | ".join(words)
    found = limits(field)
    low, high = found.get("ge", found.get("gt")), found.get("le")
    if low is None:
        return ""
    if high is None:
        return f"{'above' if 'gt' in found else 'from'} {low:g}"
    return f"{'above ' if 'gt' in found else ''}{low:g} to {high:g}"


def default_text(value: object) -> str:
    """Return a default as typed on the command line."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else str(value)


def with_options(*models: type[BaseModel]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds an option to a command for each field of the models.

    The decorated function gets keyword arguments named like the fields: text, a list of texts or a
    bool, or None for options not given.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        given = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        made = [
            _parameter(model, name, field)
            for model in models
            for name, field in model.model_fields.items()
        ]
        SETTINGS[function.__name__] = models
        # typer reads both.
        function.__signature__ = signature.replace(parameters=given + made)  # type: ignore[attr-defined]
        function.__annotations__ = {p.name: p.annotation for p in given + made}
        return function

    return decorate


def dreamed(
    preset: str,
    given: Mapping[str, Any],
    *,
    quiet: bool = False,
    as_json: bool = False,
    stills: bool = False,
    known: MutableMapping[str, DreamSettings] | None = None,
) -> DreamSettings:
    """Return the dream's settings: a look, changed by options. Print the look of a surprise.

    Args:
        preset: Name or file of a look, or ``surprise``.
        given: All options of the command; those of other models are ignored.
        quiet: True to print no surprise.
        as_json: True if standard output is for JSON: a surprise goes to standard error.
        stills: True for the settings of still pictures.
        known: Looks by name, which are not looked up; others are added to them.

    Raises:
        SettingsError: There is no such preset, or an option is invalid.
    """
    changes = own(DreamSettings, given)
    known = {} if known is None else known
    if preset not in known:
        look = _found_look(preset, changes)
        known[preset] = look.dream
        if preset == SURPRISE and not quiet:
            _show_look(replace(look, dream=merged(look.dream, changes)), as_json=as_json)
    base = known[preset]
    return for_stills(base, changes) if stills else merged(base, changes)


def _show_look(look: Preset, *, as_json: bool) -> None:
    """Print a look as a preset file, on standard error if the output is JSON."""
    try:
        typer.echo(look_text(look), nl=False, err=as_json)
        json_lines.emit(look_answer(look))
    except SettingsError as error:
        # The name of a file is not UTF-8, which does not keep it from being dreamed.
        complain(f"warning: the look cannot be printed: {error}")


def look_answer(look: Preset) -> LookAnswer:
    """Return a look as an event. Raises ``SettingsError`` if its file cannot be written."""
    settings = look.dream.model_dump(mode="json", by_alias=True)
    return LookAnswer(name=look.name, toml=look_text(look), settings=settings)


def _found_look(preset: str, given: Mapping[str, Any]) -> Preset:
    """Return a preset or, for ``surprise``, a new look; choose and print its seed if not given."""
    if preset != SURPRISE:
        return load_preset(preset)
    if given.get("network", NETWORK) != NETWORK:
        raise SettingsError(f"--preset {SURPRISE} knows {NETWORK} alone: leave out --network")
    if "seed" in given:
        return surprise(validated(DreamSettings, {"seed": given["seed"]}).seed)
    seed = random.SystemRandom().randrange(_RANDOM_SEEDS)
    complain(f"--preset {SURPRISE} --seed {seed} is this look again")
    return surprise(seed)


def with_optional_values(arguments: Sequence[str]) -> list[str]:
    """Insert optional values: ``--web`` alone serves the page on this machine.

    ``--react`` alone reacts as usual, even before an argument.
    """
    completed: list[str] = []
    for place, argument in enumerate(arguments):
        completed.append(argument)
        following = arguments[place + 1 : place + 2]
        if argument in _OPTIONAL_VALUES:
            alone, pattern = _OPTIONAL_VALUES[argument]
            if not following or not re.match(pattern, following[0]):
                completed.append(alone)
    return completed


def print_table(rows: Iterable[Sequence[object]], *headers: str, figures: bool = False) -> None:
    """Print a table on standard output; long cells wrap, ``figures`` aligns columns right."""
    table = Table(box=None)
    for header in headers:
        table.add_column(header, overflow="fold", justify="right" if figures else "left")
    for row in rows:
        table.add_row(*map(str, row))
    width = max(Console().width, _LEAST_WIDTH)
    Console(markup=False, width=width).print(table)


def credited(description: str, provider: str) -> str:
    """Return a description with who has made what it describes, if not this package."""
    return f"{description} ({provider})" if provider else description


def complain(message: str) -> None:
    """Print a line on standard error."""
    typer.echo(f"stream-dream: {message}", err=True)
    json_lines.tell(message)


def counted(count: int, noun: str) -> str:
    """Return a count and its noun, in the plural unless the count is 1."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def file_argument(metavar: str, meaning: str) -> Any:
    """Return an argument that is the name of a file or folder."""
    return typer.Argument(metavar=metavar, parser=_file_name, help=meaning)


def file_option(meaning: str, heading: Heading = Heading.GENERAL) -> Any:
    """Return an option whose value is the name of a file."""
    return typer.Option(metavar="FILE", parser=_file_name, help=meaning, rich_help_panel=heading)


def _file_name(text: str) -> Path:
    try:
        return parse_path(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}") from None


Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with a film that was not finished.",
        rich_help_panel=Heading.FILM,
    ),
]
Report = Annotated[
    Path | None,
    file_option("Write what was done, with a checksum of every frame, as JSON.", Heading.OUTPUT),
]


def flag(model: type[BaseModel], name: str) -> str:
    """Return a field's option, such as ``--dream-size``."""
    return "--" + typed_name(model, name).replace("_", "-")


def _parameter(model: type[BaseModel], name: str, field: FieldInfo) -> inspect.Parameter:
    option_name = flag(model, name)
    kind = kinds(field)[0]
    annotation: Any = str | None
    if kind is bool:
        option_name += f"/--no-{option_name.removeprefix('--')}"
        annotation = bool | None
    elif is_list(kind):
        annotation = list[str] | None
    notes = "; ".join(
        text
        for text in (
            bounds(field),
            f"default: {default_text(field.default)}",
            "may change over time" if fact(field, "automated") else "",
        )
        if text
    )
    by_type = {int: "INTEGER", float: "NUMBER", bool: None}
    option = typer.Option(
        option_name,
        help=f"{field.description} [{notes}]",
        show_default=False,
        metavar=fact(field, "metavar") or by_type.get(kind, "NAME"),
        autocompletion=_completion(name, field),
        rich_help_panel=fact(field, "heading"),
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[annotation, option]
    )


def _completion(name: str, field: FieldInfo) -> Callable[..., list[str]] | None:
    if name == "network":
        return network_names
    words = choices(field)
    return look_names if fact(field, "looks") else (lambda: words) if words else None
