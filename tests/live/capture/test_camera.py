"""A camera may fail in any way without ending the show."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import shows
from waiting import SECONDS, wait_for

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.live.capture import camera as module
from stream_dream.live.capture.camera import Camera
from stream_dream.live.capture.camera_rate import LOST_AFTER
from stream_dream.live.capture.feed import Ended, Feed, Origin

pytestmark = pytest.mark.stops


class _Steady:
    """Gives ``pictures`` numbered pictures, then calls ``then``."""

    def __init__(self, pictures: int = 10**9, then: Callable[[], Image8 | None] = lambda: None):
        self.left, self.then, self.closed = pictures, then, False

    def read(self) -> Image8 | None:
        if self.left <= 0:
            return self.then()
        self.left -= 1
        time.sleep(0.005)
        return np.full((4, 4, 3), self.left % 256, np.uint8)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> shows.Clock:
    """Return the camera's clock, which only tests advance."""
    clock = shows.Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.05)
    return clock


def let_pass(clock: shows.Clock, reached: Callable[[], bool]) -> None:
    """Advance the clock, second by second, until the condition holds."""

    def look() -> bool:
        if reached():
            return True
        clock.now += 1
        return False

    wait_for(look)


def test_the_newest_picture_wins() -> None:
    camera = Camera(_Steady)
    try:
        first = camera.wait(0, SECONDS)
        assert first is not None
        wait_for(lambda: camera.captured > first.index + 3)
        second = camera.wait(first.index, SECONDS)
        assert second is not None
        assert second.index > first.index + 3
        assert camera.state == "ok"
        assert camera.wait(10**9, 0.01) is None
    finally:
        camera.close()


def test_a_camera_reconnects_whenever_it_ends() -> None:
    feeds: list[_Steady] = []

    def connect() -> Feed:
        feeds.append(_Steady(3))
        return feeds[-1]

    camera = Camera(connect)
    try:
        wait_for(lambda: len(feeds) >= 4)
        assert camera.captured >= 9
        assert all(feed.closed for feed in feeds[:3])
    finally:
        camera.close()


def test_a_refused_connection_is_tried_again() -> None:
    tries, seen = [], threading.Event()

    def connect() -> Feed:
        tries.append(1)
        if len(tries) < 4:
            raise SourceError("not now")
        assert seen.wait(SECONDS)
        return _Steady()

    camera = Camera(connect)
    try:
        assert camera.state == "connecting"
        seen.set()
        assert camera.wait(0, SECONDS) is not None
        assert len(tries) == 4
    finally:
        camera.close()


def test_a_hanging_driver_is_abandoned(clock: shows.Clock) -> None:
    hang = threading.Event()
    feeds: list[_Steady] = []

    def connect() -> Feed:
        def never() -> Image8 | None:
            hang.wait()
            return None

        feeds.append(_Steady(3, never) if not feeds else _Steady())
        return feeds[-1]

    camera = Camera(connect)
    try:
        wait_for(lambda: camera.captured == 3)
        assert camera.state == "ok"
        let_pass(clock, lambda: len(feeds) == 2)
        wait_for(lambda: camera.captured > 3)
        assert camera.state == "ok"
        before = camera.captured
        hang.set()  # the first one continues, but is no longer used
        wait_for(lambda: feeds[0].closed)
        wait_for(lambda: camera.captured > before)
        assert len(feeds) == 2
    finally:
        hang.set()
        camera.close()


def test_a_still_camera_is_lost_before_it_is_reconnected(clock: shows.Clock) -> None:
    hang, tries = threading.Event(), []

    def connect() -> Feed:
        tries.append(1)
        return _Steady(3, lambda: (hang.wait(SECONDS), None)[1])

    camera = Camera(connect)
    try:
        wait_for(lambda: camera.captured == 3)
        clock.now += LOST_AFTER
        assert camera.state == "lost"
        assert len(tries) == 1
    finally:
        hang.set()
        camera.close()


def test_a_connection_that_goes_on_by_itself_is_kept(
    clock: shows.Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause, tries, watched = threading.Event(), [], []
    watch_over = Camera._watch_over

    def watch(self: Camera, connection: Any) -> bool:
        watched.append(connection)
        return watch_over(self, connection)

    monkeypatch.setattr(Camera, "_watch_over", watch)

    class _Pausing(_Steady):
        def read(self) -> Image8 | None:
            if self.captured == 10:
                pause.wait()
            self.captured += 1
            return super().read()

        captured = 0

    def connect() -> Feed:
        tries.append(1)
        if len(tries) == 1:
            return _Pausing()
        raise SourceError("one connection at a time")

    camera = Camera(connect)
    try:
        wait_for(lambda: camera.captured == 10)
        let_pass(clock, lambda: len(tries) > 2)
        assert camera.state == "lost"
        pause.set()
        wait_for(lambda: watched[-1] is watched[0])
        before = len(tries)
        wait_for(lambda: camera.captured > 30)
        assert len(tries) == before
        assert camera.state == "ok"
    finally:
        pause.set()
        camera.close()


class _Timed:
    """Gives a picture whenever a test says so."""

    def __init__(self) -> None:
        self.given: queue.Queue[Image8 | None] = queue.Queue()

    def read(self) -> Image8 | None:
        return self.given.get()

    def close(self) -> None: ...


@pytest.fixture
def timed(clock: shows.Clock) -> Iterator[tuple[Camera, Callable[..., None]]]:
    """Return a camera, and a function that lets time pass and gives it a picture of a level."""
    feed = _Timed()
    camera = Camera(lambda: feed)

    def give(seconds: float, level: int = 200) -> None:
        clock.now += seconds
        before = camera.captured
        feed.given.put(np.full((64, 64, 3), level, np.uint8))
        wait_for(lambda: camera.captured > before)

    yield camera, give
    feed.given.put(None)
    camera.close()


@pytest.mark.parametrize(
    ("period", "missing", "lost"), [(0.04, 0.12, 2), (0.02, 0.1, 2), (1, 3, 3)]
)
def test_a_camera_is_missing_after_three_of_its_periods(
    timed: tuple[Camera, Callable[..., None]],
    clock: shows.Clock,
    period: float,
    missing: float,
    lost: float,
) -> None:
    camera, give = timed
    assert camera.is_missing
    for _ in range(10):
        give(period)
        assert not camera.is_missing
    assert camera.period == pytest.approx(period)
    clock.now += 0.99 * missing
    assert not camera.is_missing
    assert camera.state == "ok"
    clock.now += 0.02 * missing
    assert camera.is_missing
    clock.now += max(0.0, 0.98 * lost - 1.01 * missing)
    assert camera.state == ("ok" if lost > missing else "lost")
    clock.now += 0.03 * lost
    assert camera.state == "lost"
    give(10)  # the pause is no period of it
    assert camera.period == pytest.approx(period)


def test_a_camera_that_becomes_slower_is_measured_anew(
    timed: tuple[Camera, Callable[..., None]],
) -> None:
    camera, give = timed
    for _ in range(100):
        give(0.04)
    for _ in range(6):
        give(1)
    assert camera.period == pytest.approx(1)


def test_two_outages_close_together_are_no_period(
    timed: tuple[Camera, Callable[..., None]], clock: shows.Clock
) -> None:
    camera, give = timed
    give(0.04)
    for pause in (0.04, 36000, 0.04, 60, 0.04):
        give(pause)
    clock.now += LOST_AFTER
    assert camera.is_missing
    assert camera.state == "lost"


def test_black_pictures_are_dark_after_ten_seconds(
    timed: tuple[Camera, Callable[..., None]], clock: shows.Clock
) -> None:
    camera, give = timed
    give(0.5)
    for _ in range(19):
        give(0.5, level=10)
        assert camera.state == "ok"
    give(0.5, level=10)
    assert camera.state == "dark"
    give(0.5)
    assert camera.state == "ok"
    give(30, level=10)  # while it is lost it is not dark
    assert camera.state == "ok"


def test_another_feed_takes_over_until_it_ends(clock: shows.Clock) -> None:
    feed, guest = _Timed(), _Timed()
    tries: list[int] = []

    def connect() -> Feed:
        tries.append(1)
        return feed

    def level() -> int:
        newest = camera.wait(0, 0)
        return 0 if newest is None else int(newest.image[0, 0, 0])

    def origin() -> Origin:
        newest = camera.wait(0, SECONDS)
        assert newest is not None
        return newest.origin

    def give(to: _Timed, level: int) -> None:
        to.given.put(np.full((4, 4, 3), level, np.uint8))
        wait_for(to.given.empty)

    camera = Camera(connect)
    try:
        give(feed, 1)
        wait_for(lambda: level() == 1)
        camera.take_over(guest)
        give(guest, 2)
        wait_for(lambda: level() == 2)
        assert origin() is Origin.GUEST
        for _ in range(20):  # for longer than a source without a picture is waited for
            clock.now += 1
            give(feed, 3)
        give(guest, 4)
        wait_for(lambda: level() == 4)
        assert camera.captured == 3
        assert len(tries) == 1
        guest.given.put(None)
        wait_for(lambda: camera._guest is not None and not camera._guest.is_alive())
        give(feed, 5)
        wait_for(lambda: level() == 5)
        assert origin() is Origin.SOURCE
        assert len(tries) == 1
    finally:
        for each in (feed, guest):
            each.given.put(None)
        camera.close()


@pytest.mark.slow
def test_hanging_connections_do_not_pile_up(clock: shows.Clock) -> None:
    hang = threading.Event()
    tries = []

    def connect() -> Feed:
        tries.append(1)
        hang.wait()
        raise SourceError("too late")

    camera = Camera(connect)
    try:
        let_pass(clock, lambda: len(tries) == 4)
        looks = iter(range(60))
        let_pass(clock, lambda: next(looks, None) is None)
        assert len(tries) == 4
    finally:
        hang.set()
        camera.close()
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "capture"])


def test_a_finished_file_is_not_reopened() -> None:
    def over() -> Image8 | None:
        raise Ended

    camera = Camera(lambda: _Steady(3, over))
    try:
        assert camera.ended.wait(SECONDS)
        assert camera.captured == 3
    finally:
        camera.close()


def test_any_error_of_a_driver_leads_to_a_reconnect() -> None:
    tries = []

    def connect() -> Feed:
        tries.append(1)

        def fail() -> Image8 | None:
            raise RuntimeError("deep within")

        return _Steady(1, fail) if len(tries) == 1 else _Steady()

    camera = Camera(connect)
    try:
        wait_for(lambda: camera.captured > 5)
        assert len(tries) == 2
    finally:
        camera.close()


def test_nothing_is_left_after_closing() -> None:
    before = {*threading.enumerate()}
    camera = Camera(_Steady)
    assert camera.wait(0, SECONDS) is not None
    camera.close()
    camera.close()
    assert not {*threading.enumerate()} - before
