"""Which control of a device is meant while an operator waits for one to be moved."""

from __future__ import annotations

from stream_dream.live.control.midi_source import MOST

# The caps of motor faders tell that they are touched before they tell where they are.
_TOUCH_SECONDS = 0.5
# Whoever began may have left: a knob that is moved much later is not meant.
_WAIT_SECONDS = 30.0


class Learning:
    """One wait for a control that is to be bound to an address.

    A pad, and the touch of a fader, may say on or off alone: what does so is meant only if nothing
    is moved within half a second. Everything else is meant at once.

    Attributes:
        address: What the control is to be bound to.
        source: The control that was meant, as far as is known; None before any.
        place: Where that was heard last, 0..127.
    """

    def __init__(self, address: str, now: float) -> None:
        """Wait from a time on, in seconds of any clock."""
        self.address = address
        self.source: str | None = None
        self.place = 0.0
        self._until = now + _WAIT_SECONDS
        self._decided = False

    def hear(self, source: str, place: float, now: float) -> None:
        """Process a message of a control, with its place or velocity, 0..127."""
        moves = 0 < place < MOST or source.startswith("bend")
        if self.source is None and not moves:
            self._until = now + _TOUCH_SECONDS
        if self.source is None or moves:
            self.source, self._decided = source, moves
        if source == self.source:
            self.place = place

    def ended(self, now: float) -> bool:
        """Return whether the wait is over: with a source, or with None if nothing was moved."""
        return self._decided or now >= self._until
