"""Changes the look of a show: every few seconds or bars, or as a score says."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.timeline import Timeline
from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.status import LiveStatus

# Share of its beats that a look stays at least, wherever it began between two changes.
_LEAST = 0.5


class LookFollower:
    """Callback that changes the look when a track does.

    A look chosen by hand stays until the track changes the next time. A frozen show keeps its look,
    and gets that of the track when it goes on.
    """

    def __init__(
        self,
        names: Sequence[str],
        track: LookTrack,
        controls: Controls,
        now: Callable[[], tuple[float, Timeline]],
    ) -> None:
        """Create a follower at the start of a track.

        Args:
            names: Names of the track's looks.
            track: When each of them begins.
            controls: Where looks are chosen.
            now: Returns the number of the present frame, and what is known of time.
        """
        self._names, self._track, self._controls, self._now = names, track, controls, now
        self._place: int | None = None

    def __call__(self, status: LiveStatus) -> None:
        """Change the look if it is time."""
        if status.frozen:
            return
        frame, timeline = self._now()
        place = int(self._track.sample(np.array([frame]), timeline).after[0])
        changed, self._place = place != self._place, place
        if changed and self._names[place] != status.preset:
            with suppress(SettingsError):  # the look cannot be dreamed: skip it
                self._controls.use(self._names[place], by_hand=False)


class LookCycle:
    """Callback that changes the look every few seconds, or with the beats while there are any.

    A look chosen by hand stays as long as any: with beats until the first change after half the
    usual time. The time of a frozen show does not pass. Looks that cannot be dreamed, or not yet,
    are skipped.
    """

    def __init__(
        self,
        names: Sequence[str],
        controls: Controls,
        seconds: float,
        *,
        each: float | None = None,
        beats: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a cycle that starts with the look in use.

        Args:
            names: Names of the looks, in order.
            controls: Where looks are chosen.
            seconds: How long each one lasts while there is no beat.
            each: How many beats each one lasts; None if it lasts seconds throughout.
            beats: Returns the number of beats so far, which does not fall; None while there is no
                beat.
            clock: Returns the time in seconds.
        """
        self._names, self._controls, self._seconds = tuple(names), controls, seconds
        self._each, self._beats, self._clock = each, beats, clock
        self._look: str | None = None
        self._place = -1
        self._seen = self._begun = clock()
        # Number of beats when the look began, and when it was looked at last.
        self._first_beat: float | None = None
        self._last_beat: float | None = None

    def __call__(self, status: LiveStatus) -> None:
        """Change the look if it is time."""
        now, beat = self._clock(), self._beats()
        if status.frozen:
            self._begun += now - self._seen
            beat = None
        self._seen = now
        if status.preset != self._look:
            self._begin(status.preset, beat)
        due = now - self._begun >= self._seconds
        if self._each is not None and beat is not None:
            due = self._passes(self._each, beat)
        self._last_beat = beat
        if due and not status.frozen:
            self._follow(status, beat)

    def _passes(self, each: float, beat: float) -> bool:
        """Return whether looks change between the beat before and this one."""
        last, first = self._last_beat, self._first_beat
        if last is None or first is None:
            self._first_beat = beat
            return False
        enough = beat - first >= _LEAST * each
        return enough and math.floor(beat / each) > math.floor(last / each)

    def _begin(self, look: str, beat: float | None) -> None:
        if look in self._names and (self._look is None or look != self._names[self._place]):
            self._place = self._names.index(look)
        self._look, self._begun, self._first_beat = look, self._seen, beat

    def _follow(self, status: LiveStatus, beat: float | None) -> None:
        """Change to the next look that can be dreamed, if any can."""
        usable = {*status.ready}.intersection(self._controls.looks) - {status.preset}
        for step in range(1, len(self._names) + 1):
            place = (self._place + step) % len(self._names)
            if self._names[place] in usable:
                with suppress(SettingsError):  # it has failed just now
                    self._controls.use(self._names[place], by_hand=False)
                    self._place = place
                    self._begin(self._names[place], beat)
                return
