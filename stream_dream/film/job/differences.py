"""Compares the settings of a job with those of a request, in lines for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings

_NESTED = ("tracks", "curves", "looks", "look_track")
# Characters of a long value that are shown, and how many of them precede the first difference.
_SHOWN, _BEFORE = 60, 20


def named_values(
    dream: DreamSettings,
    output: OutputSettings,
    automation: Automation,
    journey: JourneySettings | None = None,
) -> dict[str, Any]:
    """Return all values that decide on a film's frames, by names such as ``octaves of look 2``."""
    values = {**dict(dream), **dict(output), **dict(journey or ())}
    values |= {name: value for name, value in automation if name not in _NESTED}
    values |= {f"{name} over time": text for name, text in automation.tracks.items()}
    values |= {f"curve {name}": path for name, path in automation.curves.items()}
    values["looks over time"] = automation.look_track
    values["number of looks"] = len(automation.looks) or 1
    for number, look in enumerate(automation.looks[1:], 2):  # the first one is the dream
        values |= {f"{name} of look {number}": value for name, value in look}
    return values


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, but: Collection[str]
) -> list[str]:
    """Return one line for each value that has changed.

    Args:
        before: Values by name, from ``named_values``.
        now: The same of the request.
        but: Names whose values do not count.
    """
    found = []
    for name in dict.fromkeys((*before, *now)):
        was, wanted = before.get(name), now.get(name)
        one_only = name not in before or name not in now
        if was == wanted or name in but or (one_only and " of look " in name):
            continue
        old, new = _text(was), _text(wanted)
        if not isinstance(was or wanted, Path):  # the end of a path says most
            old, new = _shortened(old, new)
        found.append(f"{name.replace('_', '-')} was {old}, not {new}")
    return found


def _shortened(*texts: str) -> list[str]:
    """Return texts where they differ, if they are long."""
    if max(map(len, texts)) <= _SHOWN:
        return list(texts)
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*texts, strict=False))
    begin = max(0, len(list(alike)) - _BEFORE)
    return [
        f"{'...' if begin else ''}{text[begin : begin + _SHOWN]}"
        f"{'...' if len(text) > begin + _SHOWN else ''}"
        for text in texts
    ]


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else " ".join(str(value).split())
