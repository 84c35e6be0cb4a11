"""What is wrong with a setting, in words for those who have never heard of pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stream_dream.fields import choices, fact, is_list, kinds

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


def what_is_wrong(error: ErrorDetails, value: object, field: FieldInfo) -> str:
    """Return the value that was given and, after a colon, what to give instead.

    Args:
        error: What pydantic has found.
        value: What was given for the setting; the error may be in a part of it.
        field: The setting.
    """
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
    """Say what a setting takes; not ``whole`` for one item of a list."""
    found = kinds(field)
    form = fact(field, "metavar") or ""
    if any(map(is_list, found)):
        return f"{'a list of texts' if whole else 'text'} in quotes, such as {form}"
    if bool in found:
        return "true or false"
    if Path in found:
        return f"the name of a {form.lower()} in quotes"
    words = [repr(word) for word in choices(field)]
    if any(kind in _NUMBERS for kind in found):
        words.insert(0, "a whole number" if int in found else "a number")
    if words:
        return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    return f"{form} in quotes" if form else "text in quotes"


def _shown(value: object) -> str:
    """Return a value nearly as a file of settings has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, str) and len(value) > _LONGEST:
        value = f"{value[:_LONGEST]}..."
    return str(value) if isinstance(value, date | time) else repr(value)
