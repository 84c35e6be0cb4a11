"""Changes the look of a show as a track of looks says: every few seconds, with bars, by a score."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.timeline import Timeline
from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.status import LiveStatus


class LookFollower:
    """Callback that changes the look when a track does; a frozen show stays as it is.

    A look chosen by hand stays until the track changes the next time.
    """

    def __init__(
        self,
        names: Sequence[str],
        track: LookTrack,
        controls: Controls,
        timeline: Callable[[], Timeline],
        *,
        each: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin at the track's start.

        Args:
            names: Names of the track's looks.
            track: When each of them begins.
            controls: Where looks are chosen.
            timeline: Returns what is known of time now.
            each: Seconds that each look lasts, if all last as long: one chosen by hand then does,
                too, and the track goes on from there. None if the track goes by its own time.
            clock: Returns the time in seconds.
        """
        self._names, self._track, self._controls = names, track, controls
        self._timeline, self._each, self._clock = timeline, each, clock
        self._begun: float | None = None
        self._seen = clock()
        self._place: int | None = None
        self._look = ""

    def __call__(self, status: LiveStatus) -> None:
        """Change the look if it is time."""
        now = self._clock()
        passed, self._seen = now - self._seen, now
        begun = now if self._begun is None else self._begun + passed * status.frozen
        if self._each is not None and status.preset != self._look:
            begun = now  # chosen by hand, or the first one
            if status.preset in self._names:
                begun -= self._each * self._names.index(status.preset)
            elif self._place is not None:
                begun -= self._each * self._place
        self._begun, self._look = begun, status.preset
        timeline = self._timeline()
        frame = np.array([(now - begun) * float(timeline.fps)])
        place = int(self._track.sample(frame, timeline).after[0])
        changed, self._place = place != self._place, place
        if changed and self._names[place] != status.preset:
            with suppress(SettingsError):  # the look failed to build: skip it
                self._controls.use(self._names[place])
                self._look = self._names[place]
