"""The program of a render: the settings of each frame, a pure function of its number."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.look_track import follows
from stream_dream.automation.moment import Fade, Moment
from stream_dream.camera_move import CameraMove
from stream_dream.settings.automation import files_of_looks, looks_with_files
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import kinds
from stream_dream.settings.values import ClassTarget, LayerTarget

TARGETS = {"layer": "layer", "guide_layer": "guide_layer", "class": "classes"}
"""Fields of ``DreamSettings`` whose targets have weights, by the first part of a weight's name:
``layer.block10``."""

WHOLE = {name for name, known in DreamSettings.model_fields.items() if int in kinds(known)}
"""Settings that are whole numbers."""

_OF_OUTPUT = ("strength", "mask_strength")
# Moments that are kept: threads ask for those of the frames between decoding and encoding.
_KEPT = 64


@dataclass(frozen=True, slots=True, eq=False)
class FrameValues:
    """Values of consecutive frames.

    Attributes:
        first: Number of the first frame.
        numbers: By the name of a setting, such as ``strength`` or ``layer.block10``, its values for
            each look and frame, float64 (looks, frames); NaN for a look that lacks the target, or
            has no limit to change.
        before: Number of the look that a fade leaves, (frames,).
        after: Number of the look that a fade reaches; the same as ``before`` without a fade.
        share: Progress of the fade, float64 in 0..1, (frames,).
        beyond: By the name of a setting, whether its value was beyond its range and was clipped,
            bool (frames,); only those settings of which one was.
    """

    first: int
    numbers: Mapping[str, NDArray[np.float64]]
    before: NDArray[np.intp]
    after: NDArray[np.intp]
    share: NDArray[np.float64]
    beyond: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def around(self, frame: int) -> FrameValues:
        """Return values that include a frame: these. Raises ``IndexError`` if they do not."""
        if not self.first <= frame < self.first + len(self.share):
            raise IndexError(f"frame {frame} is none of {len(self.share)} from {self.first} on")
        return self

    def part(self, begin: int, end: int) -> FrameValues:
        """Return the values of the frames ``begin`` to ``end - 1``."""
        span = slice(begin - self.first, end - self.first)
        numbers = {name: values[:, span] for name, values in self.numbers.items()}
        return FrameValues(
            begin,
            numbers,
            self.before[span],
            self.after[span],
            self.share[span],
            {name: beyond[span] for name, beyond in self.beyond.items() if beyond[span].any()},
        )


class Sampler(Protocol):
    """Where the values of frames come from."""

    def around(self, frame: int) -> FrameValues:
        """Return the values of consecutive frames that include this one.

        Raises:
            SettingsError: A value cannot be computed.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Settings of each frame.

    Attributes:
        looks: The looks; most programs have one. Settings that hold for all frames, such as the
            dream size, are those of the first.
        strength: How much of the dream is shown, where that does not change.
        mask_strength: How far the mask holds the dream back, where that does not change.
        sampler: Where values come from; None if nothing changes.
        changing: Names of the settings that change, as in ``FrameValues.numbers``.
        camera: How the camera of a journey moves, where that does not change; None if there is no
            journey: then ``zoom`` is the push of a loop's camera.
    """

    looks: tuple[DreamSettings, ...]
    strength: float = 1.0
    mask_strength: float = 1.0
    sampler: Sampler | None = None
    changing: frozenset[str] = frozenset()
    camera: CameraMove | None = None
    _moments: dict[int, Moment] = field(default_factory=dict, repr=False)
    _clipped: set[str] = field(default_factory=set, repr=False)

    @property
    def varying(self) -> frozenset[str]:
        """Those of ``dream.ascent.VARYING`` that change."""
        return varying_of(self.changing)

    @property
    def clipped(self) -> str | None:
        """One line on values beyond their range so far; None if there were none.

        Those of frames that were asked for with ``at``, ``values`` or ``part`` count.
        """
        if not self._clipped:
            return None
        return f"values beyond the range of {', '.join(sorted(self._clipped))} were clipped to it"

    @property
    def files(self) -> dict[str, Path]:
        """Files that the looks name; see ``settings.automation.files_of_looks``."""
        return files_of_looks(self.looks)

    def with_files(self, paths: Mapping[str, Path]) -> Program:
        """Return the same program with other paths, by the names of ``files``."""
        return replace(self, looks=looks_with_files(self.looks, paths), _moments={})

    def at(self, frame: int) -> Moment:
        """Return the settings of a frame; may be called from several threads."""
        moment = self._moments.get(frame if self.sampler else 0)
        if moment is None:
            moment = self._moment(frame)
            if len(self._moments) >= _KEPT:
                self._moments.clear()
            self._moments[frame if self.sampler else 0] = moment
        return moment

    def check(self, frames: int | None) -> None:
        """Compute the values of all frames, if their number is known: see if they can be.

        Raises:
            SettingsError: A value cannot be computed.
        """
        if self.sampler is not None and frames:
            sampled(self.sampler, 0, frames)

    def part(self, begin: int, end: int) -> Program:
        """Return the program of the frames ``begin`` to ``end - 1`` as numbers, for a worker."""
        if self.sampler is None:
            return self
        return replace(self, sampler=self.values(begin, end), _moments={})

    def values(self, begin: int, end: int) -> FrameValues | None:
        """Return the values of the frames ``begin`` to ``end - 1``; None if nothing changes."""
        if self.sampler is None:
            return None
        values = sampled(self.sampler, begin, end)
        self._clipped.update(values.beyond)
        return values

    def looks_in(self, begin: int, end: int) -> list[int]:
        """Return the numbers of the looks of the frames ``begin`` to ``end - 1``, by first use."""
        if self.sampler is None or len(self.looks) == 1:
            return [0]
        values = sampled(self.sampler, begin, end)
        return list(dict.fromkeys(np.stack([values.before, values.after], axis=1).ravel().tolist()))

    def octaves_in(self, begin: int, end: int, look: int) -> list[int]:
        """Return the numbers of octaves of a look in the frames ``begin`` to ``end - 1``."""
        if self.sampler is None or "octaves" not in self.changing:
            return [self.looks[look].octaves]
        octaves = sampled(self.sampler, begin, end).numbers["octaves"][look]
        return sorted({int(count) for count in octaves})

    def _moment(self, frame: int) -> Moment:
        if self.sampler is None:
            dream = self.looks[0]
            always = Fade(dream, dream, 1.0)
            camera = self.camera or CameraMove()
            return Moment(0, dream, always, self.strength, self.mask_strength, camera=camera)
        values = self.sampler.around(frame)
        place = frame - values.first
        self._clipped.update(name for name, beyond in values.beyond.items() if beyond[place])
        before, after = int(values.before[place]), int(values.after[place])
        share = float(values.share[place])
        dreams = {
            look: with_values(
                self.looks[look],
                {name: series[look, place] for name, series in values.numbers.items()},
            )
            for look in {before, after}
        }
        look = after if follows(share, frame) else before
        shown = {
            name: float(values.numbers[name][look, place])
            for name in (*_OF_OUTPUT, *CameraMove._fields)
            if name in self.changing
        }
        push, camera = shown.get("zoom", 0.0), CameraMove()
        if self.camera is not None:
            moved = {name: shown[name] for name in CameraMove._fields if name in shown}
            push, camera = 0.0, self.camera._replace(**moved)
        return Moment(
            look,
            dreams[look],
            Fade(dreams[before], dreams[after], share),
            shown.get("strength", self.strength),
            shown.get("mask_strength", self.mask_strength),
            push,
            camera,
        )


def sampled(sampler: Sampler, begin: int, end: int) -> FrameValues:
    """Return the values of the frames ``begin`` to ``end - 1``, at least one."""
    parts = []
    while begin < end:
        values = sampler.around(begin)
        until = min(end, values.first + len(values.share))
        parts.append(values.part(begin, until))
        begin = until
    if len(parts) == 1:
        return parts[0]
    numbers = {
        name: np.concatenate([part.numbers[name] for part in parts], axis=1)
        for name in parts[0].numbers
    }
    before, after, share = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("before", "after", "share")
    )
    within = [np.zeros(part.share.shape, np.bool_) for part in parts]
    beyond = {
        name: np.concatenate(
            [part.beyond.get(name, no) for part, no in zip(parts, within, strict=True)]
        )
        for name in dict.fromkeys(name for part in parts for name in part.beyond)
    }
    return FrameValues(parts[0].first, numbers, before, after, share, beyond)


def is_weight(name: str) -> bool:
    """Return whether the name of a setting is that of a target's weight."""
    return "." in name


def target_name(kind: str, target: LayerTarget | ClassTarget) -> str:
    """Return the name of a target's weight, such as ``layer.block10:42``."""
    return f"{kind}.{target.model_copy(update={'weight': 1.0})}"


def varying_of(changing: Collection[str]) -> frozenset[str]:
    """Return which of ``dream.ascent.VARYING`` are among the names of settings that change."""
    weights = {"weights" for name in changing if name.partition(".")[0] in TARGETS}
    return frozenset(weights | ({"colours", "evenness"} & {*changing}))


def with_values(dream: DreamSettings, values: Mapping[str, float]) -> DreamSettings:
    """Return a look with other numbers, by the names of ``FrameValues.numbers``."""
    changes: dict[str, Any] = {
        name: int(value) if name in WHOLE else float(value)
        for name, value in values.items()
        if name in DreamSettings.model_fields and not math.isnan(value)
    }
    for kind, name in TARGETS.items():
        if any(value.startswith(f"{kind}.") for value in values):
            changes[name] = tuple(
                target.model_copy(update={"weight": float(values[named])})
                if (named := target_name(kind, target)) in values
                else target
                for target in getattr(dream, name)
            )
    return dream.model_copy(update=changes)
