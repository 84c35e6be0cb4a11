"""The control surface: everything that can be controlled, by its address.

Page, OSC and MIDI differ in how a value arrives; what it does is said here, once.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.live.control import scale
from stream_dream.live.control.catalogue import Control, catalogue
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import OF_A_LOOK
from stream_dream.settings.live import LiveParameters, StageParameters
from stream_dream.settings.scenes import Lfo
from stream_dream.settings.validation import validated


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

    def known(self) -> Mapping[str, Control]:
        """Return everything that can be controlled now, by its address."""
        present = self.controls.looks, tuple(self.controls.scenes), self.controls.idle
        if self._found[0] != present:
            self._found = (
                present,
                {control.address: control for control in catalogue(self.controls)},
            )
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
        """Set something to a value, in any form that ``Control.read`` takes.

        ``freeze`` follows the state of a switch.

        Args:
            address: What to set.
            value: Number, boolean or text; None for a press without a value.
            origin: Where it comes from, put before error messages of parameters.

        Raises:
            SettingsError: There is nothing at the address, or the value makes no sense there.
        """
        control = self.find(address)
        read = control.read(value)
        place, _, name = address.rpartition("/")
        if control.kind == "button":
            # Setting a state that is there already does nothing.
            follows = address == "freeze" and value is not None
            if read != (follows and self.controls.frozen):
                self._press(address)
        elif address == "store":
            self.controls.store(str(read))
        elif address == "forget":
            self.controls.forget(str(read))
        elif address == "scene":
            self.controls.recall(str(read))
        elif address == "bpm":
            self.controls.tempo.set_bpm(float(read))
        elif name == "preset":
            self.controls.use(str(read), place or None)
        elif place.startswith("lfo/"):
            self.controls.modulate(place.removeprefix("lfo/"), self.lfo_with(place, {name: read}))
        else:
            self.controls.change({address: read}, origin=origin)

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
                scale.value_at(name, share)
                if scaled
                else control.low + share**control.exponent * (control.high - control.low)
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
        return self.share_of(self.find(address))

    def share_of(self, control: Control) -> float:
        """Return where a control is within its range, 0..1; see ``share``."""
        value = self.value_of(control)
        name = control.address.rpartition("/")[2]
        if control.kind == "number" and name in LiveParameters.model_fields:
            return scale.share_of(name, float(value))
        if control.kind == "number":
            share = _cut((float(value) - control.low) / (control.high - control.low))
            return float(share ** (1 / control.exponent))
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

    def _press(self, address: str) -> None:
        place, _, name = address.rpartition("/")
        deck, _, kind = place.rpartition("/")
        if kind == "preset":
            self.controls.use(name, deck or None)
        elif kind == "scene":
            self.controls.recall(name)
        else:
            self.controls.press(name)


def _cut(share: float) -> float:
    return min(max(share, 0.0), 1.0)
