"""The sound cards of the machine: what they are, which one is meant."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import SettingsError

PLAYING = "playing"
"""Means what the default speaker plays."""

MICROPHONE = "mic"
"""Means the default microphone."""

_MOST_NAMES = 6  # in an error message


class CardReader(Protocol):
    """An open sound card.

    Attributes:
        name: Its name, for messages.
        loopback: True if it gives what a speaker plays, False for a microphone.
        rate: Samples per second.
    """

    name: str
    loopback: bool
    rate: int

    def read(self) -> NDArray[np.float32]:
        """Wait for the next sound and return it: float32 in [-1, 1], (samples, channels).

        Raises ``StreamDreamError`` once the card is gone.
        """

    def close(self) -> None:
        """Close the card; a thread that waits in ``read`` gets its error."""


class Card(Protocol):
    """A sound card that can be opened again and again."""

    def open(self) -> CardReader:
        """Open the card. Raises ``StreamDreamError`` if that cannot be done at the moment."""


@dataclass(frozen=True, slots=True)
class CardInfo:
    """One sound card of the machine.

    Attributes:
        id: What the system calls it: a number on macOS.
        name: What people call it.
        loopback: True if it gives what a speaker plays, False for a microphone.
        default: True if it is the default among those of its kind.
    """

    id: str | int
    name: str
    loopback: bool
    default: bool

    @property
    def follows(self) -> Literal["speaker", "microphone"]:
        """The default of the system that chooses this card."""
        return "speaker" if self.loopback else "microphone"


def listing(cards: Sequence[CardInfo]) -> list[str]:
    """Return a line for each card: what to give for it, its kind, its name."""
    if not cards:
        return ["no sound card: connect a microphone, or start the system's sound"]
    rows = []
    for card in sorted(cards, key=lambda card: (not card.loopback, not card.default, card.name)):
        word = (PLAYING if card.loopback else MICROPHONE) if card.default else ""
        kind = "what a speaker plays" if card.loopback else "microphone"
        rows.append(f"{word:<{len(PLAYING)}}  {kind:<20}  {card.name}")
    return rows


def choose(wanted: str, cards: Sequence[CardInfo]) -> CardInfo:
    """Return the card that ``playing``, ``mic`` or a part of a name means.

    Raises:
        SettingsError: None fits, or several; the message names those at hand.
    """
    key = wanted.strip().casefold()
    if key == PLAYING:
        return _default(cards, loopback=True)
    if key == MICROPHONE:
        return _default(cards, loopback=False)
    # A whole name wins over a part of one, a part over words in any order.
    for fits in (_is_named, _contains, _has_words):
        found = [card for card in cards if key and fits(card, key)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(f"{card.name!r} ({card.id})" for card in found[:_MOST_NAMES])
            raise SettingsError(
                f"--listen {wanted}: {len(found)} sound cards fit: {ids}; give more of the name, "
                "or what is in brackets"
            )
    raise SettingsError(f"--listen {wanted}: there is no such sound card: {_hint(key, cards)}")


def _default(cards: Sequence[CardInfo], *, loopback: bool) -> CardInfo:
    of_kind = [card for card in cards if card.loopback == loopback]
    # Without a microphone the default of PulseAudio is a loopback.
    for card in [card for card in of_kind if card.default] or of_kind:
        return card
    if not loopback:
        raise SettingsError(f"--listen {MICROPHONE}: there is no microphone: {_names(cards)}")
    if sys.platform == "darwin":
        raise SettingsError(
            f"--listen {PLAYING}: macOS lets no program hear what is playing: install a virtual "
            "device such as BlackHole, play to it and give --listen BlackHole"
        )
    raise SettingsError(f"--listen {PLAYING}: there is no speaker to listen to: {_names(cards)}")


def _is_named(card: CardInfo, key: str) -> bool:
    return key in (card.name.casefold(), str(card.id).casefold())


def _contains(card: CardInfo, key: str) -> bool:
    return key in card.name.casefold()


def _has_words(card: CardInfo, key: str) -> bool:
    return all(word in card.name.casefold() for word in key.split())


def _hint(key: str, cards: Sequence[CardInfo]) -> str:
    """Return the nearest names, a typing error away from a name or a word of it; else all."""
    nearest = []
    for card in cards:
        name = card.name.casefold()
        if difflib.get_close_matches(key, [name, *name.split()], n=1, cutoff=0.7):
            nearest.append(repr(card.name))
    if nearest:
        return f"did you mean {', '.join(nearest[:_MOST_NAMES])}?"
    return _names(cards)


def _names(cards: Sequence[CardInfo]) -> str:
    if not cards:
        return "this machine has none; connect one, or start the system's sound"
    names = ", ".join(repr(card.name) for card in cards[:_MOST_NAMES])
    more = f" and {len(cards) - _MOST_NAMES} more" if len(cards) > _MOST_NAMES else ""
    return f"give one of {names}{more}"
