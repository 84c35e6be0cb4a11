"""What can be controlled, by its address: kinds, ranges and help."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import ACTIONS, Controls
from stream_dream.live.control.scale import curve
from stream_dream.live.control.show_state import DECKS, MODULATED, OF_A_LOOK
from stream_dream.live.control.tempo import LEAST_BPM, MOST_BPM
from stream_dream.settings.fields import choices
from stream_dream.settings.live import LiveParameters, parameter_range
from stream_dream.settings.scenes import LONGEST_CYCLE, SHORTEST_CYCLE, Lfo

Kind = Literal["number", "switch", "choice", "button", "text"]
LFO_PARTS = ("depth", "every", "unit", "shape")

_LABELS = {"target_fps": "Target FPS", "fade_unit": "Fade counts", "auto_fade": "Fade over"}
_HELP = {
    "freeze": "Hold the picture.",
    "reset": "Begin the dream afresh.",
    "snapshot": "Save the picture.",
    "record": "Record a film, or end it.",
    "cut": "Change to the other deck at once.",
    "auto_fade": "Cross-fade to the other deck.",
    "fade_to_black": "Fade to black, or back.",
    "flash": "Flash white.",
    "tap": "Tap the beat.",
    "begin_bar": "Begin a bar now.",
    "release_tempo": "Follow the sound again, or --bpm.",
    "undo": "Undo the last change.",
    "redo": "Do again what was undone.",
}
_LFO_HELP = {
    "depth": "How far the LFO moves the slider, as a share of its length.",
    "every": "Length of a cycle.",
    "unit": "What that length counts.",
    "shape": "Form of the wave.",
}


@dataclass(frozen=True, slots=True)
class Control:
    """Something that can be controlled.

    Attributes:
        address: Its name, without a leading slash: ``strength``, ``b/preset``, ``scene/intro``.
        kind: A ``number`` within a range, a ``switch``, a ``choice``, a ``button`` or a ``text``.
        help: What it does, a sentence.
        low: Least value of a number.
        high: Greatest value of a number.
        whole: True for a number that counts.
        choices: Values of a choice.
        exponent: Bends the scale of a number that is no parameter; those have scales of their own.
    """

    address: str
    kind: Kind
    help: str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    choices: tuple[str, ...] = ()
    exponent: float = 1.0

    @property
    def label(self) -> str:
        """Its name for people."""
        name = self.address.rpartition("/")[2]
        return _LABELS.get(name) or name.replace("_", " ").capitalize()

    def read(self, value: Any) -> float | bool | str:
        """Return a value in the form of this control.

        Numbers, also those in a text, are cut to the range and rounded; a choice is also a number
        from 1 on; any number but 0, and None, presses a button.

        Raises:
            SettingsError: The value makes no sense here.
        """
        number = _as_float(value)
        if self.kind == "choice":
            if isinstance(value, str) and value in self.choices:
                return value
            if 0.5 < number < len(self.choices) + 0.5:
                return self.choices[round(number) - 1]
            wanted = "choose " + (", ".join(self.choices) or "there is none yet")
        elif self.kind == "text":
            if isinstance(value, str):
                return value
            wanted = "give a name"
        elif self.kind == "number":
            if not math.isnan(number):
                number = min(max(number, self.low), self.high)
                return round(number) if self.whole else number
            wanted = "give a number"
        else:
            if value is None and self.kind == "button":
                return True
            if not math.isnan(number):
                return bool(number)
            wanted = "give 1 or 0"
        raise SettingsError(f"/{self.address} cannot be {_shown(value)}: {wanted}")


def catalogue(controls: Controls) -> Iterator[Control]:
    """Yield everything that can be controlled now: looks and scenes come and go."""
    idle = controls.idle
    for name in LiveParameters.model_fields:
        if name not in idle:
            for place in ("", *(f"{deck}/" for deck in DECKS if name in OF_A_LOOK)):
                yield _parameter(f"{place}{name}")
    for place in ("", *(f"{deck}/" for deck in DECKS)):
        looks = controls.looks
        yield Control(f"{place}preset", "choice", "Look to change to.", choices=looks)
        for look in looks:
            yield Control(f"{place}preset/{look}", "button", f"Change to the look {look}.")
    for action in ACTIONS:
        yield Control(action, "button", _HELP[action])
    scenes = tuple(controls.scenes)
    yield Control("scene", "choice", "Scene to go to.", choices=scenes)
    for scene in scenes:
        yield Control(f"scene/{scene}", "button", f"Go to the scene {scene}.")
    yield Control("store", "text", "Store a scene under a name.")
    yield Control("forget", "text", "Remove a scene.")
    yield Control("bpm", "number", "Beats per minute.", LEAST_BPM, MOST_BPM)
    for name in [name for name in MODULATED if name not in idle]:
        for place in ("", *(f"{deck}/" for deck in DECKS if name in OF_A_LOOK)):
            yield from (_lfo_part(f"lfo/{place}{name}/{part}") for part in LFO_PARTS)


def described(control: Control) -> dict[str, Any]:
    """Return a control as JSON values, for the page and for OSCQuery."""
    name = control.address.rpartition("/")[2]
    facts: dict[str, Any] = {
        "address": control.address,
        "kind": control.kind,
        "label": control.label,
        "help": control.help,
    }
    if control.kind == "number":
        scaled = name in LiveParameters.model_fields
        exponent, upper = curve(name) if scaled else (control.exponent, False)
        facts |= {"low": control.low, "high": control.high, "whole": control.whole}
        facts |= {"exponent": exponent, "fine_above": upper}
    if name in LiveParameters.model_fields and control.kind != "button":
        facts["default"] = LiveParameters.model_fields[name].default
    if control.kind == "choice":
        facts["choices"] = control.choices
    return facts


def _parameter(address: str) -> Control:
    name = address.rpartition("/")[2]
    field = LiveParameters.model_fields[name]
    text = field.description or ""
    if field.annotation is bool:
        return Control(address, "switch", text)
    if words := choices(field):
        return Control(address, "choice", text, choices=tuple(words))
    low, high = parameter_range(name)
    return Control(address, "number", text, low, high, whole=field.annotation is int)


def _lfo_part(address: str) -> Control:
    name = address.rpartition("/")[2]
    field = Lfo.model_fields[name]
    text = _LFO_HELP[name]
    if words := choices(field):
        return Control(address, "choice", text, choices=tuple(words))
    if name == "every":
        return Control(address, "number", text, SHORTEST_CYCLE, LONGEST_CYCLE, exponent=4.0)
    return Control(address, "number", text)


def _as_float(value: Any) -> float:
    """Return a number, also one in a text, as a float; not a number (NaN) for all else."""
    if not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan
    except OverflowError:  # of a whole number
        return math.inf if int(value) > 0 else -math.inf


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
