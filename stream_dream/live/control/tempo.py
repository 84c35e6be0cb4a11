"""The tempo that operators give: taps, a MIDI clock, or a number."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from stream_dream.settings.automation import BEATS_PER_BAR

LEAST_BPM, MOST_BPM = 20.0, 400.0
"""Range of a tempo, in beats per minute."""
USUAL_BPM = 120.0
"""Pace to count by where nothing gives a beat."""

# A longer pause begins another series of taps.
_PAUSE_SECONDS = 60 / LEAST_BPM
_MOST_TAPS = 8
_TICKS_PER_BEAT = 24
# A clock without a tick for this long has stopped; the beat goes on at its pace.
_SILENT_SECONDS = 0.5
# Ticks come at uneven times through USB and drivers (about a millisecond): the pace is the mean
# over two beats.
_MOST_TICKS = 2 * _TICKS_PER_BEAT


class Tempo:
    """A beat given by hand or by another machine; none before the first.

    Beats go on at the last pace. All methods may be called from any thread.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without a beat; ``clock`` returns the time in seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        # A straight line: the number of beats at a time, and beats per minute.
        self._at = self._count = 0.0
        self._bpm: float | None = None
        self._taps: deque[float] = deque(maxlen=_MOST_TAPS)
        self._ticks: deque[float] = deque(maxlen=_MOST_TICKS + 1)
        self._port = ""  # where they come from
        self._released = False  # no tick counts before a pause or a start
        self._next: float | None = None  # number of beats at the next tick, once it is known

    @property
    def tempo(self) -> float | None:
        """Beats per minute; None while there is no beat."""
        return self._bpm

    @property
    def follows_clock(self) -> bool:
        """True while a MIDI clock runs."""
        ticks = self._ticks
        return bool(ticks) and not self._released and self._clock() - ticks[-1] < _SILENT_SECONDS

    def beats(self) -> float | None:
        """Return the number of beats so far; None while there is no beat."""
        with self._lock:
            return None if self._bpm is None else self._count_at(self._clock())

    def set_bpm(self, bpm: float) -> None:
        """Set the pace, in beats per minute, cut to its range."""
        with self._lock:
            self._pass_through(self._clock(), min(max(bpm, LEAST_BPM), MOST_BPM))

    def release(self) -> None:
        """Give no beat any more: the show follows the sound again, or its settings.

        A MIDI clock that runs is heard again after a pause or its next start.
        """
        with self._lock:
            self._count, self._at = self._count_at(self._clock()), self._clock()
            self._bpm = self._next = None
            self._taps.clear()
            self._released = True

    def tap(self) -> None:
        """Count a beat now; from the second tap on, the pace is their mean distance."""
        with self._lock:
            now = self._clock()
            if self._taps and now - self._taps[-1] > _PAUSE_SECONDS:
                self._taps.clear()
            self._taps.append(now)
            if len(self._taps) > 1:
                distance = (now - self._taps[0]) / (len(self._taps) - 1)
                bpm = min(max(60 / max(distance, 1e-3), LEAST_BPM), MOST_BPM)
                self._pass_through(now, bpm, count=round(self._count_at(now)))

    def begin_bar(self) -> None:
        """Start a bar now."""
        with self._lock:
            now = self._clock()
            bars = math.ceil(self._count_at(now) / BEATS_PER_BAR - 0.5)
            if self._bpm is not None:
                self._pass_through(now, self._bpm, count=BEATS_PER_BAR * bars)
            if self._next is not None:  # ticks go on from here
                self._next = float(BEATS_PER_BAR * bars)

    def tick(self, port: str = "") -> None:
        """Count a tick of a MIDI clock, of which a beat has 24.

        Only the port counts that was first, until it is silent: one clock may come by several.
        """
        with self._lock:
            now = self._clock()
            if self._forget_silent(now):
                self._next = None
            if not self._ticks:  # it begins
                self._port, self._released = port, False
            if port != self._port:
                return
            self._ticks.append(now)
            if self._released:
                return
            if self._next is None:
                self._next = math.ceil(self._count_at(now) * _TICKS_PER_BEAT) / _TICKS_PER_BEAT
            count, self._next = self._next, self._next + 1 / _TICKS_PER_BEAT
            if len(self._ticks) < 3:
                return
            distance = (self._ticks[-1] - self._ticks[0]) / (len(self._ticks) - 1)
            bpm = min(max(60 / max(_TICKS_PER_BEAT * distance, 1e-3), LEAST_BPM), MOST_BPM)
            self._pass_through(now, bpm, count=count)

    def start(self, port: str = "") -> None:
        """Start a bar with the next tick: another machine starts its song."""
        with self._lock:
            now = self._clock()
            self._forget_silent(now)
            if self._ticks and port != self._port:
                return
            bars = math.ceil(self._count_at(now) / BEATS_PER_BAR)
            self._next, self._released = float(BEATS_PER_BAR * bars), False

    def _forget_silent(self, now: float) -> bool:
        """Forget the ticks of a clock that has stopped; return True if it had."""
        silent = bool(self._ticks) and now - self._ticks[-1] > _SILENT_SECONDS
        if silent:
            self._ticks.clear()
        return silent

    def _count_at(self, now: float) -> float:
        return self._count + (now - self._at) * (self._bpm or 0.0) / 60

    def _pass_through(self, now: float, bpm: float, count: float | None = None) -> None:
        self._count = self._count_at(now) if count is None else count
        self._at, self._bpm = now, bpm
