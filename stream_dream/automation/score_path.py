"""The path of a score: places that a journey visits, and the looks that it has there."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from stream_dream.automation.journey_camera import CAMERA_SETTINGS
from stream_dream.automation.text import shown
from stream_dream.automation.timeline import Position
from stream_dream.automation.track import without_unit
from stream_dream.errors import SettingsError
from stream_dream.settings.journey import PAIR_RANGES
from stream_dream.settings.presets import DEFAULT_PRESET

# How long looks fade into each other, where a place does not say it.
_FADE = "~2s"
_FADES = re.compile(r"~\s*[0-9.][^~/\\]*$")
_FORM = "give its time, as in at = '4s', and what the camera does there"


class _Value(NamedTuple):
    """The value of a setting at a place, as text, and whether it is one per second."""

    text: str
    per_second: bool


def path_texts(places: object) -> dict[str, str]:
    """Return the texts of values over time that a path stands for, by setting.

    Values go smoothly from place to place; looks fade. ``preset`` is the text of the looks; until
    the first place that names one, if that is not the first of all, it is the usual look.

    Args:
        places: The tables of the path, as TOML gives them.

    Raises:
        SettingsError: A place is not understood; the message gives its number.
    """
    if not isinstance(places, list):
        raise SettingsError("a path is a list of places: begin each with a line [[path]]")
    found: dict[str, dict[str, _Value]] = {}
    looks: list[str] = []
    for number, place in enumerate(places, 1):
        try:
            at, values, look = _place(place)
        except SettingsError as error:
            raise SettingsError(f"place {number}: {error}") from None
        for name, value in values.items():
            found.setdefault(name, {})[at] = value
        if look is not None:
            if number > 1 and not looks:
                looks.append(f"0:{DEFAULT_PRESET}")
            looks.append(f"{at}:{look}" if _FADES.search(look) else f"{at}:{look}{_FADE}")
    texts = {name: _track(name, values) for name, values in found.items()}
    return texts | ({"preset": ", ".join(looks)} if looks else {})


def _track(name: str, values: Mapping[str, _Value]) -> str:
    units = {value.per_second for value in values.values()}
    if len(units) > 1:
        raise SettingsError(f"{name} is per second (/s) at some places alone: give one unit")
    keys = ", ".join(f"{at}:({value.text})@smooth" for at, value in values.items())
    return f"{keys}/s" if True in units else keys


def _place(place: object) -> tuple[str, dict[str, _Value], str | None]:
    """Return the position of a place, its values by setting, and its look, if it has one."""
    if not isinstance(place, dict):
        raise SettingsError(_FORM)
    rest = dict(place)
    at = _position(rest.pop("at", None))
    look = rest.pop("look", None)
    if look is not None and (not isinstance(look, str) or not look.strip()):
        raise SettingsError("look is the name of a look: write it in quotes")
    for name in rest:
        if name not in CAMERA_SETTINGS:
            near = difflib.get_close_matches(name, [*CAMERA_SETTINGS, "at", "look"], n=1)
            hint = f"did you mean {near[0]}?" if near else "write settings above the first [[path]]"
            raise SettingsError(f"a place has no {shown(name)}: {hint}")
    return at, {name: _value(name, value) for name, value in rest.items()}, look


def _position(at: object) -> str:
    if at is None:
        raise SettingsError(_FORM)
    if isinstance(at, bool) or not isinstance(at, int | float | str):
        raise SettingsError("at is a point in time: give a frame (12), '2s', '50%' or '4bar'")
    text = str(at).strip()
    Position.parse(text)
    return text


def _value(name: str, value: Any) -> _Value:
    """Return a value from a number, from two in a list, or from a text with a unit."""
    per_second, parts = False, value if isinstance(value, list) else [value]
    if isinstance(value, str):
        bare = without_unit(value)
        per_second, parts = bare != value, bare.split(",")
    count = 2 if name in PAIR_RANGES else 1
    try:
        numbers = [math.nan if isinstance(part, bool) else float(part) for part in parts]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        form = "[0.5, 0.45]" if count == 2 else "1.02, or a text such as '1.3/s'"
        raise SettingsError(
            f"{name} is {'two numbers' if count == 2 else 'a number'}: write {form}"
        )
    return _Value(", ".join(map(repr, numbers)), per_second)
