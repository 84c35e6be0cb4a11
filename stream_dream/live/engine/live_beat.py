"""The beat of a show."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

import numpy as np

from stream_dream.automation.curves import read_beats
from stream_dream.automation.timeline import BeatGrid
from stream_dream.errors import SettingsError
from stream_dream.live.control.tempo import USUAL_BPM, Tempo
from stream_dream.live.engine.hearing import Sound
from stream_dream.settings.automation import BEATS_PER_BAR, Automation

# In beats. A beat as far off as this is followed evenly, within about a beat; one that is further
# off is another beat.
_FOLLOWED = 0.5
# As close is close enough: 10 ms at 120 BPM. It spares placing all keys anew.
_CLOSE, _CLOSE_PACE = 0.02, 0.005


class LiveBeat:
    """Counts beats: those heard, and between songs on at their pace.

    The count never goes back. When a song begins, bars begin where the song's do: less than a bar
    is left out.
    """

    def __init__(
        self,
        automation: Automation,
        sound: Sound | None = None,
        tempo: Tempo | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create a beat at the tempo of the settings.

        Args:
            automation: Holds a tempo or a file of beats, if they are given.
            sound: What is heard; None if nothing listens.
            tempo: The beat that operators give, which comes before all others.
            clock: Returns the time in seconds.

        Raises:
            SettingsError: The file of beats cannot be read.
        """
        self._tempo, self._clock = tempo, clock
        self._zero, self._latest = clock(), 0.0
        self._before = 0  # beats before ``begin``, whole bars
        self._lock = threading.Lock()
        self._given = None if automation.beats is None else read_beats(automation.beats)
        self._paced = self._given is not None or automation.bpm is not None
        self._grid = BeatGrid.regular(automation.bpm or USUAL_BPM, automation.offset or 0.0)
        self._sound = sound
        # The pace of the settings, which comes back after a tempo by hand.
        self._pace, self._by_hand = 60 / (self._given or self._grid).distance, False
        self._followed: float | None = None  # the tempo that the count follows, faster or slower
        # Added to the numbers of the sound's beats; None while there are none.
        self._shift: float | None = None

    @property
    def is_there(self) -> bool:
        """True while there is a beat: in the sound or, with sound or without, in the settings."""
        if self._tempo is not None and self._tempo.tempo:
            return True
        heard = self._sound is None or self._sound.state == "ok"
        return heard and (self._paced or self._shift is not None)

    @property
    def bpm(self) -> float:
        """Beats per minute, as tapped, heard or set; on average, if they come from a file."""
        with self._lock:
            grid = self._grid_at(self._latest)
            return self._followed or 60 / grid.distance

    def begin(self) -> None:
        """Start counting time now; the number of beats goes on, at the beginning of a bar."""
        with self._lock:
            before = self._count()
            self._zero, self._latest = self._clock(), 0.0
            bars = (before - self._count()) / BEATS_PER_BAR
            self._before += BEATS_PER_BAR * max(0, math.ceil(bars))

    def count(self) -> float:
        """Return the number of beats so far, from any thread."""
        with self._lock:
            return self._count()

    def begin_bar(self) -> None:
        """Start a bar now, wherever the beat comes from.

        Raises ``SettingsError`` while it comes from a file.
        """
        with self._lock:
            count = self._count()
            if self._tempo is not None and self._tempo.tempo:
                self._tempo.begin_bar()
            elif self._given is not None:
                raise SettingsError("bars begin where those of the file of beats do")
            else:
                left = -count % BEATS_PER_BAR
                pace = 60 / self._grid.distance
                self._pass_through(self._latest, count - self._before + left, pace)
                if self._shift is not None:
                    self._shift += left

    def grid_at(self, seconds: float) -> BeatGrid:
        """Return the beats as they are known now, the same object while nothing changes.

        Args:
            seconds: The time now, from the first frame.
        """
        with self._lock:
            self._latest = max(self._latest, seconds)
            return self._grid_at(self._latest)

    def _count(self) -> float:
        seconds = self._clock() - self._zero
        self._latest = max(self._latest, seconds)
        beats = self._grid_at(self._latest).beats_at(np.array([seconds]))
        return self._before + float(beats[0])

    def _grid_at(self, seconds: float) -> BeatGrid:
        by_hand = self._tempo is not None and bool(self._tempo.tempo)
        self._followed = None
        if self._given is not None and not by_hand:
            return self._given
        if by_hand != self._by_hand:
            # The count goes on. A tempo by hand ends the beats of a file.
            count = float((self._given or self._grid).beats_at(np.array([seconds]))[0])
            self._given, self._by_hand = None, by_hand
            self._pass_through(seconds, count, self._pace)
        source = self._tempo if by_hand else self._sound
        beats = None if source is None else source.beats()
        tempo = None if source is None else source.tempo
        if beats is None or not tempo:
            self._shift = None
            return self._grid
        self._followed = tempo
        count = (seconds - self._grid.times[0]) / self._grid.distance
        ahead = beats + (self._shift or 0.0) - count
        if self._shift is None or abs(ahead) > _FOLLOWED:
            shift = BEATS_PER_BAR * round((count - beats) / BEATS_PER_BAR)
            if beats + shift - count < -_FOLLOWED:
                shift += BEATS_PER_BAR
            self._shift, ahead = shift, beats + shift - count
            if ahead > _FOLLOWED:
                return self._pass_through(seconds, beats + shift, tempo)
        return self._follow(seconds, count, tempo, ahead)

    def _follow(self, seconds: float, count: float, tempo: float, ahead: float) -> BeatGrid:
        """Go to the sound's beat, which is a part of a beat ahead or behind, without a jump."""
        off = self._grid.distance * tempo / 60 - 1
        if abs(ahead) < _CLOSE and abs(off) < _CLOSE_PACE:
            return self._grid
        pace = tempo if abs(ahead) < _CLOSE / 2 else tempo * (1 + ahead)
        return self._pass_through(seconds, count, pace)

    def _pass_through(self, seconds: float, count: float, pace: float) -> BeatGrid:
        self._grid = BeatGrid.regular(pace, seconds - count * 60 / pace)
        return self._grid
