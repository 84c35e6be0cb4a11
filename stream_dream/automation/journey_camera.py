"""The camera of a journey over time: the names of its values, their ranges, units and pairs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction

import numpy as np

from stream_dream.automation.text import at_column, items, shown
from stream_dream.automation.timeline import Values
from stream_dream.automation.track import UNIT_HINT, Track, without_unit
from stream_dream.camera_move import CameraMove
from stream_dream.errors import SettingsError
from stream_dream.settings.fields import fields_with, limits
from stream_dream.settings.journey import PAIR_RANGES, CameraSettings

CAMERA_NAMES = CameraMove._fields
"""Names of the values that move the camera of a journey."""

RATES = frozenset(CAMERA_NAMES) | {"turn"}
"""Names of values that ``/s`` makes those of a second; ``turn`` is a show's angle."""

CAMERA_SETTINGS = frozenset(fields_with(CameraSettings, "automated"))
"""Settings that they belong to: ``pan`` is the pair of ``pan_x`` and ``pan_y``."""

_AXES = ("x", "y")
# What is no motion has no speed.
_UNMOVED = ("centre", "depth")
# CPUs, and arrays of another length, differ in the last bits of a power; chunks must not.
_DECIMALS = 9


def setting_of(name: str) -> str:
    """Return the setting that a value belongs to: ``pan`` for ``pan_x``, else the same name."""
    setting, _, axis = name.rpartition("_")
    return setting if axis in _AXES and setting in PAIR_RANGES else name


def names_of(setting: str) -> tuple[str, ...]:
    """Return the names of a setting's values: ``pan_x`` and ``pan_y`` for ``pan``."""
    return tuple(f"{setting}_{axis}" for axis in _AXES) if setting in PAIR_RANGES else (setting,)


def camera_move(settings: CameraSettings) -> CameraMove:
    """Return the motion of a camera that nothing changes."""
    values: dict[str, float] = {}
    for setting in CAMERA_SETTINGS:
        value = getattr(settings, setting)
        parts = value if setting in PAIR_RANGES else (value,)
        values |= dict(zip(names_of(setting), parts, strict=True))
    return CameraMove(**values)


def camera_range(name: str) -> tuple[float, float]:
    """Return the least and the greatest value, per frame, of one of ``CAMERA_NAMES``."""
    setting = setting_of(name)
    if setting in PAIR_RANGES:
        return PAIR_RANGES[setting]
    found = limits(CameraSettings.model_fields[setting])
    return found["ge"], found["le"]


def per_frame(name: str, values: Values, fps: Fraction) -> Values:
    """Return values per frame of a camera's values per second, float64.

    Args:
        name: One of ``CAMERA_NAMES``: the zoom is a factor, all others add up.
        values: The values per second.
        fps: Frames per second.
    """
    if name != "zoom":
        return values / float(fps)
    return np.asarray(np.maximum(values, 0) ** (1 / float(fps)), np.float64).round(_DECIMALS)


def check_unit(name: str, track: Track) -> None:
    """Check that what is no motion is not given per second. Raises ``SettingsError``."""
    if track.per_second and setting_of(name) in _UNMOVED:
        raise SettingsError(f"{setting_of(name)} is no motion: leave out /s, per second")


def check_zoom(track: Track) -> None:
    """Check the numbers of a journey's zoom; formulas are clipped. Raises ``SettingsError``."""
    for key in track.keys:
        number = key.value.constant
        if number is not None and number <= 0:
            where = f"key {key.text}: " if key.text else ""
            hint = "give more than 0: above 1 comes nearer, below 1 recedes"
            raise SettingsError(f"{where}there is no zoom of {number:g}: {hint}")


def pair_tracks(setting: str, text: str, *, names: Collection[str] = ()) -> Mapping[str, str]:
    """Return the texts of the two tracks of a pair over time, by name.

    Args:
        setting: ``pan`` or ``centre``.
        text: Two formulas, as in ``sin(t/40)*0.01, 0``, or keys with two values each, as in
            ``0:(0,0), 10s:(0.01,0)@smooth``.
        names: Names of curves besides those of sound.

    Raises:
        SettingsError: It is not understood; the message names the column.
    """
    plain = re.sub("[\"']", " ", text)
    body = without_unit(plain)
    first, second = list(body), list(body)
    for begin, comma, end in _halves(body):
        first[comma:end] = " " * (end - comma)
        second[begin : comma + 1] = " " * (comma + 1 - begin)
    unit = plain[len(body) :]
    tracks = {}
    for name, half in zip(names_of(setting), (first, second), strict=True):
        track = "".join(half) + unit
        # Its blanks keep the columns.
        parsed = Track.parse(track, names=names, rate=True)
        if parsed.per_second != bool(unit):
            raise SettingsError(UNIT_HINT)
        check_unit(name, parsed)
        tracks[name] = " ".join(track.split())
    return tracks


def _halves(body: str) -> Iterator[tuple[int, int, int]]:
    """Yield where each pair begins, has its comma, and ends."""
    found = list(items(body))
    if ":" not in body:
        bare = len(found) == 2
        yield _half(body, 0, len(body)) if bare else _in_brackets(body, 0, len(body))
        return
    for place, item in found:
        head, colon, tail = item.rpartition(":")
        if not colon:
            raise at_column(place, f"{shown(item)} has no key: write 0:(0, 0), 2s:(0.1, 0)")
        begin = place + len(head + colon)
        yield _in_brackets(body, begin, begin + len(tail.partition("@")[0]))


def _in_brackets(body: str, begin: int, end: int) -> tuple[int, int, int]:
    value = body[begin:end]
    inside = value.strip()
    if not (inside.startswith("(") and inside.endswith(")")):
        raise _no_pair(body, begin, end)
    return _half(body, begin + value.index("(") + 1, begin + value.rindex(")"))


def _half(body: str, begin: int, end: int) -> tuple[int, int, int]:
    depth, commas = 0, []
    for place in range(begin, end):
        sign = body[place]
        depth += (sign == "(") - (sign == ")")
        if sign == "," and not depth:
            commas.append(place)
    if len(commas) != 1:
        raise _no_pair(body, begin, end)
    return begin, commas[0], end


def _no_pair(body: str, begin: int, end: int) -> SettingsError:
    value = body[begin:end]
    place = begin + len(value) - len(value.lstrip())
    hint = "give two, such as 'sin(t/40)*0.01, 0' or '0:(0,0), 10s:(0.01,0)'"
    return at_column(place, f"{shown(value.strip())} is not two values: {hint}")
