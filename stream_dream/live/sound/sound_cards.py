"""The sound cards of the system, recorded by a child process."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream_dream.automation.sound.features import HOP, RATE
from stream_dream.errors import SettingsError, SourceError
from stream_dream.live.sound.card_choice import MICROPHONE, PLAYING, CardInfo, choose
from stream_dream.runtime.child_process import end_process
from stream_dream.runtime.quiet import debugging

BLOCK = HOP  # 10 ms, the shortest that Windows gives
_PROGRAM = Path(__file__).with_name("card_program.py")
# A Bluetooth device takes seconds to wake up.
_ANSWER_SECONDS = 10.0


def check_sound_library() -> None:
    """Raise ``SettingsError`` unless the library for sound cards is installed."""
    if importlib.util.find_spec("soundcard") is None:
        raise SettingsError("--listen needs the extra music: pip install 'stream-dream[music]'")


def installed_cards() -> tuple[CardInfo, ...]:
    """Return all sound cards: microphones, and what each speaker plays.

    Raises:
        SettingsError: The library for sound cards is not installed.
        SourceError: The system's sound does not answer.
    """
    check_sound_library()
    program = _CardProgram()
    try:
        return program.cards()
    finally:
        program.close()


def find_card(wanted: str) -> SystemCard:
    """Return the card that ``playing``, ``mic`` or a part of a name means.

    Raises:
        SettingsError: There is none; the message names those at hand. Or the library for sound
            cards is not installed.
        SourceError: The system's sound does not answer.
    """
    card = SystemCard(wanted)
    card.find()
    return card


class SystemCard:
    """The card that ``playing``, ``mic`` or a part of a name means whenever it is opened.

    While it is open, ``playing`` and ``mic`` follow the system's default: when that changes, the
    reader ends, and opening the card again gives the new one.
    """

    def __init__(self, wanted: str) -> None:
        """Keep what is wanted. Raises ``SettingsError`` if the extra is missing."""
        check_sound_library()
        self._wanted = wanted

    def find(self) -> CardInfo:
        """Return the card that is meant now.

        Raises:
            SettingsError: There is none; the message names those at hand.
            SourceError: The system's sound does not answer.
        """
        return choose(self._wanted, installed_cards())

    def open(self) -> SystemCardReader:
        """Start to record; raises as ``find`` does."""
        program = _CardProgram()
        try:
            card = choose(self._wanted, program.cards())
            follows = self._wanted.strip().casefold() in (PLAYING, MICROPHONE)
            return SystemCardReader(program, card, follows=follows)
        except BaseException:
            program.close()
            raise


class SystemCardReader:
    """Reads blocks of 10 ms from a running recording.

    Attributes:
        name: Name of the card.
        loopback: True if it gives what a speaker plays.
        rate: Samples per second.
    """

    rate = RATE

    def __init__(self, program: _CardProgram, card: CardInfo, *, follows: bool) -> None:
        """Record a card through the program; with ``follows``, until another is the default."""
        self.name, self.loopback = card.name, card.loopback
        self._program = program
        self._channels = program.record(card, follows=follows)

    def read(self) -> NDArray[np.float32]:
        """Wait for the next block: float32 in [-1, 1], (BLOCK, channels).

        Raises:
            SourceError: The card is gone, is no longer the default, or has been closed.
        """
        data = self._program.read(BLOCK * self._channels * 4)
        return np.frombuffer(data, np.float32).reshape(BLOCK, self._channels)

    def close(self) -> None:
        """End the recording; safe to call twice, and while another thread reads."""
        self._program.close()


class _CardProgram:
    """One run of ``card_program``."""

    def __init__(self) -> None:
        try:
            self._process = subprocess.Popen(
                # -P: modules beside the program, or beside the user's films, are not the library's.
                [sys.executable, "-P", str(_PROGRAM), str(RATE), str(BLOCK)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if debugging() else subprocess.DEVNULL,
            )
        except OSError as error:
            raise SourceError(f"the program for sound cards cannot be started: {error}") from error

    def cards(self) -> tuple[CardInfo, ...]:
        """Wait for the list of the cards. Raises ``SourceError`` if there is none."""
        message = self._message()
        if "problem" in message:
            raise SourceError(message["problem"])
        return tuple(CardInfo(**card) for card in message["cards"])

    def record(self, card: CardInfo, *, follows: bool) -> int:
        """Start to record a card; return its number of channels."""
        request = {"id": card.id, "follows": card.follows if follows else None}
        assert self._process.stdin is not None
        with suppress(OSError):  # ended already: the answer is missing as well
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        return int(self._message()["channels"])

    def read(self, size: int) -> bytes:
        """Wait for ``size`` bytes."""
        assert self._process.stdout is not None
        try:
            data = self._process.stdout.read(size)
        except ValueError:  # closed by another thread
            data = b""
        if len(data) < size:
            raise SourceError("the sound card is gone, or no longer the default")
        return data

    def close(self) -> None:
        """End the program and close its pipes."""
        end_process(self._process)

    def _message(self) -> dict[str, Any]:
        """Wait for a line of JSON."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(_ANSWER_SECONDS, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line.endswith(b"\n"):
            raise SourceError("the sound card does not open: another program may hold it")
        message: dict[str, Any] = json.loads(line)
        return message
