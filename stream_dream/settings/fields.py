"""Definition of the fields of settings models, and access to their metadata."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

FILE_OR_NAME = r"(?s).*\.(keras|h5|hdf5|toml)"
"""Matches names of files, as opposed to networks and looks of the package."""

_M = TypeVar("_M", bound=BaseModel)


class Heading(StrEnum):
    """Headings that settings are listed under, in this order."""

    WHAT = "What to dream"
    HOW = "How to dream"
    COLOURS = "Colours and strength"
    FRAMES = "From frame to frame"
    TIME = "Time and music"
    INPUT = "Input"
    LOOP = "The loop"
    JOURNEY = "The journey"
    CAMERA = "The camera"
    SHOW = "The show"
    OUTPUT = "Output"
    MASK = "Mask"
    FILM = "A long film"
    CONTROL = "Remote control"
    GENERAL = "General"


def setting(
    heading: Heading,
    default: Any,
    description: str,
    *,
    metavar: str | None = None,
    file: str | None = None,
    looks: bool = False,
    switch: bool = False,
    of_every_look: bool = False,
    automated: bool = False,
    added_later: bool = False,
    **rest: Any,
) -> Any:
    """Define a field of a settings model, with its metadata for commands and files.

    Args:
        heading: Heading to list it under.
        default: Default value.
        description: Help text, a sentence.
        metavar: Placeholder of the value in ``--help``, if the type's is not enough.
        file: Pattern of the values that name a file, if not all do.
        looks: True if the value is the name of a look, or several.
        switch: True if it may also be true or false, whatever its type.
        of_every_look: True if the value given for a show holds for all its looks.
        automated: True if the value may change over time.
        added_later: True if a film's frames do not depend on it: ``--resume`` may change it.
        rest: Arguments of pydantic's ``Field``: limits, an alias.
    """
    facts: dict[str, Any] = {
        "heading": heading,
        "metavar": metavar,
        "file": file,
        "looks": looks,
        "switch": switch,
        "of_every_look": of_every_look,
        "automated": automated,
        "added_later": added_later,
    }
    return Field(default, description=description, json_schema_extra=facts, **rest)


def under(heading: Heading) -> Callable[..., Any]:
    """Return ``setting`` bound to a heading."""
    return partial(setting, heading)


def fact(field: FieldInfo, name: str) -> Any:
    """Return the argument ``name`` that ``setting`` got for a field."""
    extra = field.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


def fields_with(model: type[BaseModel], name: str) -> set[str]:
    """Return the names of the fields for which a fact is true."""
    return {key for key, field in model.model_fields.items() if fact(field, name)}


def members(kind: Any) -> list[Any]:
    """Return the types of a union, without their limits."""
    if get_origin(kind) is Annotated:
        return members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [one for part in get_args(kind) for one in members(part)]
    return [kind]


def is_list(kind: Any) -> bool:
    """Return whether a type is a tuple of any length."""
    return get_origin(kind) is tuple and Ellipsis in get_args(kind)


def kinds(field: FieldInfo) -> list[Any]:
    """Return the types of a setting, without None."""
    return [kind for kind in members(field.annotation) if kind is not type(None)]


def choices(field: FieldInfo) -> list[str]:
    """Return the literal values of a setting."""
    found = [kind for kind in kinds(field) if get_origin(kind) is Literal]
    return [str(word) for kind in found for word in get_args(kind)]


def names_file(field: FieldInfo, value: object) -> bool:
    """Return whether a value, given or parsed, names a file."""
    if Path in kinds(field):
        return isinstance(value, str | Path) and bool(str(value))
    pattern = fact(field, "file")
    return bool(pattern and isinstance(value, str) and re.fullmatch(pattern, value))


def named_files(*settings: BaseModel) -> dict[str, Path]:
    """Return the files that settings name, by setting."""
    return {
        name: Path(value)
        for model in settings
        for name, value in model
        if names_file(type(model).model_fields[name], value)
    }


def with_paths(settings: _M, paths: Mapping[str, Path]) -> _M:
    """Return settings that name the files in ``paths``, by setting, instead of their own."""
    named = named_files(settings).keys() & paths.keys()
    values = {name: type(getattr(settings, name))(paths[name]) for name in named}
    return settings.model_copy(update=values)


def limits(field: FieldInfo) -> dict[str, float]:
    """Return the limits of a setting: some of ``ge``, ``gt``, ``le`` and ``lt``."""
    names = ("ge", "gt", "le", "lt")
    return {
        name: getattr(limit, name)
        for limit in field.metadata
        for name in names
        if hasattr(limit, name)
    }


def values_added_later(settings: BaseModel) -> dict[str, Any]:
    """Return the settings that frames do not depend on, as JSON values by name."""
    return settings.model_dump(mode="json", include=fields_with(type(settings), "added_later"))


def typed_name(model: type[BaseModel], field: str) -> str:
    """Return the name under which users know a field: ``class`` for ``classes``."""
    known = model.model_fields.get(field)
    return (known and known.alias) or field
