"""Sample tracks, looks and reactions: the values of a program's frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.expression import Scope
from stream_dream.automation.functions import smoothstep
from stream_dream.automation.journey_camera import per_frame
from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.program import WHOLE, FrameValues, is_weight
from stream_dream.automation.reaction import Reaction
from stream_dream.automation.track import Track
from stream_dream.errors import SettingsError

# Frames that are sampled at a time.
_BLOCK = 256
# Frames at the end of a loop over which values go back to those of its first frame.
_CLOSING = 12


class Schedule:
    """Samples the values of frames, block by block."""

    def __init__(
        self,
        scope: Scope,
        bases: Sequence[Mapping[str, float]],
        ranges: Mapping[str, tuple[float, float]],
        *,
        tracks: Mapping[str, Track],
        reaction: Reaction | None,
        looks: LookTrack | None,
        loop: bool = False,
    ) -> None:
        """Store what is sampled.

        Args:
            scope: Timeline and curves.
            bases: By look, the values of the settings that change where no track sets them; a look
                lacks the weights of targets that are not its own, and what it leaves unlimited.
            ranges: Least and greatest value by name.
            tracks: Values over time by name.
            reaction: How values follow sound; None if they do not.
            looks: When the look changes; None if it never does.
            loop: True if the last frame is followed by the first.
        """
        self._scope, self._bases, self._ranges = scope, bases, ranges
        self._tracks, self._reaction, self._looks = tracks, reaction, looks
        self._loop = loop
        self._block = lru_cache(maxsize=4)(self._sampled)

    def around(self, frame: int) -> FrameValues:
        """Return the values of the block of a frame. Raises ``SettingsError``."""
        first = frame - frame % _BLOCK
        end = first + _BLOCK
        if self._scope.timeline.frames is not None:
            end = max(frame + 1, min(end, self._scope.timeline.frames))
        try:
            return self._block(first, end)
        except SettingsError:
            # A formula may fail beyond the end of a film whose length is not known yet.
            return self._block(first, frame + 1)

    def _sampled(self, first: int, end: int) -> FrameValues:
        frames = np.arange(first, end, dtype=np.float64)
        before = after = np.zeros(len(frames), np.intp)
        share = np.ones(len(frames))
        if self._looks is not None:
            try:
                before, after, share = self._looks.sample(frames, self._scope.timeline)
            except SettingsError as error:
                raise SettingsError(f"preset: {error}") from None
        numbers, beyond, places = {}, {}, np.arange(len(frames))
        for name, (least, most) in self._ranges.items():
            wanted = self._values(name, frames)
            numbers[name] = np.clip(wanted, least, most)
            outside = (wanted < least) | (wanted > most)
            self._close(name, frames, numbers[name])
            shown = outside[before, places] | outside[after, places]
            if shown.any():
                beyond[name] = shown
        return FrameValues(first, numbers, before, after, share, beyond)

    def _close(self, name: str, frames: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Lead the last values of a loop over to its first one; in place."""
        count = self._scope.timeline.frames
        if not self._loop or count is None:
            return
        length = min(_CLOSING, count // 4)
        share = smoothstep((frames - (count - length) + 1) / (length + 1))
        first = np.clip(self._values(name, np.zeros(1)), *self._ranges[name])
        values += (first - values) * share
        if name in WHOLE:
            np.rint(values, out=values)

    def _values(self, name: str, frames: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values of a setting, float64 (looks, frames), as they are asked for."""
        track = self._tracks.get(name)
        try:
            common = None if track is None else track.sample(frames, self._scope)
            if track is not None and common is not None and track.per_second:
                common = per_frame(name, common, self._scope.timeline.fps)
        except SettingsError as error:
            raise SettingsError(f"{name}: {error}") from None
        rows = []
        for base in self._bases:
            row = np.full(len(frames), base.get(name, math.nan))
            if common is not None and (name in base or not is_weight(name)):
                row = common
            if self._reaction is not None:
                row = self._reaction.apply(name, row, frames, self._scope)
            rows.append(row)
        values = np.stack(rows)
        return np.rint(values) if name in WHOLE else values
