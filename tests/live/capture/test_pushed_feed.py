"""Pictures that a page pushes take the place of the camera's, while they come."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from waiting import SECONDS, wait_for

from stream_dream.errors import SourceError
from stream_dream.live.capture import pushed_feed as module
from stream_dream.live.capture.camera import Camera
from stream_dream.live.capture.feed import Feed
from stream_dream.live.capture.pushed_feed import PushedFeed, nobody_sends
from stream_dream.live.capture.sources import feed_opener
from stream_dream.settings.live import LiveSettings

pytestmark = pytest.mark.stops


def jpeg(level: int, size: tuple[int, int] = (64, 48)) -> bytes:
    ok, coded = cv2.imencode(".jpg", np.full((size[1], size[0], 3), level, np.uint8))
    assert ok
    return coded.tobytes()


@pytest.fixture
def camera() -> Iterator[tuple[Camera, PushedFeed]]:
    """Return the camera of ``--source phone``, and what a page pushes to."""
    camera, pushed = Camera(feed_opener(LiveSettings(source="phone"))), PushedFeed()
    pushed.begin = camera.take_over
    yield camera, pushed
    camera.close()


def test_pushed_pictures_are_the_camera(camera: tuple[Camera, PushedFeed]) -> None:
    taking, pushed = camera
    assert taking.state == "connecting"
    for level in (50, 200):
        pushed.push(jpeg(level))
        wait_for(lambda level=level: shown(taking) == level)
    assert taking.state == "ok"


def shown(camera: Camera) -> int:
    newest = camera.wait(0, 0)
    return -1 if newest is None else int(newest.image[0, 0, 0])


def test_a_page_may_begin_again(
    camera: tuple[Camera, PushedFeed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ENDS_AFTER", 0.05)
    taking, pushed = camera
    pushed.push(jpeg(50))
    wait_for(lambda: shown(taking) == 50)
    wait_for(lambda: not pushed._is_read)
    pushed.push(jpeg(90))
    wait_for(lambda: shown(taking) == 90)


def test_a_page_that_leaves_ends_it_at_once(
    camera: tuple[Camera, PushedFeed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ENDS_AFTER", SECONDS)
    taking, pushed = camera
    for level in (50, 90):
        pushed.push(jpeg(level))
        wait_for(lambda level=level: shown(taking) == level)
        pushed.push(b"")
        wait_for(lambda: not pushed._is_read)


def test_one_that_follows_at_once_goes_on() -> None:
    pushed = PushedFeed()
    pushed.begin = lambda feed: None
    for sent in (jpeg(10), b"", jpeg(20)):
        pushed.push(sent)
    image = pushed.read()
    assert image is not None
    assert image[0, 0, 0] == 20


def test_the_newest_picture_wins() -> None:
    pushed, begun = PushedFeed(), []
    pushed.begin = begun.append
    for level in (10, 20, 30):
        pushed.push(jpeg(level))
    assert begun == [pushed]
    image = pushed.read()
    assert image is not None
    assert image.shape == (48, 64, 3)
    assert image[0, 0, 0] == 30


def test_red_stays_red() -> None:
    pushed = PushedFeed()
    pushed.begin = lambda feed: None
    ok, coded = cv2.imencode(".jpg", np.full((16, 16, 3), (0, 0, 255), np.uint8))
    assert ok
    pushed.push(coded.tobytes())
    image = pushed.read()
    assert image is not None
    assert image[0, 0, 0] > 200 > 50 > image[0, 0, 2]


def test_a_show_may_end_while_a_picture_comes() -> None:
    pushed, begun = PushedFeed(), []

    class _Ending(threading.Condition):
        def __exit__(self, *error: Any) -> None:
            super().__exit__(*error)
            pushed.begin = None  # by the thread of the show, right then

    pushed.begin = begun.append
    pushed._changed = _Ending()
    pushed.push(jpeg(10))
    assert begun == [pushed]


def test_pictures_before_the_show_are_dropped() -> None:
    pushed, begun = PushedFeed(), []
    pushed.push(jpeg(10))
    pushed.begin = begun.append
    pushed.push(jpeg(20))
    assert begun == [pushed]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GIF89a" + bytes(100), "no picture"),
        (jpeg(5)[:20], "no picture"),
        (jpeg(5) + bytes(4 * 2**20), "too large"),
        (jpeg(5, (4100, 8)), "4100x8 is too large"),
    ],
)
def test_other_things_are_refused_before_they_are_decoded(
    sent: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "imdecode", None)
    pushed = PushedFeed()
    pushed.begin = lambda feed: None
    with pytest.raises(SourceError, match=reason):
        pushed.push(sent)


def test_a_damaged_picture_is_left_out() -> None:
    whole, pushed = jpeg(80), PushedFeed()
    pushed.begin = lambda feed: None
    images: list[object] = []
    thread = threading.Thread(target=lambda: images.append(pushed.read()))
    thread.start()
    # A header alone: the scan is missing.
    pushed.push(whole[: whole.index(b"\xff\xda")])
    wait_for(lambda: pushed._newest is None)
    pushed.push(whole)
    thread.join()
    assert len(images) == 1
    assert images[0] is not None


def test_it_ends_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENDS_AFTER", 0.01)
    assert PushedFeed().read() is None


def test_a_show_may_wait_for_a_page() -> None:
    connect: Callable[[], Feed] = feed_opener(LiveSettings(source="phone"))
    assert connect is nobody_sends
    with pytest.raises(SourceError, match="open the page on a phone"):
        connect()
