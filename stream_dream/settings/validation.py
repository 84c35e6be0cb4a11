"""Validation of settings, with errors in plain words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date, time
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stream_dream.errors import SettingsError
from stream_dream.settings.fields import choices, fact, is_list, kinds, typed_name

_REASONS = {
    "greater_than_equal": "give at least {ge}",
    "greater_than": "give more than {gt}",
    "less_than_equal": "give at most {le}",
    "less_than": "give less than {lt}",
    "finite_number": "give a finite number",
    "literal_error": "give {expected}",
    "string_too_short": "give at least {min_length} characters",
}
_LONGEST = 200
_NUMBERS = (int, float, Fraction)
_M = TypeVar("_M", bound=BaseModel)


def validated(model: type[_M], values: Mapping[str, Any], *, origin: str = "") -> _M:
    """Build a settings model from values by field name; its first error becomes one clear line.

    The message begins with ``origin``, the source of the values; "" is the command line.

    Raises:
        SettingsError: A value is out of range, of the wrong type, or unknown.
    """
    # By the names that users know.
    values = {typed_name(model, key): value for key, value in values.items()}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        shown = name if origin else "--" + name.replace("_", "-")
        known = {typed_name(model, key): field for key, field in model.model_fields.items()}
        if name not in known:
            name = name or next(key for key in values if key not in known)
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean {nearest[0]}?" if nearest else ""
            message = f"there is no setting {name!r}{hint}"
        elif first["type"] == "missing" and len(first["loc"]) == 1:
            message = f"{shown} is missing"
        else:
            message = f"{shown} cannot be {what_is_wrong(first, values.get(name), known[name])}"
        raise SettingsError(f"{origin}: {message}" if origin else message) from None


def own(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those given settings that belong to a model, by field name; None is not given."""
    found = {name: given.get(name) for name in model.model_fields}
    return {name: value for name, value in found.items() if value is not None}


def part(model: type[_M], given: Mapping[str, Any], *, origin: str = "") -> _M:
    """Build a model from those given settings that belong to it. Raises as ``validated``."""
    return validated(model, own(model, given), origin=origin)


def what_is_wrong(error: ErrorDetails, value: object, field: FieldInfo) -> str:
    """Return the invalid value, or item of a list, and after a colon what to give instead."""
    place = error["loc"][1] if len(error["loc"]) > 1 else None
    whole = not isinstance(value, list | tuple) or not isinstance(place, int)
    if isinstance(value, list | tuple) and isinstance(place, int) and place < len(value):
        value = value[place]
    found: Mapping[str, Any] = error.get("ctx", {})
    kind = error["type"]
    if kind == "value_error":
        reason = error["msg"].removeprefix("Value error, ")
    elif kind in _REASONS and not (kind == "literal_error" and len(kinds(field)) > 1):
        reason = _REASONS[kind].format_map(found)
    else:
        reason = f"give {_expected(field, whole=whole)}"
    return f"{_shown(value)}: {reason}"


def _expected(field: FieldInfo, *, whole: bool) -> str:
    """Return what a setting takes, as text; ``whole`` is False for one item of a list."""
    found = kinds(field)
    form = fact(field, "metavar") or ""
    if any(map(is_list, found)):
        return f"{'a list of texts' if whole else 'text'} in quotes, such as {form}"
    if bool in found:
        return "true or false"
    if Path in found:
        return f"the name of a {form.lower()} in quotes"
    words = [word if word.isdecimal() else repr(word) for word in choices(field)]
    if any(kind in _NUMBERS for kind in found):
        words.insert(0, "a whole number" if int in found else "a number")
    if words:
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return f"{form} in quotes" if form else "text in quotes"


def _shown(value: object) -> str:
    """Return a value roughly as TOML, shortened."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, str) and len(value) > _LONGEST:
        value = f"{value[:_LONGEST]}..."
    return str(value) if isinstance(value, date | time) else repr(value)
