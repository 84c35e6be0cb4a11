#!/usr/bin/env python3
"""Write the tables of events into the manual, from their definitions."""

from __future__ import annotations

import inspect
import re
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from stream_dream.cli.answers import ANSWERS
from stream_dream.cli.events import EVENTS

PAGE = Path(__file__).resolve().parents[1] / "stream_dream" / "manual" / "pipelines.md"
MARKS = {
    name: (
        f"<!-- {name}: made by scripts/events_table.py, checked by a test -->\n",
        f"<!-- /{name} -->\n",
    )
    for name in ("events", "answers")
}
_NAMES = {
    int: "integer",
    float: "number",
    str: "text",
    bool: "boolean",
    type(None): "null",
    Any: "any",
}


def described(definition: type[Any]) -> dict[str, str]:
    """Return the meaning of each field, from the docstrings of a definition and its bases."""
    found: dict[str, str] = {}
    for base in reversed(definition.__mro__[:-1]):
        _, _, attributes = (inspect.getdoc(base) or "").partition("Attributes:\n")
        for name, text in re.findall(
            r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE
        ):
            found[name] = (
                " ".join(text.split())
                .replace("``", "`")
                .replace("|", "\\|")
                .replace("None", "null")
            )
    return found


def type_name(hint: Any) -> str:
    """Return the name of a type as the manual has it."""
    if hint in _NAMES:
        return _NAMES[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(map(type_name, args))
    if origin is Literal:
        return "text"
    if origin is tuple:
        return f"list of {type_name(args[0])}"
    if origin is dict:
        return f"object of {type_name(args[1])}"
    return "object"


def rows(definition: type[Any], prefix: str = "") -> list[str]:
    """Return a row for each field of a definition, and for those of the objects in it."""
    found, hints, meanings = [], get_type_hints(definition), described(definition)
    for field in fields(definition):
        name, hint = f"{prefix}{field.name}", hints[field.name]
        found.append(f"| `{name}` | {type_name(hint)} | {meanings[field.name]} |\n")
        for inner in _objects(hint):
            mark = (
                "[]." if get_origin(hint) is tuple else ".*." if get_origin(hint) is dict else "."
            )
            found += rows(inner, name + (".*.*." if "dict[str, dict" in str(hint) else mark))
    return found


def _objects(hint: Any) -> list[type[Any]]:
    """Return the definitions that a type holds."""
    if is_dataclass(hint) and isinstance(hint, type):
        return [hint]
    return list(dict.fromkeys(inner for arg in get_args(hint) for inner in _objects(arg)))


def table(definitions: dict[str, type[Any]]) -> str:
    """Return definitions as Markdown, each with a heading, what it says, and its fields."""
    head = "| field | type | meaning |\n| --- | --- | --- |\n"
    texts = []
    for name, definition in definitions.items():
        says = (inspect.getdoc(definition) or "").partition("\n\nAttributes:")[0]
        says = " ".join(says.split()).replace("``", "`")
        texts.append(f"### {name}\n\n{says}\n\n{head}{''.join(rows(definition))}")
    return "\n".join(texts)


def filled(page: str) -> str:
    """Return the page's text with current tables."""
    for name, definitions in (("events", EVENTS), ("answers", ANSWERS)):
        begin, end = MARKS[name]
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}{table(definitions)}{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
