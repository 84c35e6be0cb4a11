"""Listens to a sound card for as long as a show runs, whatever happens to the card."""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import Literal

from stream_dream.automation.sound.features import HOP, NAMES, RATE, RELEASE
from stream_dream.errors import SourceError, StreamDreamError, first_line
from stream_dream.live.sound.beat_tracker import BeatClock
from stream_dream.live.sound.card_choice import Card, CardReader
from stream_dream.live.sound.live_analysis import LiveAnalysis

log = logging.getLogger("stream_dream.live")

SoundState = Literal["waiting", "ok", "silent", "lost"]

CURVES = (*NAMES, "beat", "bar")
"""The names of the curves, as expressions know them."""

# A card without sound for this long counts as lost, one that stays so as stuck.
_LOST_AFTER, _STUCK_AFTER = 1.0, 3.0
_OPENING_SECONDS = 15.0
# Each try starts a process, a quarter of a second's work.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 2.0
# Curves fall when no sound comes for this long.
_LATE = 0.1
_CLOSING_SECONDS = 1.0
# Clocks of sound cards are up to this wrong, beside that of the computer.
_DRIFT = 0.002


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is known after the newest sound.

    Attributes:
        at: Time of its arrival, in seconds of ``time.monotonic``.
        values: The curves but ``beat`` and ``bar``.
        silent: True after two seconds of silence.
        clock: The beat; None while there is none.
        began: Time of hop 0 of the clock, by the earliest arrivals.
    """

    at: float
    values: dict[str, float]
    silent: bool
    clock: BeatClock | None
    began: float


class Listener:
    """The curves of what a card hears now; opens the card again whenever it goes away.

    Each connection is opened and read by its own thread: a card that hangs blocks nothing else.
    All properties and methods may be used from any thread, and never wait or raise.

    Attributes:
        problem: Why the card does not work, in one line; None while it does.
        name: Name of the card that is or was open; "" before the first.
    """

    def __init__(self, card: Card, *, bpm: float | None = None) -> None:
        """Start to listen.

        Args:
            card: What to open, again and again.
            bpm: The tempo, if it is known.
        """
        self.problem: str | None = None
        self.name = ""
        self._card = card
        self._bpm = bpm
        self._heard: _Heard | None = None
        self._current: _Connection | None = None
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="sound", daemon=True)
        self._watcher.start()

    @property
    def state(self) -> SoundState:
        """``waiting`` before the first sound, ``silent`` after two seconds of silence."""
        heard = self._heard
        if heard is None:
            return "waiting"
        if time.monotonic() - heard.at > _LOST_AFTER:
            return "lost"
        return "silent" if heard.silent else "ok"

    @property
    def tempo(self) -> float | None:
        """Beats per minute; None while there is no beat."""
        clock = self._clock()
        return clock[0].tempo if clock else None

    def curves(self) -> dict[str, float]:
        """Return the value of each curve now, 0..1; all are 0 unless ``state`` is ``ok``.

        The curves of a card that goes away fall within the release time.
        """
        heard = self._heard
        if heard is None or self.state in ("waiting", "silent"):
            return dict.fromkeys(CURVES, 0.0)
        late = time.monotonic() - heard.at - _LATE
        fall = math.exp(-late / RELEASE) if late > 0 else 1.0
        # What is left after a second cannot be seen, and would never end.
        fall = fall if late < _LOST_AFTER - _LATE else 0.0
        found = {name: value * fall for name, value in heard.values.items()}
        clock = self._clock()
        beat, bar = clock[0].curves_at(clock[1]) if clock else (0.0, 0.0)
        return found | {"beat": beat * fall, "bar": bar * fall}

    def beats(self) -> float | None:
        """Return the number of beats so far, fractional; None while there is no beat.

        Multiples of four begin bars. It is corrected by a part of a beat now and then, by one or
        two when bars turn out to begin elsewhere. It goes on when a beat is found anew, and begins
        at 0 when a card is opened again.
        """
        clock = self._clock()
        return clock[0].beats_at(clock[1]) if clock else None

    def close(self) -> None:
        """End the listening; a card that hangs is abandoned. Calling it again does nothing."""
        self._closed.set()
        self._watcher.join(_CLOSING_SECONDS)

    def take(self, connection: _Connection, heard: _Heard) -> bool:
        """Accept what a connection has heard; return False if that is no longer needed."""
        if connection is not self._current or self._closed.is_set():
            return False
        self._heard, self.problem = heard, None
        return True

    def _clock(self) -> tuple[BeatClock, float] | None:
        """Return the beat and the time now in its hops; None while there is no beat."""
        heard = self._heard
        if heard is None or heard.clock is None or self.state != "ok":
            return None
        return heard.clock, (time.monotonic() - heard.began) * RATE / HOP

    def _watch(self) -> None:
        """Open the card, and open it again whenever no sound comes."""
        pause, told = _FIRST_PAUSE, None
        while not self._closed.is_set():
            connection = _Connection(self, self._card, self._bpm)
            self._current = connection
            connection.start()
            self._watch_over(connection)
            connection.give_up()
            if self._closed.is_set():
                return
            self.problem = connection.problem or "no sound comes"
            if self.problem != told:
                log.warning("sound: %s; trying again", self.problem)
            told = None if connection.heard else self.problem
            pause = _FIRST_PAUSE if connection.heard else min(2 * pause, _LONGEST_PAUSE)
            self._closed.wait(pause)

    def _watch_over(self, connection: _Connection) -> None:
        """Wait until a connection ends or hangs."""
        while connection.is_alive() and not self._closed.is_set():
            connection.join(0.1)
            patience = _STUCK_AFTER if connection.heard else _OPENING_SECONDS
            if time.monotonic() - connection.last > patience:
                return


class _Connection(threading.Thread):
    """Opens the card once, and reads it until it ends.

    Attributes:
        heard: True once there was sound.
        last: Time of the newest sound, or of the start, in seconds of ``time.monotonic``.
        problem: Why it ended; None while it runs.
    """

    def __init__(self, listener: Listener, card: Card, bpm: float | None) -> None:
        super().__init__(name="hearing", daemon=True)
        self.heard = False
        self.last = time.monotonic()
        self.problem: str | None = None
        self._listener, self._card, self._bpm = listener, card, bpm
        self._reader: CardReader | None = None
        self._unwanted = threading.Event()

    def run(self) -> None:
        try:
            reader = self._reader = self._card.open()
        except Exception as error:  # whatever a driver throws: the show goes on
            self._explain(error)
            return
        try:
            # Given up before or after the reader was set, one of the two threads closes it.
            if not self._unwanted.is_set():
                self._listen(reader)
        except Exception as error:
            self._explain(error)
        finally:
            reader.close()

    def give_up(self) -> None:
        """End it by closing the card, without waiting for the thread."""
        self._unwanted.set()
        reader = self._reader
        if reader is not None:
            reader.close()

    def _listen(self, reader: CardReader) -> None:
        if reader.rate != RATE:
            raise SourceError(f"{reader.name} gives {reader.rate} samples a second, not {RATE}")
        analysis = LiveAnalysis(loopback=reader.loopback, bpm=self._bpm)
        began = math.inf
        while True:
            analysis.push(reader.read())
            now = time.monotonic()
            seconds = analysis.hops * HOP / RATE
            # A sound is never heard before it is there, often late: the earliest counts.
            began = min(began + _DRIFT * (now - self.last), now - seconds)
            if not self.heard:
                log.info("sound: listening to %s", reader.name)
                self._listener.name = reader.name
            self.heard, self.last = True, now
            values, clock = dict(analysis.values), analysis.beats.clock
            heard = _Heard(now, values, analysis.silent, clock, began)
            if self._unwanted.is_set() or not self._listener.take(self, heard):
                return

    def _explain(self, error: Exception) -> None:
        self.problem = first_line(error)
        if not isinstance(error, StreamDreamError):
            log.debug("sound", exc_info=True)
