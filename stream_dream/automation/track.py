"""Values over time, written as Deforum does: ``0:(0), 2s:(1), 8s:(0.6+0.4*sin(t/4))``."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Self

import numpy as np

from stream_dream.automation.expression import Expression, Scope, parse
from stream_dream.automation.functions import smoothstep
from stream_dream.automation.parser import RESERVED
from stream_dream.automation.text import at_column, items, shown
from stream_dream.automation.timeline import Position, Timeline, Values
from stream_dream.errors import SettingsError

Way = Literal["linear", "smooth", "step"]
_WAYS: dict[str, Way] = {"linear": "linear", "smooth": "smooth", "step": "step"}
_MOST_KEYS = 10_000

UNIT_HINT = "per second is said once, for all values: write /s at the end, outside of brackets"
"""What to do about ``/s`` within a text."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a track.

    Attributes:
        text: Its position as it was written; "" for a track that is a formula alone.
        position: Where it is.
        value: Its value.
        way: How the value goes over to the next key's. ``step`` holds it until then.
    """

    text: str
    position: Position
    value: Expression
    way: Way

    def sample(self, frames: Values, scope: Scope) -> Values:
        """Return its value at frames. Raises ``SettingsError``, which names the key."""
        try:
            return self.value.sample(frames, scope)
        except SettingsError as error:
            raise SettingsError(f"key {self.text}: {error}" if self.text else str(error)) from None

    def frame(self, timeline: Timeline) -> float:
        """Return its frame, whole or not. Raises ``SettingsError``, which names the key."""
        return timeline.frame_of_key(self.text, self.position)


@dataclass(frozen=True, slots=True)
class Track:
    """A value over time.

    Numbers go over to the next key's value linearly; a formula holds until the next key. Before the
    first key its value holds. All of this is as in Deforum, except that a key beyond the end is
    where its text says: a part of a film is the same as in the whole film.

    Attributes:
        text: As it was written.
        keys: Its keys in the order of the text; at least one.
        per_second: True if its values are per second, which ``/s`` at the end of the text says.
    """

    text: str
    keys: tuple[Key, ...]
    per_second: bool = False

    @classmethod
    def parse(cls, text: str, *, names: Collection[str] = (), rate: bool = False) -> Self:
        """Parse keys with values, or a number or formula alone.

        Args:
            text: The text. Keys and values may be in quotes, values in brackets.
            names: Names of curves besides those of sound.
            rate: True if ``/s`` at the end means per second; else it divides by the seed.

        Raises:
            SettingsError: It is not understood; the message names key and column.
        """
        # Blanks keep the columns.
        quoted = re.sub("[\"']", " ", text)
        plain = without_unit(quoted) if rate else quoted
        found = list(items(plain))
        if not found:
            raise SettingsError("this is empty: give a number, or keys such as 0:(0), 2s:(1)")
        if len(found) > _MOST_KEYS:
            raise SettingsError(
                f"these are {len(found)} keys: give at most {_MOST_KEYS}, or a curve from a file"
            )
        for place, item in found:
            if len(found) > 1 and ":" not in item:
                hint = "write 12:(0.5), and decimals with a point"
                raise at_column(place, f"{shown(item)} has no key: {hint}")
            if rate and _ends_in_unit(item):
                raise at_column(place, UNIT_HINT)
        keys = tuple(_key(place, item, names) for place, item in found)
        return cls(text, keys, per_second=plain != quoted)

    @property
    def needs(self) -> frozenset[str]:
        """Return what has to be known: some of ``length``, ``shots`` and ``beats``."""
        return frozenset().union(*(key.position.needs | key.value.needs for key in self.keys))

    @property
    def curves(self) -> frozenset[str]:
        """Return the names of the curves it reads."""
        return frozenset().union(*(key.value.curves for key in self.keys))

    def sample(self, frames: Values, scope: Scope) -> Values:
        """Return the values at frames, float64.

        Args:
            frames: Numbers of frames, float64, whole or not.
            scope: What expressions are evaluated in.

        Raises:
            SettingsError: A value is not a number, or needs what the scope lacks.
        """
        return self.placed(scope.timeline).sample(frames, scope)

    def placed(self, timeline: Timeline) -> PlacedTrack:
        """Return it with its keys where they are in time. Raises ``SettingsError``."""
        placed = {key.frame(timeline): key for key in self.keys}  # of equals, the last
        begins = sorted(placed)
        return PlacedTrack(np.array(begins), tuple(placed[begin] for begin in begins))


@dataclass(frozen=True, slots=True, eq=False)
class PlacedTrack:
    """A track on a timeline.

    Attributes:
        begins: Frames at which the keys are, ascending.
        keys: The keys.
    """

    begins: Values
    keys: tuple[Key, ...]

    def sample(self, frames: Values, scope: Scope) -> Values:
        """Return the values at frames; see ``Track.sample``."""
        begins = self.begins
        inside = np.maximum(frames, begins[0])
        at = np.searchsorted(begins, inside, side="right") - 1
        if len(at) == 1:  # a show has one frame at a time
            near = slice(at[0], at[0] + 2)
            return _between(self.keys[near], begins[near], inside, scope)
        values = np.empty(frames.shape)
        for number in np.unique(at):
            here = at == number
            near = slice(number, number + 2)
            values[here] = _between(self.keys[near], begins[near], inside[here], scope)
        return values


def _between(keys: Sequence[Key], begins: Values, frames: Values, scope: Scope) -> Values:
    """Return the values at frames from a key on, up to the one after it, if there is one."""
    values = keys[0].sample(frames, scope)
    if len(keys) == 1 or keys[0].way == "step":
        return values
    way = (frames - begins[0]) / (begins[1] - begins[0])
    share = smoothstep(way) if keys[0].way == "smooth" else way
    return np.asarray(values + (keys[1].sample(begins[1:], scope) - values) * share, np.float64)


def _key(place: int, item: str, names: Collection[str]) -> Key:
    # The last colon: a clock has colons of its own.
    head, colon, tail = item.rpartition(":")
    key = head.strip()
    try:
        position = Position.parse(key) if colon else Position(0, "frames")
    except SettingsError as error:
        hint = ". Is a comma missing?" if ")" in key else ""
        raise at_column(place, f"{error}{hint}") from None
    try:
        body, sign, word = tail.partition("@")
        value = parse(body, offset=place + len(head + colon), names=names)
        way = _WAYS.get(word.strip()) if sign else "step" if value.constant is None else "linear"
        if way is None:
            where = place + len(head + colon + body)
            raise at_column(
                where, f"{shown('@' + word)} is no way to move: give @smooth, @step or @linear"
            )
    except SettingsError as error:
        raise SettingsError(f"key {key}, {error}" if key else str(error)) from None
    return Key(key, position, value, way)


def _ends_in_unit(item: str) -> bool:
    """Return whether the value of a key ends in ``/s``, within brackets or not."""
    value = item.rpartition(":")[2].partition("@")[0].strip()
    if value.startswith("(") and value.endswith(")"):
        inside = value[1:-1]
        depths = accumulate((sign == "(") - (sign == ")") for sign in inside)
        if min(depths, default=0) >= 0:  # not (a)*(b)
            value = inside
    return without_unit(value) != value


def without_unit(text: str) -> str:
    """Return the text of a track without ``/s`` at its end."""
    rest = text.rstrip()
    divided = rest[:-1].rstrip() if rest.endswith("s") else ""
    return divided[:-1] if divided.endswith("/") else text


def looks_like_track(text: str, *, names: Collection[str] = ()) -> bool:
    """Return whether a setting's text is meant as a track rather than as a plain value.

    Numbers are plain values, and so are words, except the names of what formulas know.
    """
    try:
        float(text)
    except ValueError:
        word = text.strip()
        return not re.fullmatch(r"[\w.]*", word) or word in {*RESERVED, *names}
    return False
