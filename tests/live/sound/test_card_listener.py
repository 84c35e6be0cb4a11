"""A sound card may fail in any way: the curves fall, and it is taken back."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import shows
from numpy.typing import NDArray
from waiting import wait_for

from stream_dream.automation.sound.features import HOP, RATE
from stream_dream.errors import SettingsError, SourceError
from stream_dream.live.sound import card_listener as module
from stream_dream.live.sound.card_choice import CardReader
from stream_dream.live.sound.card_listener import CURVES, Listener
from stream_dream.live.sound.sound_cards import SystemCard

pytestmark = pytest.mark.stops

Block = NDArray[np.float32]


class _Reader:
    """Gives ``blocks`` blocks of a loud tone, one as soon as the last was taken; then ``then``."""

    name, loopback, rate = "a card", True, RATE

    def __init__(
        self, blocks: int = 10**9, then: Callable[[], Block] | None = None, gain: float = 0.5
    ):
        self._left, self._then, self._gain = blocks, then, gain
        self.closed = threading.Event()

    def read(self) -> Block:
        time.sleep(0.001)
        if self.closed.is_set():
            raise SourceError("closed")
        if self._left <= 0:
            if self._then is None:
                raise SourceError("the card is gone")
            return self._then()
        self._left -= 1
        wave = np.sin(2 * np.pi * 1000 * np.arange(HOP) / RATE)  # whole periods
        return (self._gain * wave).astype(np.float32)[:, None]

    def close(self) -> None:
        self.closed.set()


class _Card:
    """Gives what a function gives for the number of times it was opened before."""

    def __init__(self, make: Callable[[int], CardReader]) -> None:
        self._make, self.opened = make, 0

    def open(self) -> CardReader:
        self.opened += 1
        return self._make(self.opened - 1)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> shows.Clock:
    """Return the listener's clock, which only tests advance."""
    clock = shows.Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.05)
    return clock


@contextmanager
def listening(make: Callable[[int], CardReader]) -> Iterator[tuple[Listener, _Card]]:
    card = _Card(make)
    listener = Listener(card)
    try:
        yield listener, card
    finally:
        listener.close()


def test_curves_follow_the_card() -> None:
    with listening(lambda number: _Reader()) as (listener, _):
        assert set(listener.curves()) == set(CURVES)
        wait_for(lambda: listener.curves()["mid"] > 0.9)
        assert listener.state == "ok"
        assert (listener.name, listener.problem, listener.tempo) == ("a card", None, None)
        assert listener.beats() is None


def test_silence_is_told_from_a_lost_card() -> None:
    with listening(lambda number: _Reader(gain=0)) as (listener, _):
        wait_for(lambda: listener.state != "waiting")
        assert listener.state == "silent"
        assert not any(listener.curves().values())


def test_curves_fall_when_no_sound_comes(clock: shows.Clock) -> None:
    hang = threading.Event()

    def hung() -> Block:
        hang.wait()
        raise SourceError("at last")

    with listening(lambda number: _Reader(300, hung)) as (listener, _):
        wait_for(lambda: listener.curves()["mid"] > 0.9)
        last = -1.0
        while last != (last := listener.curves()["level"]):
            time.sleep(0.3)  # all blocks have been heard
        clock.now += 0.09
        assert listener.curves()["level"] == last
        clock.now += 0.26
        assert listener.curves()["level"] == pytest.approx(last / np.e, rel=0.05)
        assert listener.state == "ok"
        clock.now += 0.7
        assert listener.state == "lost"
        assert not any(listener.curves().values())
        hang.set()


def test_a_card_that_ends_is_taken_back() -> None:
    with listening(lambda number: _Reader(5)) as (listener, card):
        wait_for(lambda: card.opened >= 4)
        assert listener.problem in ("the card is gone", None)


def test_a_card_that_refuses_is_tried_again() -> None:
    def make(number: int) -> CardReader:
        if number < 2:
            raise SourceError("not now")
        if number == 2:
            raise OSError("what a driver throws")
        return _Reader()

    with listening(make) as (listener, card):
        wait_for(lambda: listener.state == "ok")
        assert card.opened == 4
        assert listener.problem is None


def test_a_reason_is_kept_until_the_card_works() -> None:
    def make(number: int) -> CardReader:
        raise SourceError("not now")

    with listening(make) as (listener, card):
        wait_for(lambda: card.opened >= 2)
        assert (listener.state, listener.problem) == ("waiting", "not now")
        assert not any(listener.curves().values())


@pytest.mark.parametrize("where", ["open", "read"])
def test_a_card_that_hangs_is_abandoned(where: str, clock: shows.Clock) -> None:
    hang = threading.Event()
    readers: list[_Reader] = []

    def hung() -> Block:
        hang.wait()
        return np.ones((HOP, 1), np.float32)

    def make(number: int) -> CardReader:
        reader = _Reader(3, hung) if number == 0 else _Reader()
        readers.append(reader)
        if number == 0 and where == "open":
            hang.wait()
        return reader

    with listening(make) as (listener, card):

        def taken_back() -> bool:
            clock.now += 0.5 if card.opened < 2 else 0.0
            return card.opened == 2 and listener.state == "ok"

        wait_for(taken_back)
        hang.set()
        wait_for(readers[0].closed.is_set)  # also one that opens too late
        assert listener.state == "ok"
        assert card.opened == 2


def test_closing_ends_everything_even_a_card_that_hangs() -> None:
    hang = threading.Event()
    reader = _Reader()
    with listening(lambda number: reader) as (listener, card):
        wait_for(lambda: listener.state == "ok")
    assert reader.closed.is_set()
    listener.close()

    def make(number: int) -> CardReader:
        hang.wait()
        return reader

    with listening(make) as (_, card):
        wait_for(lambda: card.opened == 1)
    hang.set()
    assert card.opened == 1


def test_a_wrong_rate_is_a_problem() -> None:
    def make(number: int) -> CardReader:
        reader = _Reader()
        reader.rate = 8000
        return reader

    with listening(make) as (listener, _):
        wait_for(lambda: listener.problem)
        assert "8000 samples a second" in (listener.problem or "")


def test_a_missing_extra_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"^--listen needs the extra music: pip install"):
        SystemCard("playing")
