"""JSON messages from the web page to the show."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from stream_dream.errors import SettingsError, first_line
from stream_dream.live.control.catalogue import Control
from stream_dream.live.control.keys import play
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.surface import Surface
from stream_dream.settings.live import LiveParameters

_LONGEST_LINE = 300
# Of MIDI in one message of the page; several controllers that move at once.
_MOST_MIDI_BYTES = 600
_OTHER_KEYS = {"preset": {"deck"}}


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


class Operator:
    """Executes the messages of a page.

    ===============================  =========================================================
    ``{"set": {ADDRESS: VALUE}}``    sets what is at the addresses; see ``change``
    ``{"press": ADDRESS}``           presses a button
    ``{"preset": NAME}``             changes the look of the deck in front, or of ``"deck": "b"``
    ``{"key": NAME}``                does what the key does in the window
    ``{"midi": [BYTE, ...]}``        plays one or several MIDI messages; none asks for the lamps
    ``{"learn": ADDRESS or null}``   binds a control to the next knob that moves
    ``{"unbind": SOURCE}``           forgets what a knob moves: ``cc 1 7``
    ===============================  =========================================================
    """

    def __init__(self, surface: Surface, midi: MidiMap | None) -> None:
        """Control a show; ``midi`` is None where there is no MIDI."""
        self._surface = surface
        self._midi = midi
        self._kinds: Mapping[str, Callable[[Any], dict[str, Any] | None]] = {
            "set": lambda message: change(surface, message["set"]),
            "press": self._press,
            "preset": self._preset,
            "key": self._key,
            "midi": self._play_midi,
            "learn": self._learn,
            "unbind": self._unbind,
        }

    def obey(self, message: object) -> dict[str, Any] | None:
        """Execute a message; return the answer to it, if it has one.

        Raises ``SettingsError`` if it is invalid or cannot be executed.
        """
        known = ", ".join(f'"{kind}"' for kind in self._kinds)
        if not isinstance(message, dict) or not message:
            raise SettingsError(f"a message is an object with one of {known}")
        kind = next((kind for kind in self._kinds if kind in message), None)
        if kind is None:
            raise SettingsError(f"there is no {next(iter(message))[:40]!r}: send one of {known}")
        if surplus := message.keys() - {kind} - _OTHER_KEYS.get(kind, set()):
            raise SettingsError(
                f'"{kind}" is a message of its own: leave out {min(surplus)[:40]!r}'
            )
        return self._kinds[kind](message)

    def _press(self, message: dict[str, Any]) -> None:
        address = _name(message, "press")
        if self._surface.find(address).kind != "button":
            raise SettingsError(f'/{address} is no button: send {{"set": ...}}')
        self._surface.set(address, None)

    def _preset(self, message: dict[str, Any]) -> None:
        deck = _name(message, "deck") if message.get("deck") is not None else None
        self._surface.controls.use(_name(message, "preset"), deck)

    def _key(self, message: dict[str, Any]) -> dict[str, Any] | None:
        key = _name(message, "key")
        answer = play(key, self._surface.controls, recording=self._surface.value("record"))
        return answer and {"notice": answer.text, "refused": answer.refused}

    def _play_midi(self, message: dict[str, Any]) -> None:
        given = message["midi"]
        if (
            not isinstance(given, list)
            or len(given) > _MOST_MIDI_BYTES
            or not all(type(byte) is int and 0 <= byte <= 255 for byte in given)
        ):
            raise SettingsError('"midi" is a list of bytes, such as [176, 7, 64]')
        for one in midi_messages(bytes(given)):
            self._found_midi().receive(one, f"page {id(self)}")

    def _learn(self, message: dict[str, Any]) -> None:
        address = None if message["learn"] is None else _name(message, "learn")
        if address is not None:
            self._surface.find(address)
        self._found_midi().learn(address)

    def _unbind(self, message: dict[str, Any]) -> None:
        self._found_midi().unbind(_name(message, "unbind"))

    def _found_midi(self) -> MidiMap:
        if self._midi is None:
            raise SettingsError("this show has no MIDI")
        return self._midi


def midi_messages(data: bytes) -> list[bytes]:
    """Split MIDI bytes at each status byte; bytes before the first are dropped."""
    starts = [place for place, byte in enumerate(data) if byte & 0x80]
    return [data[start:end] for start, end in pairwise([*starts, len(data)])]


def change(surface: Surface, values: object) -> None:
    """Set what is at addresses to values: of parameters all or none.

    JSON's types count: 1 is no switch, "2" no number. Parameters out of their range are refused.
    Parts of an LFO that come together are set together.

    Raises:
        SettingsError: ``values`` is no object of addresses and values, or one is invalid.
    """
    if not isinstance(values, dict):
        raise SettingsError('values are an object such as {"strength": 0.5}')
    parameters: dict[str, Any] = {}
    lfos: dict[str, dict[str, Any]] = {}
    others: dict[str, Any] = {}
    for address, value in values.items():
        place, _, name = address.rpartition("/")
        if name in LiveParameters.model_fields:
            _check_parameter(address, value)
            parameters[address] = value
            continue
        control = surface.find(address)
        _check(control, value)
        if place.startswith("lfo/"):
            lfos.setdefault(place, {})[name] = value
        else:
            others[address] = value
    asked = {place: surface.lfo_with(place, parts) for place, parts in lfos.items()}
    if parameters:
        surface.controls.change(parameters, origin="show")
    for place, lfo in asked.items():
        surface.controls.modulate(place.removeprefix("lfo/"), lfo)
    for address, value in others.items():
        surface.set(address, value)


def _check_parameter(address: str, value: object) -> None:
    annotation = LiveParameters.model_fields[address.rpartition("/")[2]].annotation
    kinds: Mapping[Any, Any] = {bool: "switch", int: "number", float: "number"}
    _check(Control(address, kinds.get(annotation, "choice"), ""), value)


def _check(control: Control, value: object) -> None:
    """Refuse a value that has not the type of a control."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits, wanted = {
        "number": (number, "a number"),
        "switch": (isinstance(value, bool), "true or false"),
        "button": (False, 'a message {"press": ...}'),
    }.get(control.kind, (isinstance(value, str), "a text in quotes"))
    if not fits:
        raise SettingsError(f"{control.address} cannot be {json.dumps(value)[:40]}: give {wanted}")
    if isinstance(value, int | float) and not -1e9 < value < 1e9:
        raise SettingsError(f"{control.address} cannot be that large: give a number in its range")


def _name(message: dict[str, Any], kind: str) -> str:
    value = message[kind]
    if not isinstance(value, str):
        raise SettingsError(f'"{kind}" needs a name in quotes')
    return value


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
