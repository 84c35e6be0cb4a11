"""Gain that follows the room, and a gate that keeps its noise from being amplified."""

from __future__ import annotations

from stream_dream.automation.sound.features import HOP, RATE

_HOPS = RATE / HOP  # a second

# What 5 % of the values exceed: where the rises and falls of a follower balance. A follower that
# is 20 dB too low, as after a sudden forte, gets there in a second; one that is too high in 20.
_FALL = 1.0  # dB a second
_RISE = 19.0 * _FALL
_FIRST = 1.0  # seconds in which the reference rises at once

_QUIETEST_LOOPBACK = 0.0001  # -80 dB of full scale: dither; a player's volume may be low
_QUIETEST_ROOM, _LOUDEST_ROOM = 0.0003, 0.01
_ROOM_FALL = 0.1  # seconds
_ROOM_RISE = 1.0  # dB a second: in music that never pauses, to its quietest moments
_CLOSED, _OPEN = 2.0, 4.0  # times the noise


class RoomGain:
    """Brings a curve to 0..1 by its own 95th percentile, which it follows slowly.

    Attributes:
        reference: The value that counts as 1.
    """

    def __init__(self) -> None:
        """Start without a reference."""
        self.reference = 0.0
        self._age = 0

    def follow(self, value: float, lowest: float) -> None:
        """Update the reference; call it once a hop, while there is sound.

        Args:
            value: Of the curve, 0 or more.
            lowest: The reference never falls below it.
        """
        self._age += 1
        if value > self.reference and self._age <= _FIRST * _HOPS:
            self.reference = value
        elif value > self.reference:
            self.reference = min(value, self.reference * _gain(_RISE))
        else:
            self.reference *= _gain(-_FALL)
        self.reference = max(self.reference, lowest)

    def scaled(self, value: float) -> float:
        """Return the value in 0..1."""
        return min(value / self.reference, 1.0) if self.reference else 0.0


class NoiseGate:
    """Tells sound from the noise of a room or a converter.

    What a speaker plays has no noise of its own. That of a microphone is what its quietest moments
    have in common.
    """

    def __init__(self, *, loopback: bool) -> None:
        """Start with the loudest noise there may be: that of the room is known at once."""
        self._loopback = loopback
        self._noise = _QUIETEST_LOOPBACK if loopback else _LOUDEST_ROOM

    def __call__(self, level: float) -> float:
        """Return how far the gate is open, 0..1, for the RMS of a window; call it once a hop."""
        if not self._loopback:
            if level < self._noise:
                self._noise += (level - self._noise) / (_ROOM_FALL * _HOPS)
            else:
                self._noise *= _gain(_ROOM_RISE)
            self._noise = min(max(self._noise, _QUIETEST_ROOM), _LOUDEST_ROOM)
        opened = (level / self._noise - _CLOSED) / (_OPEN - _CLOSED)
        return min(max(opened, 0.0), 1.0)


def _gain(decibels: float) -> float:
    """Return the factor of a change in dB a second, for one hop."""
    return float(10 ** (decibels / 20 / _HOPS))
