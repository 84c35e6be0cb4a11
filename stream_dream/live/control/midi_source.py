"""The controls of MIDI devices: what they are called, and the messages from and to them."""

from __future__ import annotations

import re

from stream_dream.errors import SettingsError

MOST = 127
"""Highest place of a knob, and highest velocity of a key."""

_SOURCE = re.compile(r"(cc|note) ([1-9]|1[0-6]) (\d|[1-9]\d|1[01]\d|12[0-7])|bend ([1-9]|1[0-6])")
_NOTE_OFF, _NOTE_ON, _CONTROL_CHANGE, _PITCH_BEND = 0x80, 0x90, 0xB0, 0xE0
# Pitch bend has 14 bits. Many a fader fills the upper ones alone: from there on it is at its top.
_FINE = 128


def check_source(text: str) -> str:
    """Return the source of a binding, such as ``cc 1 7``. Raises ``SettingsError``."""
    if _SOURCE.fullmatch(text) is None:
        example = "give cc or note, channel 1 to 16 and number 0 to 127, such as 'cc 1 7'"
        raise SettingsError(f"there is no MIDI control {text[:40]!r}: {example}; or 'bend 1'")
    return text


def decode(message: bytes) -> tuple[str, float] | None:
    """Return the source of a message, and its place or velocity, 0..127.

    The end of a note has velocity 0; a pitch bend has fractions. None for all other messages.
    """
    if len(message) != 3 or max(message[1:]) > MOST:
        return None
    kind, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
    number, value = message[1:]
    if kind in (_NOTE_ON, _NOTE_OFF):
        return f"note {channel} {number}", value if kind == _NOTE_ON else 0
    if kind == _CONTROL_CHANGE:
        return f"cc {channel} {number}", value
    if kind == _PITCH_BEND:
        return f"bend {channel}", min(value + number / _FINE, MOST)
    return None


def encode(source: str, share: float) -> bytes:
    """Return the message that shows a share of a range, 0..1: a motor fader's place, a lamp."""
    kind, channel, *number = source.split()
    low = int(channel) - 1
    if kind == "bend":
        high, fine = divmod(round(share * MOST * _FINE), _FINE)
        return bytes([_PITCH_BEND + low, fine, high])
    if kind == "cc":
        return bytes([_CONTROL_CHANGE + low, int(number[0]), round(share * MOST)])
    return bytes([_NOTE_ON + low, int(number[0]), MOST if share >= 0.5 else 0])
