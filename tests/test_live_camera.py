"""A camera that fails in every way, and never ends the show."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.live import camera as module
from stream_dream.live.camera import Camera
from stream_dream.live.feeds import Ended, Feed


class _Steady:
    """Gives numbered pictures until it is told what else to do."""

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
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOST_AFTER", 0.2)
    monkeypatch.setattr(module, "_STUCK_AFTER", 0.3)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.02)
    monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.05)


def until(condition: Callable[[], bool], seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not condition():
        time.sleep(0.01)
    return condition()


def test_the_newest_picture_wins() -> None:
    camera = Camera(_Steady)
    try:
        first = camera.wait(0, 2)
        assert first is not None
        time.sleep(0.1)
        second = camera.wait(first.number, 2)
        assert second is not None
        assert second.number > first.number + 3
        assert camera.state == "ok"
        assert camera.wait(10**9, 0.01) is None
    finally:
        camera.close()


def test_it_connects_again_after_every_end() -> None:
    feeds: list[_Steady] = []

    def connect() -> Feed:
        feeds.append(_Steady(3))
        return feeds[-1]

    camera = Camera(connect)
    try:
        assert until(lambda: len(feeds) >= 4)
        assert camera.captured >= 9
        assert all(feed.closed for feed in feeds[:3])
    finally:
        camera.close()


def test_a_refused_connection_is_tried_again() -> None:
    tries = []

    def connect() -> Feed:
        tries.append(1)
        if len(tries) < 4:
            raise SourceError("not now")
        return _Steady()

    camera = Camera(connect)
    try:
        assert camera.state == "connecting"
        assert camera.wait(0, 5) is not None
        assert len(tries) == 4
    finally:
        camera.close()


def test_a_driver_that_hangs_is_left_to_itself() -> None:
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
        assert until(lambda: camera.state == "lost")
        assert until(lambda: camera.state == "ok")
        assert len(feeds) == 2
        before = camera.captured
        hang.set()  # the first one comes back to life, and is not wanted any more
        assert until(lambda: feeds[0].closed)
        assert until(lambda: camera.captured > before)
    finally:
        hang.set()
        camera.close()


@pytest.mark.real
def test_a_connection_that_goes_on_by_itself_is_kept() -> None:
    pause, tries = threading.Event(), []

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
        assert until(lambda: len(tries) > 2)
        pause.set()
        assert until(lambda: camera.state == "ok")
        time.sleep(0.2)
        before = len(tries)
        time.sleep(0.5)
        assert len(tries) == before
        assert camera.state == "ok"
    finally:
        pause.set()
        camera.close()


@pytest.mark.real
def test_hanging_connections_do_not_pile_up() -> None:
    hang = threading.Event()
    tries = []

    def connect() -> Feed:
        tries.append(1)
        hang.wait()
        raise SourceError("too late")

    camera = Camera(connect)
    try:
        time.sleep(3)
        assert 2 <= len(tries) <= 4
    finally:
        hang.set()
        camera.close()
    assert until(lambda: not [t for t in threading.enumerate() if t.name == "capture"])


def test_a_file_that_is_over_is_over() -> None:
    def over() -> Image8 | None:
        raise Ended

    camera = Camera(lambda: _Steady(3, over))
    try:
        assert camera.ended.wait(5)
        assert camera.captured == 3
    finally:
        camera.close()


def test_whatever_a_driver_throws_the_show_goes_on() -> None:
    tries = []

    def connect() -> Feed:
        tries.append(1)

        def fail() -> Image8 | None:
            raise RuntimeError("deep within")

        return _Steady(1, fail) if len(tries) == 1 else _Steady()

    camera = Camera(connect)
    try:
        assert until(lambda: len(tries) == 2 and camera.captured > 5)
    finally:
        camera.close()


def test_nothing_is_left_after_closing() -> None:
    camera = Camera(_Steady)
    assert camera.wait(0, 2) is not None
    camera.close()
    camera.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"camera", "capture"}
