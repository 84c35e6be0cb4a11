"""MIDI for the control surface: which knob or key moves what, wherever its messages come from."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stream_dream.errors import SettingsError
from stream_dream.live.control.catalogue import Control
from stream_dream.live.control.midi_learn import Learning
from stream_dream.live.control.midi_source import MOST, decode, encode
from stream_dream.live.control.surface import Surface
from stream_dream.runtime.limited_log import LimitedLog

log = logging.getLogger("stream_dream.live")

_CLOCK, _START = b"\xf8", b"\xfa"
# The state of a button that sends control changes; MIDI 1.0 says so for its own switches.
_ON = 64
# A knob this near to a value has met it: knobs skip steps, and values fall between them.
_NEAR = 2 / MOST
# A first message this near to where a motor carried a fader, and this far from where it was
# before, tells that it was carried: a hand is quick, and knobs without a motor are elsewhere.
_CARRIED = 10
# A motor fader must not be moved while a hand moves it.
_MOVED_SECONDS = 0.5
# Ports that connect programs (IAC, loopMIDI) return what is sent to them, at once but for the
# queues of a busy machine.
_RETURN_SECONDS = 0.2


@dataclass(slots=True)
class _Knob:
    """A control of a device that sends control changes or pitch bends.

    Attributes:
        place: Where it was last, 0..127; None before its first message.
        reached: The share that the value had after this knob set it; None while the knob has not
            met the value.
        shown: Where its motor was told to go since its last message; None for nowhere.
    """

    place: float | None = None
    reached: float | None = None
    shown: float | None = None

    def is_carried(self, place: float) -> bool:
        """Return whether a new place tells that a motor has brought the control to its value."""
        if self.place is None or self.shown is None:
            return False
        return abs(place - self.shown) <= _CARRIED < abs(place - self.place)


class MidiMap:
    """Plays MIDI messages on the control surface, and learns which control moves what.

    A knob or fader (control change, pitch bend) moves a number or a choice, puts a switch on from
    64 on, and presses a button when it rises to 64. Soft take-over: it moves a number only once it
    has met or passed the value, and anew after somebody else has changed that. A note presses a
    button, toggles a switch, goes to the next of a choice, and sets a number to its velocity; its
    end does nothing. Clock and start go to the tempo.

    All methods may be called from any thread.

    Attributes:
        bindings: Addresses of the surface by their source, such as ``{"cc 1 7": "strength"}`` for
            controller 7 on channel 1; ``note 10 36`` is a key, ``bend 1`` a fader that sends pitch
            bends. Replaced, never modified.
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
        self._learning: Learning | None = None
        self.message = ""
        self.on_change: Callable[[], None] = lambda: None

    @property
    def learning(self) -> str | None:
        """The address that the next control to be moved is bound to; None for none."""
        self._end_learning()
        return learning.address if (learning := self._learning) is not None else None

    def learn(self, address: str | None) -> None:
        """Bind the next control that is moved to an address; None ends the waiting for one.

        It ends by itself after half a minute without any.

        Raises:
            SettingsError: There is nothing at the address, or it is a text.
        """
        if address is not None and self._surface.find(address).kind == "text":
            raise SettingsError(f"/{address} is a text: no knob can write one")
        with self._lock:
            self._learning = None if address is None else Learning(address, self._clock())
            self.message = ""

    def unbind(self, source: str) -> None:
        """Remove a binding. Raises ``SettingsError`` if there is none of that source."""
        with self._lock:
            if source not in self.bindings:
                raise SettingsError(f"nothing is moved by {source[:40]!r}")
            self.bindings = {one: to for one, to in self.bindings.items() if one != source}
        self.on_change()

    def receive(self, message: bytes, port: str = "") -> None:
        """Play a MIDI message from anywhere; what is not understood is ignored.

        Raises nothing: what cannot be done is said in ``message``.

        Args:
            message: The message.
            port: Where it came from: one clock on two ports is no faster.
        """
        try:
            if message == _CLOCK:
                self._surface.controls.tempo.tick(port)
            elif message == _START:
                self._surface.controls.tempo.start(port)
            elif (heard := decode(message)) is not None:
                self._end_learning()
                self._turn(*heard)
                self._end_learning()
        except SettingsError as error:
            self.message = f"midi: {error}"
        except Exception:
            # An unexpected error must not end the thread of a device.
            self._problems.warn(f"midi: {message!r:.60} could not be played", trace=True)

    def lamps(self) -> dict[str, bytes]:
        """Return, by source, the message that shows the present state: a lamp, a motor fader."""
        self._end_learning()
        known = self._surface.known()
        return {
            source: encode(source, self._surface.share_of(known[address]))
            for source, address in self.bindings.items()
            if address in known  # its look or scene may be gone
        }

    def showed(self, message: bytes) -> None:
        """Remember a message of ``lamps`` that was sent: a motor may follow it."""
        heard = decode(message)
        if heard is not None:
            source, place = heard
            with self._lock:
                self._knobs.setdefault(source, _Knob()).shown = place

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

    def _turn(self, source: str, value: float) -> None:
        """Apply a moved control, or let it be learned. Raises ``SettingsError``."""
        is_note = source.startswith("note")
        with self._lock:
            if source in self.bindings:
                self._moved[source] = self._clock()
            if is_note and not value:
                return
            if self._learning is not None:
                self._learning.hear(source, value, self._clock())
            elif source in self.bindings:
                act = self._strike if is_note else self._move
                act(source, self._surface.find(self.bindings[source]), value)

    def _end_learning(self) -> None:
        """Bind what was meant, once that is certain."""
        with self._lock:
            learning = self._learning
            if learning is None or not learning.ended(self._clock()):
                return
            self._learning, source, address = None, learning.source, learning.address
            if source is None:
                self.message = f"midi: nothing was moved for {address}: touch it once more"
                return
            self.bindings = {**self.bindings, source: address}
            self._knobs[source] = _Knob(learning.place)
            self._moved[source] = self._clock()
            self.message = f"midi: {source} moves {address}"
        self.on_change()

    def _strike(self, _: str, control: Control, velocity: float) -> None:
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
            surface.set_share(address, velocity / MOST)

    def _move(self, source: str, control: Control, value: float) -> None:
        knob = self._knobs.setdefault(source, _Knob())
        last, carried = knob.place, knob.is_carried(value)
        knob.place, knob.shown = value, None
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
            if last is None or last * count // (MOST + 1) != value * count // (MOST + 1):
                surface.set_share(address, value / (MOST + 1))
        else:
            share = surface.share(address)
            if carried or knob.reached == share or _meets(last, value, share):
                surface.set_share(address, value / MOST)
                knob.reached = surface.share(address)
            else:
                knob.reached = None


class Lamps:
    """What one device or browser is to show: lamps, positions of motor faders."""

    def __init__(self, midi: MidiMap) -> None:
        """Start with a device that shows nothing yet."""
        self._midi = midi
        self._sent: dict[str, tuple[bytes, float]] = {}
        self._latest: dict[bytes, float] = {}

    def changed(self) -> list[bytes]:
        """Return the messages that bring it up to date, and count them as sent.

        A control that has been moved is told anew: devices light and darken pads by themselves.
        Knobs and faders wait until it has rested for half a second.
        """
        now = self._midi.now()
        latest = {
            message: when for message, when in self._latest.items() if now - when < _RETURN_SECONDS
        }
        messages = []
        for source, message in self._midi.lamps().items():
            moved = self._midi.moved(source)
            rests = moved is None or now - moved >= _MOVED_SECONDS
            if not rests and not source.startswith("note"):
                continue
            sent, when = self._sent.get(source, (b"", now))
            if message != sent or (moved is not None and moved >= when):
                self._sent[source] = message, now
                latest[message] = now
                self._midi.showed(message)
                messages.append(message)
        self._latest = latest  # replaced, as another thread may ask
        return messages

    def sent_just_now(self, message: bytes) -> bool:
        """Return whether a received message was sent just now: some ports return what they get."""
        when = self._latest.get(message)
        return when is not None and self._midi.now() - when < _RETURN_SECONDS


def _meets(last: float | None, place: float, share: float) -> bool:
    """Return whether a knob has met a share of a range, 0..1, or has passed it."""
    here = place / MOST - share
    return abs(here) <= _NEAR or (last is not None and (last / MOST - share) * here <= 0)
