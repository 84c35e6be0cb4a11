"""How settings react to sound: ``bass->step_size*2, onset->strength+0.3, bar/4->preset``."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np

from stream_dream.automation.expression import Expression, Scope, parse
from stream_dream.automation.text import at_column, items, shown
from stream_dream.automation.timeline import UNITS, Length, Values
from stream_dream.errors import SettingsError

DEFAULT_REACTION = "bass->step_size*2, bass**3->strength=0.5..1.3, onset->zoom+0.06, bar/4->preset"
"""What ``--react`` alone means."""

SHOW_REACTION = "bass->step_size*2, 1-bass**3->strength*0.5, bass**3->strength*1.3, bar/4->preset"
"""What it means in a show: its strength is around that of the slider, and it has no camera."""

JOURNEY_RHYTHM = "bass->step_size*2, onset->zoom+0.03"
"""What it means in a journey whose looks change by the clock."""

JOURNEY_REACTION = f"{JOURNEY_RHYTHM}, bar/4->preset"
"""What it means in a journey: its camera comes nearer, and there is no source to show."""

STEERED_REACTION = "bass->step_size*2, bass**3->zoom+0.4, bar/4->preset"
"""What it means in a journey that is steered live, whose zoom is that of a second."""

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}"
_RESPONSE = re.compile(
    rf"""
    (?P<target> [A-Za-z_][\w.]*(?:-[A-Za-z_][\w.]*)* ) \s*
    (?: (?P<sign>[-+*]) \s* (?P<by>-?(?:{_NUMBER}))
      | = \s* (?P<low>-?(?:{_NUMBER})) \s*\.\.\s* (?P<high>-?(?:{_NUMBER})) )
    """,
    re.VERBOSE | re.ASCII,
)
_LOOKS = re.compile(r"(?P<unit>beat|bar)(?:\s*/\s*(?P<number>[0-9]{1,4}))?")
_FORM = "write bass->step_size*2, onset->strength+0.3 or bass->strength=0.7..1.2"


@dataclass(frozen=True, slots=True)
class Response:
    """What one formula does to one setting: a value becomes ``value * scale + shift``.

    Attributes:
        text: As it was written.
        source: The formula; its values are clipped to 0..1.
        target: Name of the setting.
        scale: Factor where the formula is 0, and where it is 1.
        shift: What is added where the formula is 0, and where it is 1.
    """

    text: str
    source: Expression
    target: str
    scale: tuple[float, float]
    shift: tuple[float, float]

    def apply(self, values: Values, frames: Values, scope: Scope, amount: float) -> Values:
        """Return the values at frames as they become; see ``Reaction.apply``."""
        way = np.clip(self.source.sample(frames, scope), 0, 1)
        scale, shift = (low + (high - low) * way for low, high in (self.scale, self.shift))
        return np.asarray(values + (values * scale + shift - values) * amount, np.float64)


@dataclass(frozen=True, slots=True)
class Reaction:
    """How settings react to sound.

    Attributes:
        text: As it was written.
        responses: What changes, in the order in which it does.
        look_length: How long each look lasts, in beats or bars, if looks change at all.
    """

    text: str
    responses: tuple[Response, ...]
    look_length: Length | None

    @classmethod
    def parse(cls, text: str, *, names: Collection[str] = ()) -> Self:
        """Parse what reacts to what; ``names`` are those of curves besides sound's.

        ``*K`` multiplies a setting by K where the formula is 1, ``+K`` adds K, ``=A..B`` lets it go
        from A to B. ``bar/4->preset`` changes the look every fourth bar.

        Raises:
            SettingsError: It is not understood; the message names the column.
        """
        responses: list[Response] = []
        length = None
        for place, item in items(text):
            source, arrow, change = item.partition("->")
            if not arrow and "=>" in item:
                raise at_column(place + item.index("=>"), "the arrow is written ->")
            if not arrow:
                raise at_column(place, f"{shown(item)} moves nothing: {_FORM}")
            if change.strip() == "preset":
                length = _look_length(place, source)
            else:
                responses.append(_response(place, source, change, names))
        if not responses and length is None:
            raise SettingsError(f"this is empty: {_FORM}")
        return cls(text, tuple(responses), length)

    @property
    def targets(self) -> frozenset[str]:
        """Return the names of the settings that react; ``preset`` is none of them."""
        return frozenset(response.target for response in self.responses)

    @property
    def needs(self) -> frozenset[str]:
        """Return what has to be known of a timeline: some of ``length`` and ``beats``."""
        looks = self.look_length.needs if self.look_length else frozenset()
        return looks.union(*(response.source.needs for response in self.responses))

    @property
    def curves(self) -> frozenset[str]:
        """Return the names of the curves it reads; ``beat`` and ``bar`` are none."""
        return frozenset().union(*(response.source.curves for response in self.responses))

    def apply(
        self, name: str, values: Values, frames: Values, scope: Scope, amount: float = 1.0
    ) -> Values:
        """Return the values of a setting at frames as sound changes them.

        Args:
            name: Name of the setting.
            values: Its values without sound, float64, one per frame.
            frames: Numbers of the frames, float64.
            scope: What formulas are evaluated in.
            amount: How strongly it reacts: 0 not at all, 1 as written.

        Raises:
            SettingsError: A formula is not a number, or needs what the scope lacks.
        """
        for response in self.responses:
            if response.target == name:
                values = response.apply(values, frames, scope, amount)
        return values


def _look_length(place: int, source: str) -> Length:
    match = _LOOKS.fullmatch(source.strip())
    if match is None or match["number"] == "0":
        raise at_column(
            place, f"{shown(source.strip())} cannot change the preset: write bar/4->preset"
        )
    unit = "b" if match["unit"] == "beat" else "bar"
    return Length(float(match["number"] or 1), UNITS[unit])


def _response(place: int, source: str, change: str, names: Collection[str]) -> Response:
    match = _RESPONSE.fullmatch(change.strip())
    if match is None:
        where = place + len(source) + 2
        raise at_column(where, f"{shown(change.strip())} is no change of a setting: {_FORM}")
    formula = parse(source.rstrip(), offset=place, names=names)
    target = match["target"].replace("-", "_")
    text = f"{source.strip()}->{change.strip()}"
    if match["low"]:
        shift = (float(match["low"]), float(match["high"]))
        return Response(text, formula, target, (0, 0), shift)
    by = float(match["by"])
    if match["sign"] == "*":
        return Response(text, formula, target, (1, by), (0, 0))
    return Response(text, formula, target, (1, 1), (0, -by if match["sign"] == "-" else by))
