"""Scenes: the state of a show under a name, and the LFOs that move it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stream_dream.errors import SettingsError
from stream_dream.settings.live import DeckParameters, PictureParameters
from stream_dream.settings.values import Model

LONGEST_NAME, MOST_SCENES = 60, 200
SHORTEST_CYCLE, LONGEST_CYCLE = 0.05, 3600.0
"""Range of the length of an LFO's cycle, in beats or seconds."""

Shape = Literal["sine", "triangle", "rise", "fall", "square", "random"]


class Lfo(Model):
    """A low-frequency oscillator around the value of a slider.

    Attributes:
        shape: Its form; ``rise`` and ``fall`` are sawtooths, ``random`` holds a new value for each
            cycle.
        every: Length of a cycle.
        unit: What ``every`` counts.
        depth: Share of the slider's length that it sweeps, 0..1.
    """

    shape: Shape = "sine"
    every: float = Field(4.0, ge=SHORTEST_CYCLE, le=LONGEST_CYCLE)
    unit: Literal["beats", "seconds"] = "beats"
    depth: float = Field(0.5, ge=0, le=1)


class Deck(DeckParameters):
    """A look on a deck, with its parameters."""

    look: str


class Scene(PictureParameters):
    """The state of a show that a recall brings back.

    Brightness, blackout and bypass are not part of it: like the grand master of a lighting desk
    they stay where the operator has put them. So do frame rate, glide, fade and quantize, which are
    no part of the picture.

    Attributes:
        fader: Cross-fader, 0 (deck A) to 1 (deck B).
        a: Deck A.
        b: Deck B.
        lfos: LFOs by the address of their slider.
    """

    fader: float = Field(0.0, ge=0, le=1)
    a: Deck
    b: Deck
    lfos: dict[str, Lfo] = Field(default_factory=dict, max_length=64)


def scene_name(text: str) -> str:
    """Return the name of a scene, without blanks around it. Raises ``SettingsError``."""
    name = text.strip()
    if not (0 < len(name) <= LONGEST_NAME and name.isprintable() and "/" not in name):
        problem = f"give 1 to {LONGEST_NAME} characters, without /"
        raise SettingsError(f"a scene cannot be called {name[:40]!r}: {problem}")
    return name
