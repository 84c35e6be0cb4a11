"""The control surface: everything that can be controlled, by its address.

Page, OSC and MIDI differ in how a value arrives; what there is to control, what it may be and what
a value does is said here, once.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import ACTIONS, Controls
from stream_dream.live.control.scale import curve, share_of, value_at
from stream_dream.live.control.show_state import DECKS, MODULATED, OF_A_LOOK
from stream_dream.live.control.tempo import LEAST_BPM, MOST_BPM
from stream_dream.settings.fields import choices
from stream_dream.settings.live import LiveParameters, StageParameters, parameter_range
from stream_dream.settings.scenes import SHORTEST_CYCLE, Lfo
from stream_dream.settings.validation import validated

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
    """

    address: str
    kind: Kind
    help: str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name for people."""
        name = self.address.rpartition("/")[2]
        return _LABELS.get(name) or name.replace("_", " ").capitalize()


class Surface:
    """Sets and returns everything that can be controlled, by its address.

    Addresses are those of parameters (``strength``; ``step_size`` of the deck in front,
    ``b/step_size`` of deck B), ``preset`` and ``a/preset`` (a look by name or number),
    ``preset/eyes`` (a button), actions (``cut``), ``scene`` and ``scene/NAME``, ``store`` and
    ``forget`` (scenes by name), ``bpm``, and ``lfo/strength/depth`` with the other parts of an LFO.
    """

    def __init__(
        self, controls: Controls, *, is_recording: Callable[[], bool] = lambda: False
    ) -> None:
        """Control a show.

        Args:
            controls: Its controls.
            is_recording: Returns whether a film is recorded.
        """
        self.controls = controls
        self._is_recording = is_recording
        self._found: tuple[object, dict[str, Control]] = None, {}

    def all(self) -> Iterator[Control]:
        """Yield everything that can be controlled now: looks and scenes come and go."""
        idle = set() if self.controls.reacts else {"reactivity"}
        for name in LiveParameters.model_fields:
            if name not in idle:
                for place in ("", *(f"{deck}/" for deck in DECKS if name in OF_A_LOOK)):
                    yield _parameter(f"{place}{name}")
        for place in ("", *(f"{deck}/" for deck in DECKS)):
            looks = self.controls.looks
            yield Control(f"{place}preset", "choice", "Look to change to.", choices=looks)
            for look in looks:
                yield Control(f"{place}preset/{look}", "button", f"Change to the look {look}.")
        for action in ACTIONS:
            yield Control(action, "button", _HELP[action])
        scenes = tuple(self.controls.scenes)
        yield Control("scene", "choice", "Scene to go to.", choices=scenes)
        for scene in scenes:
            yield Control(f"scene/{scene}", "button", f"Go to the scene {scene}.")
        yield Control("store", "text", "Store a scene under a name.")
        yield Control("forget", "text", "Remove a scene.")
        yield Control("bpm", "number", "Beats per minute.", LEAST_BPM, MOST_BPM)
        for name in [name for name in MODULATED if name not in idle]:
            for place in ("", *(f"{deck}/" for deck in DECKS if name in OF_A_LOOK)):
                yield from (_lfo_part(f"lfo/{place}{name}/{part}") for part in LFO_PARTS)

    def known(self) -> Mapping[str, Control]:
        """Return everything that can be controlled now, by its address."""
        present = self.controls.looks, tuple(self.controls.scenes), self.controls.reacts
        if self._found[0] != present:
            self._found = present, {control.address: control for control in self.all()}
        return self._found[1]

    def find(self, address: str, *, hint: bool = True) -> Control:
        """Return what is at an address.

        Args:
            address: The address.
            hint: True to name a similar address in the error, which takes some milliseconds.

        Raises:
            SettingsError: Nothing is there.
        """
        known = self.known()
        if address in known:
            return known[address]
        nearest = difflib.get_close_matches(address[:80], known, n=1) if hint else ()
        similar = f": did you mean /{nearest[0]}?" if nearest else ""
        raise SettingsError(f"there is nothing at /{address[:60]}{similar}")

    def set(self, address: str, value: Any, *, origin: str = "") -> None:
        """Set something to a value.

        Numbers are cut to their range and rounded; a choice is also a number from 1 on; any value
        but 0 and False, None included, presses a button. ``freeze`` follows a switch's state.

        Args:
            address: What to set.
            value: Number, boolean or text; None for a press without a value.
            origin: Where it comes from, put before error messages of parameters.

        Raises:
            SettingsError: There is nothing at the address, or the value makes no sense there.
        """
        control = self.find(address)
        if control.kind == "button":
            self._press(control, value)
        elif control.kind == "text":
            act = self.controls.store if address == "store" else self.controls.forget
            act(_text(control, value))
        elif control.kind == "choice":
            self._choose(control, _choice(control, value), origin)
        else:
            self._adjust(control, _number(control, value), origin)

    def set_share(self, address: str, share: float, *, origin: str = "") -> None:
        """Set something to a share of its range, 0..1, along its scale; see ``share``.

        A button is pressed by half of it or more.

        Raises:
            SettingsError: There is nothing at the address, or it is a text.
        """
        control = self.find(address)
        share = _cut(share)
        if control.kind == "number":
            name = address.rpartition("/")[2]
            scaled = name in LiveParameters.model_fields
            value = (
                value_at(name, share)
                if scaled
                else control.low + share * (control.high - control.low)
            )
            self.set(address, value, origin=origin)
        elif control.kind == "choice" and control.choices:
            place = min(int(share * len(control.choices)), len(control.choices) - 1)
            self.set(address, control.choices[place], origin=origin)
        else:
            self.set(address, share >= 0.5, origin=origin)

    def value(self, address: str) -> Any:
        """Return what something was set to last; None for what has no value.

        Raises:
            SettingsError: There is nothing at the address.
        """
        return self.value_of(self.find(address))

    def share(self, address: str) -> float:
        """Return where something is within its range, 0..1: the position of a motor fader.

        A lit lamp is 1. Raises ``SettingsError`` if there is nothing at the address.
        """
        control = self.find(address)
        value = self.value_of(control)
        name = address.rpartition("/")[2]
        if control.kind == "number" and name in LiveParameters.model_fields:
            return share_of(name, float(value))
        if control.kind == "number":
            return _cut((float(value) - control.low) / (control.high - control.low))
        if control.kind == "choice" and value in control.choices:
            return (control.choices.index(value) + 0.5) / len(control.choices)
        return float(value is True)

    def value_of(self, control: Control) -> Any:
        """Return what a control was set to last; None for what has no value."""
        if control.kind == "button":
            return self._lit(control.address)
        place, _, name = control.address.rpartition("/")
        state = self.controls.state
        if control.address == "bpm":
            return self.controls.bpm()
        if place.startswith("lfo/"):
            return getattr(self._lfo(place), name)
        if name in StageParameters.model_fields:
            return getattr(state.stage, name)
        if name == "preset" or name in OF_A_LOOK:
            deck = state.decks[state.deck(place or None)]
            return deck.look if name == "preset" else getattr(deck, name)
        return None

    def _lit(self, address: str) -> bool | None:
        """Return whether the lamp of a button is lit; None for a button without one."""
        place, _, name = address.rpartition("/")
        deck, _, kind = place.rpartition("/")
        state = self.controls.state
        if kind == "preset":
            return state.decks[state.deck(deck or None)].look == name
        return {
            "freeze": self.controls.frozen,
            "record": self._is_recording(),
            "fade_to_black": state.stage.light == 0,
            "undo": self.controls.can_undo,
            "redo": self.controls.can_redo,
        }.get(address)

    def lfo_with(self, place: str, parts: Mapping[str, Any]) -> Lfo:
        """Return the LFO at ``lfo/strength`` with other parts.

        Raises:
            SettingsError: Nothing is there, or a part is invalid.
        """
        parts = {**dict(self._lfo(place)), **parts}
        return validated(Lfo, parts, origin=f"LFO of {place.removeprefix('lfo/')}")

    def _lfo(self, place: str) -> Lfo:
        return self.controls.lfo(place.removeprefix("lfo/")) or Lfo(depth=0.0)

    def _press(self, control: Control, value: Any) -> None:
        place, _, name = control.address.rpartition("/")
        down = value is None or _is_on(control, value)
        if control.address == "freeze" and value is not None:
            down = down != self.controls.frozen
        if not down:
            return
        deck, _, kind = place.rpartition("/")
        if kind == "preset":
            self.controls.use(name, deck or None)
        elif kind == "scene":
            self.controls.recall(name)
        else:
            self.controls.press(name)

    def _choose(self, control: Control, value: str, origin: str) -> None:
        place, _, name = control.address.rpartition("/")
        if name == "preset":
            self.controls.use(value, place or None)
        elif name == "scene":
            self.controls.recall(value)
        else:
            self._adjust(control, value, origin)

    def _adjust(self, control: Control, value: float | bool | str, origin: str) -> None:
        place, _, name = control.address.rpartition("/")
        if control.address == "bpm":
            self.controls.tempo.set_bpm(float(value))
        elif place.startswith("lfo/"):
            lfo = self.lfo_with(place, {name: value})
            self.controls.modulate(place.removeprefix("lfo/"), lfo)
        else:
            self.controls.change({control.address: value}, origin=origin)


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
        exponent, upper = curve(name) if scaled else (1.0, False)
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
    low, high = (SHORTEST_CYCLE, 64.0) if name == "every" else (0.0, 1.0)
    return Control(address, "number", text, low, high)


def _number(control: Control, value: Any) -> float | bool:
    """Return a number within the range of a control, or the state of a switch."""
    if control.kind == "switch":
        return _is_on(control, value)
    number = _as_float(value)
    if math.isnan(number):
        raise SettingsError(f"/{control.address} cannot be {_shown(value)}: give a number")
    number = min(max(number, control.low), control.high)
    return round(number) if control.whole else number


def _cut(share: float) -> float:
    return min(max(share, 0.0), 1.0)


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


def _is_on(control: Control, value: Any) -> bool:
    number = _as_float(value)
    if not math.isnan(number):
        return bool(number)
    raise SettingsError(f"/{control.address} cannot be {_shown(value)}: give 1 or 0")


def _choice(control: Control, value: Any) -> str:
    if isinstance(value, str) and value in control.choices:
        return value
    place = _as_float(value)
    if 0.5 < place < len(control.choices) + 0.5:
        return control.choices[round(place) - 1]
    known = ", ".join(control.choices) or "there is none yet"
    raise SettingsError(f"/{control.address} cannot be {_shown(value)}: choose {known}")


def _text(control: Control, value: Any) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"/{control.address} cannot be {_shown(value)}: give a name")
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
