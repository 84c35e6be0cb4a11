"""MIDI for the control surface: which knob or key moves what, wherever its messages come from."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream_dream.errors import SettingsError
from stream_dream.live.control.catalogue import Control
from stream_dream.live.control.surface import Surface
from stream_dream.runtime.limited_log import LimitedLog

log = logging.getLogger("stream_dream.live")

_SOURCE = re.compile(r"(cc|note) ([1-9]|1[0-6]) (\d|[1-9]\d|1[01]\d|12[0-7])")
_CONTROL_CHANGE, _NOTE_ON, _NOTE_OFF = 0xB0, 0x90, 0x80
_CLOCK, _START = 0xF8, 0xFA
_MOST = 127
# The state of a button that sends control changes; MIDI 1.0 says so for its own switches.
_ON = 64
# A knob this near to a value has met it: knobs skip steps, and values fall between them.
_NEAR = 2 / _MOST
# A motor fader must not be moved while a hand moves it.
_MOVED_SECONDS = 0.5


@dataclass(slots=True)
class _Knob:
    """A control of a device that sends control changes.

    Attributes:
        place: Where it was last, 0..127; None before its first message.
        reached: The share that the value had after this knob set it; None while the knob has not
            met the value.
    """

    place: int | None = None
    reached: float | None = None


class MidiMap:
    """Plays MIDI messages on the control surface, and learns which control moves what.

    A control change moves a number or a choice, puts a switch on from 64 on, and presses a button
    when it rises to 64. Soft take-over: it moves a number only once it has met or passed the value,
    and anew after somebody else has changed that. A note presses a button, toggles a switch, goes
    to the next of a choice, and sets a number to its velocity; its end does nothing. Clock and
    start go to the tempo.

    All methods may be called from any thread.

    Attributes:
        bindings: Addresses of the surface by their source, such as ``{"cc 1 7": "strength"}`` for
            controller 7 on channel 1; ``note 10 36`` is a key. Replaced, never modified.
        learning: The address that the next control to be moved is bound to; None for none.
        message: Last message for the operator; "" if there is none.
        on_change: Called when bindings have changed.
    """

    def __init__(
        self,
        surface: Surface,
        bindings: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with bindings, not all of which need to be found on the surface now.

        Args:
            surface: What is controlled.
            bindings: Addresses by their source; see ``check_source``.
            clock: Returns the time in seconds.
        """
        self._surface, self._clock = surface, clock
        self._lock = threading.RLock()
        self._knobs: dict[str, _Knob] = {}
        self._moved: dict[str, float] = {}
        self._problems = LimitedLog(log, "midi: messages")
        self.bindings: Mapping[str, str] = dict(bindings or {})
        self.learning: str | None = None
        self.message = ""
        self.on_change: Callable[[], None] = lambda: None

    def learn(self, address: str | None) -> None:
        """Bind the next control that is moved to an address; None ends the waiting for one.

        Raises:
            SettingsError: There is nothing at the address, or it is a text.
        """
        if address is not None and self._surface.find(address).kind == "text":
            raise SettingsError(f"/{address} is a text: no knob can write one")
        with self._lock:
            self.learning, self.message = address, ""

    def unbind(self, source: str) -> None:
        """Remove a binding. Raises ``SettingsError`` if there is none of that source."""
        with self._lock:
            if source not in self.bindings:
                raise SettingsError(f"nothing is moved by {source[:40]!r}")
            self.bindings = {one: to for one, to in self.bindings.items() if one != source}
        self.on_change()

    def receive(self, message: bytes) -> None:
        """Play a MIDI message from anywhere; what is not understood is ignored.

        Raises nothing: what cannot be done is said in ``message``.
        """
        try:
            if self._play(message):
                self.on_change()
        except SettingsError as error:
            self.message = f"midi: {error}"
        except Exception:
            # An unexpected error must not end the thread of a device.
            self._problems.warn(f"midi: {message!r:.60} could not be played", trace=True)

    def lamps(self) -> dict[str, bytes]:
        """Return, by source, the message that shows the present state: a lamp, a motor fader."""
        known = self._surface.known()
        return {
            source: _lamp(source, self._surface.share_of(known[address]))
            for source, address in self.bindings.items()
            if address in known  # its look or scene may be gone
        }

    def moved(self, source: str) -> float | None:
        """Return when a control has sent its last message, in seconds of the clock; or None."""
        return self._moved.get(source)

    def now(self) -> float:
        """Return the time of the clock, in seconds."""
        return self._clock()

    def lost(self) -> list[str]:
        """Return why bindings have no effect now: their look or scene is missing, or misspelt."""
        lost = []
        for source, address in self.bindings.items():
            try:
                self._surface.find(address)
            except SettingsError as error:
                lost.append(f"midi: {source}: {error}")
        return lost

    def _play(self, message: bytes) -> bool:
        """Play a message; return True if it was learned. Raises ``SettingsError``."""
        if len(message) == 1:
            if message[0] == _CLOCK:
                self._surface.controls.tempo.tick()
            elif message[0] == _START:
                self._surface.controls.tempo.start()
            return False
        if len(message) != 3 or max(message[1:]) > _MOST:
            return False
        kind, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
        number, value = message[1:]
        if kind in (_NOTE_ON, _NOTE_OFF):
            velocity = value if kind == _NOTE_ON else 0
            return self._turn(f"note {channel} {number}", velocity, self._strike)
        if kind == _CONTROL_CHANGE:
            return self._turn(f"cc {channel} {number}", value, self._move)
        return False

    def _turn(self, source: str, value: int, act: Callable[[str, Control, int], None]) -> bool:
        """Apply a moved control; return True if it was learned instead."""
        is_release = source.startswith("note") and not value
        with self._lock:
            learned = self.learning is not None and not is_release
            if learned:
                self._bind(source)
            if source in self.bindings:
                self._moved[source] = self._clock()
                if learned:
                    self._knobs[source] = _Knob(value)
                elif not is_release:
                    act(source, self._surface.find(self.bindings[source]), value)
            return learned

    def _bind(self, source: str) -> None:
        address, self.learning = self.learning, None
        self.bindings = {**self.bindings, source: str(address)}
        self.message = f"midi: {source} moves {address}"

    def _strike(self, _: str, control: Control, velocity: int) -> None:
        address, surface = control.address, self._surface
        if control.kind == "button":
            surface.set(address, None)
        elif control.kind == "switch":
            surface.set(address, not surface.value(address))
        elif control.kind == "choice":
            value = surface.value(address)
            place = control.choices.index(value) + 1 if value in control.choices else 0
            surface.set(address, place % max(len(control.choices), 1) + 1)
        else:
            surface.set_share(address, velocity / _MOST)

    def _move(self, source: str, control: Control, value: int) -> None:
        knob = self._knobs.setdefault(source, _Knob())
        last, knob.place = knob.place, value
        address, surface = control.address, self._surface
        if control.kind == "button":
            if value >= _ON and (last is None or last < _ON):
                surface.set(address, None)
        elif control.kind == "switch":
            if surface.value(address) != (value >= _ON):
                surface.set(address, value >= _ON)
        elif control.kind == "choice":
            # A knob that is turned within one choice does not load its look again and again.
            count = len(control.choices)
            if last is None or last * count // (_MOST + 1) != value * count // (_MOST + 1):
                surface.set_share(address, value / (_MOST + 1))
        else:
            share = surface.share(address)
            if knob.reached == share or _meets(last, value, share):
                surface.set_share(address, value / _MOST)
                knob.reached = surface.share(address)
            else:
                knob.reached = None


class Lamps:
    """What one device or browser is to show: lamps, positions of motor faders."""

    def __init__(self, midi: MidiMap) -> None:
        """Start with a device that shows nothing yet."""
        self._midi = midi
        self._sent: dict[str, tuple[bytes, float]] = {}

    def changed(self) -> list[bytes]:
        """Return the messages that bring it up to date, and count them as sent.

        A control that has been moved is told anew: devices light and darken pads by themselves.
        Control changes wait until it has rested for half a second.
        """
        now = self._midi.now()
        messages = []
        for source, message in self._midi.lamps().items():
            moved = self._midi.moved(source)
            if moved is not None and source.startswith("cc") and now - moved < _MOVED_SECONDS:
                continue
            sent, when = self._sent.get(source, (b"", now))
            if message != sent or (moved is not None and moved >= when):
                self._sent[source] = message, now
                messages.append(message)
        return messages


def check_source(text: str) -> str:
    """Return the source of a binding, such as ``cc 1 7``. Raises ``SettingsError``."""
    if _SOURCE.fullmatch(text) is None:
        example = "give cc or note, channel 1 to 16 and number 0 to 127, such as 'cc 1 7'"
        raise SettingsError(f"there is no MIDI control {text[:40]!r}: {example}")
    return text


def _meets(last: int | None, place: int, share: float) -> bool:
    """Return whether a knob has met a share of a range, 0..1, or has passed it."""
    here = place / _MOST - share
    return abs(here) <= _NEAR or (last is not None and (last / _MOST - share) * here <= 0)


def _lamp(source: str, share: float) -> bytes:
    kind, channel, number = source.split()
    if kind == "cc":
        return bytes([_CONTROL_CHANGE + int(channel) - 1, int(number), round(_MOST * share)])
    return bytes([_NOTE_ON + int(channel) - 1, int(number), _MOST if share >= 0.5 else 0])
