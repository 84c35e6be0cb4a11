"""Looks over time: ``0:dogs, 12s:eyes~2s, shot 4:wild``."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.functions import smoothstep
from stream_dream.automation.text import at_column
from stream_dream.automation.timeline import POSITION, Length, Position, Timeline, Values
from stream_dream.errors import SettingsError

_KEY = re.compile(rf"(?:^|,)\s*(?P<key>{POSITION})\s*:")
# Not the ~ of a folder, nor of a file such as my~1.toml.
_FADE = re.compile(r"~\s*(?P<fade>[0-9.][^~/\\]*)(?<!\.toml)$")
_MOST_KEYS = 1000
_NONE = Length(0, "frames")
_GOLDEN_RATIO = 0.618033988749895


class LookSamples(NamedTuple):
    """Looks at frames; all arrays have one item per frame.

    Attributes:
        before: Numbers of the looks that go.
        after: Numbers of the looks that come; the same ones where nothing changes.
        share: Share of those that come, 0..1; 1 where nothing changes.
    """

    before: NDArray[np.intp]
    after: NDArray[np.intp]
    share: Values


class LookTrack(ABC):
    """Which looks a dream has over time, and how they fade into each other."""

    @property
    def looks(self) -> tuple[str, ...]:
        """Return the names of the looks in order of appearance, each once; () without names."""
        return ()

    @property
    @abstractmethod
    def needs(self) -> frozenset[str]:
        """Return what has to be known of a timeline: some of ``length``, ``shots``, ``beats``."""

    @abstractmethod
    def sample(self, frames: Values, timeline: Timeline) -> LookSamples:
        """Return the looks at frames, float64, whole or not.

        Raises:
            SettingsError: What the track needs of the timeline is unknown.
        """

    @staticmethod
    def parse(text: str) -> LookTrack:
        """Parse looks with keys, or one alone; a first one without a key begins at frame 0.

        ``~2s`` after a look lets the one before fade into it: from its key on, for that long or
        until the next key.

        Raises:
            SettingsError: It is not understood; the message names the column.
        """
        return _KeyedLooks(text, tuple(_keys(text)))

    @staticmethod
    def around(count: int, frames: int, dwell: float = 0.2, *, rounds: int = 1) -> LookTrack:
        """Return a track of numbered looks that are spread evenly over a loop.

        Look ``k`` of ``n`` lies at ``(k + 1/2) / n``: the loop's seam is between two of them.

        Args:
            count: Number of looks.
            frames: Number of frames of the loop.
            dwell: Share of the way between two looks that is spent at each of them, under 0.5.
            rounds: How many times each of them is reached.
        """
        each = Length(frames / (count * rounds), "frames")
        return _LookCycle(count, each, first=0.5, hold=dwell, fade=1 - 2 * dwell, wraps=True)

    @staticmethod
    def every(count: int, each: Length, fade: Length = _NONE) -> LookTrack:
        """Return a track of numbered looks that follow each other for ever.

        Args:
            count: Number of looks.
            each: How long each one lasts, more than 0.
            fade: How long the one before fades into it, from when it begins.
        """
        return _LookCycle(count, each, first=1.0, hold=0.0, fade=fade, wraps=False)


@dataclass(frozen=True, slots=True)
class _LookKey:
    """A look from a position on; ``fade`` is how long the one before fades into it."""

    text: str
    position: Position
    look: str
    fade: Length
    fade_text: str

    def frame(self, timeline: Timeline) -> float:
        return timeline.frame_of_key(self.text, self.position)

    def faded(self, begin: float, timeline: Timeline) -> float:
        """Return the frame at which the fade is over."""
        unit = self.fade.unit
        passed = timeline.elapsed(unit, np.array(begin)) + self.fade.amount
        return float(timeline.frames_at(unit, passed))


class _PlacedLooks(NamedTuple):
    """Keys in order of time: frames at which they begin and are faded in, numbers of looks."""

    begins: Values
    ends: Values
    numbers: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _KeyedLooks(LookTrack):
    text: str
    keys: tuple[_LookKey, ...]
    # The timeline they were placed on last: a show samples one frame at a time.
    _last: list[tuple[Timeline, _PlacedLooks]] = field(
        default_factory=list, repr=False, compare=False
    )

    @property
    def looks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(key.look for key in self.keys))

    @property
    def needs(self) -> frozenset[str]:
        return frozenset().union(*(key.position.needs | key.fade.needs for key in self.keys))

    def sample(self, frames: Values, timeline: Timeline) -> LookSamples:
        begins, ends, numbers = self._placed(timeline)
        at = np.maximum(np.searchsorted(begins, frames, side="right") - 1, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            way = (frames - begins[at]) / (ends[at] - begins[at])
        share = np.where(ends[at] > begins[at], smoothstep(way), 1.0)
        return _settled(numbers[np.maximum(at - 1, 0)], numbers[at], share)

    def _placed(self, timeline: Timeline) -> _PlacedLooks:
        for known, found in self._last:
            if known is timeline:
                return found
        placed = {key.frame(timeline): key for key in self.keys}  # of equals, the last
        begins = np.array(sorted(placed))
        keys = [placed[begin] for begin in begins]
        ends = np.array([k.faded(b, timeline) for k, b in zip(keys, begins, strict=True)])
        ends[:-1] = np.minimum(ends[:-1], begins[1:])
        places = {look: number for number, look in enumerate(self.looks)}
        numbers = np.array([places[key.look] for key in keys], np.intp)
        found = _PlacedLooks(begins, ends, numbers)
        self._last[:] = [(timeline, found)]
        return found


@dataclass(frozen=True, slots=True)
class _LookCycle(LookTrack):
    """Numbered looks that follow each other.

    Attributes:
        count: Number of looks.
        each: How long a look and the way to the next one last.
        first: Where the first look lies, in such lengths.
        hold: Share of the way to the next look before the fade begins.
        fade: Length of the fade, or its share of the way.
        wraps: True if the last look comes before the first one.
    """

    count: int
    each: Length
    first: float
    hold: float
    fade: Length | float
    wraps: bool

    @property
    def needs(self) -> frozenset[str]:
        fade = self.fade.needs if isinstance(self.fade, Length) else frozenset()
        return self.each.needs | fade

    def sample(self, frames: Values, timeline: Timeline) -> LookSamples:
        fade = self.fade
        if isinstance(fade, Length):
            fade = min(1.0, timeline.seconds_of(fade) / timeline.seconds_of(self.each))
        place = np.round(timeline.periods(self.each, frames) - self.first, 9)
        number = np.floor(place).astype(np.intp)
        way = place - number - self.hold
        share = smoothstep(way / fade) if fade > 0 else np.where(way >= 0, 1.0, 0.0)
        before, after = number, number + 1
        if not self.wraps:  # before the first beat there is the first look already
            before, after = np.maximum(before, 0), np.maximum(after, 0)
        return _settled(before % self.count, after % self.count, share)


def _settled(before: NDArray[np.intp], after: NDArray[np.intp], share: Values) -> LookSamples:
    settled = (share >= 1) | (before == after)
    return LookSamples(np.where(settled, after, before), after, np.where(settled, 1.0, share))


def follows(share: float, frame: int) -> bool:
    """Return whether a frame's ascent follows the look that comes rather than the one that goes.

    Of frames in a row the given share do, as evenly as can be: by multiples of the golden ratio.

    Args:
        share: Share of the look that comes, 0..1.
        frame: Number of the frame.
    """
    return frame * _GOLDEN_RATIO % 1 < share


def located(text: str, folder: Path) -> str:
    """Return the text of a track of looks with relative file names resolved against a folder.

    Raises:
        SettingsError: It is not understood; the message names the column.
    """
    return renamed(text, lambda look: _located(look, folder.absolute()))


def renamed(text: str, rename: Callable[[str], str]) -> str:
    """Return the text of a track of looks with other names of looks.

    Raises:
        SettingsError: It is not understood; the message names the column.
    """
    parts = []
    for key in _keys(text):
        look = rename(key.look)
        parts.append(f"{key.text}:{look}{key.fade_text}" if key.text else look)
    return ", ".join(parts)


def _located(look: str, folder: Path) -> str:
    """Return a look, or several between commas, with files in a folder."""
    names = [look] if os.path.isfile(folder / look) else map(str.strip, look.split(","))
    return ",".join(str(folder / name) if name.endswith(".toml") else name for name in names)


def _keys(text: str) -> Iterator[_LookKey]:
    matches = list(_KEY.finditer(text))
    if len(matches) > _MOST_KEYS:
        raise SettingsError(f"these are {len(matches)} looks: give at most {_MOST_KEYS}")
    first = matches[0].start() if matches else len(text)
    if text[:first].strip() or not matches:
        yield _key("", 0, text[:first])
    for match, following in zip_longest(matches, matches[1:]):
        end = following.start() if following else len(text)
        yield _key(match["key"], match.end(), text[match.end() : end])


def _key(position: str, place: int, item: str) -> _LookKey:
    name = item.strip().rstrip(",").rstrip()
    faded = _FADE.search(name)
    try:
        fade = Length.parse(faded["fade"]) if faded else _NONE
    except SettingsError as error:
        raise at_column(place + item.index("~"), f"after ~, {error}") from None
    look = name[: faded.start()].strip() if faded else name
    for part in look.split(","):
        key, colon, _ = part.partition(":")
        if colon and not re.search(r"[/\\]", part):  # else it is a path
            try:
                Position.parse(key.strip())
            except SettingsError as error:
                raise at_column(place + item.index(key.strip()), str(error)) from None
    if not look:
        raise at_column(place, "the name of a look is missing: write 0:dogs, 12s:eyes~2s")
    where = Position.parse(position) if position else Position(0, "frames")
    return _LookKey(position, where, look, fade, faded[0] if faded else "")
