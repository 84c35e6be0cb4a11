"""JSON messages between web page and show."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stream_dream.errors import SettingsError, first_line
from stream_dream.live.control.controls import ACTIONS, Controls
from stream_dream.live.status import LiveStatus
from stream_dream.settings.fields import choices
from stream_dream.settings.live import LiveParameters, parameter_range

_LONGEST_LINE = 300
_LEAST_STEPS = 150  # of a slider


def dumps(value: object) -> str:
    """Return strict JSON: ASCII, and null for what is not a finite number."""
    return json.dumps(_finite(value), separators=(",", ":"))


def loads(text: str | bytes) -> object:
    """Parse JSON from outside. Raises ``SettingsError`` if it is invalid."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError:
        reason = "it is nested too deeply"
    except ValueError as error:
        reason = first_line(error)
    raise SettingsError(f"this is not JSON: {reason[:_LONGEST_LINE]}")


def refusal(error: Exception) -> dict[str, str]:
    """Return the response to a refused request: one line, of bounded length."""
    line = first_line(error)
    return {"error": line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 3] + "..."}


def form(controls: Controls) -> dict[str, Any]:
    """Describe the controls of a page: sliders, switches, looks and buttons."""
    idle = {name for name, field in LiveParameters.model_fields.items() if choices(field)}
    idle |= set() if controls.reacts else {"reactivity"}
    parameters = [_described(name) for name in LiveParameters.model_fields if name not in idle]
    return {"parameters": parameters, "looks": controls.looks, "actions": ACTIONS}


def state(controls: Controls, status: LiveStatus) -> dict[str, Any]:
    """Return the state that a page shows; parameters are the targets, reached or not."""
    return {
        "parameters": controls.target.model_dump(),
        "look": controls.look,
        "looks": controls.looks,
        "frozen": controls.frozen,
        "status": asdict(status),
    }


def obey(controls: Controls, message: object) -> None:
    """Execute one of ``{"set": {NAME: VALUE, ...}}``, ``{"preset": NAME}``, ``{"press": NAME}``.

    Raises ``SettingsError`` if it is invalid or cannot be executed; nothing was changed then.
    """
    if not isinstance(message, dict) or len(message) != 1:
        raise SettingsError('a message is an object with one of "set", "preset" and "press"')
    [(kind, value)] = message.items()
    if kind == "set":
        change(controls, value)
    elif kind not in ("preset", "press"):
        raise SettingsError(f'there is no {kind[:40]!r}: send "set", "preset" or "press"')
    elif not isinstance(value, str):
        raise SettingsError(f'"{kind}" needs a name in quotes')
    elif kind == "preset":
        controls.use(value)
    else:
        controls.press(value)


def change(controls: Controls, values: object) -> None:
    """Change parameters by name, all or none of them.

    Raises ``SettingsError`` if they are no object of names and values, or one is invalid.
    """
    if not isinstance(values, dict):
        raise SettingsError('parameters are an object such as {"strength": 0.5}')
    for name, value in values.items():
        field = LiveParameters.model_fields.get(name)
        if field is None:
            continue  # refused below, with a suggestion
        # Settings of files and command lines are lenient: 1 is true, "2" is 2. JSON is not.
        switch = field.annotation is bool
        if isinstance(value, bool) != switch or not isinstance(value, int | float):
            wanted = "true or false" if switch else "a number"
            raise SettingsError(f"{name} cannot be {json.dumps(value)[:40]}: give {wanted}")
        if not switch and not -1e9 < value < 1e9:
            raise SettingsError(f"{name} cannot be that large: give a number in its range")
    controls.change(values, origin="show")


def _described(name: str) -> dict[str, Any]:
    field = LiveParameters.model_fields[name]
    described: dict[str, Any] = {
        "name": name,
        "label": name.replace("_", " ").capitalize().replace(" fps", " FPS"),
        "help": field.description,
        "default": field.default,
    }
    if field.annotation is bool:
        return {**described, "kind": "switch"}
    low, high = parameter_range(name)
    step = _step(name, low, high)
    return {**described, "kind": "slider", "low": low, "high": high, "step": step}


def _step(name: str, low: float, high: float) -> float:
    """Return the step of a slider: fine, and such that it can return to the default."""
    field = LiveParameters.model_fields[name]
    if field.annotation is int:
        return 1
    power = 10.0 ** math.floor(math.log10((high - low) / _LEAST_STEPS))
    for part in (1.0, 0.5, 0.2):
        steps = (field.default - low) / (part * power)
        if abs(steps - round(steps)) < 1e-6:
            return float(f"{part * power:.1g}")
    return float(f"{power / 10:.1g}")


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
