"""The screen as a source: its parts, its refusals, and a real one under Xvfb."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import shows
from displays import display

from stream_dream.errors import SourceError
from stream_dream.live.capture import pace
from stream_dream.live.capture import screen as screen_module
from stream_dream.live.capture.screen import ScreenFeed
from stream_dream.live.capture.sources import feed_opener
from stream_dream.settings.live import LiveSettings

pytest.importorskip("mss")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="X11")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with display("320x200") as name:
        monkeypatch.setenv("DISPLAY", name)
        yield


@linux_only
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("screen", (200, 320, 3)),
        ("screen:1", (200, 320, 3)),
        ("screen:100x50+20+10", (50, 100, 3)),
        ("screen:320x200+0+0", (200, 320, 3)),
    ],
)
@pytest.mark.usefixtures("screen")
def test_a_screen_or_a_part_of_it_is_read(source: str, shape: tuple[int, ...]) -> None:
    feed = feed_opener(LiveSettings(source=source))()
    try:
        for _ in range(3):
            image = feed.read()
            assert image is not None
            assert image.shape == shape
    finally:
        feed.close()


@linux_only
@pytest.mark.slow
@pytest.mark.usefixtures("screen")
def test_what_is_not_on_the_screen_is_refused() -> None:
    with pytest.raises(SourceError, match="not within the screen of 320x200"):
        feed_opener(LiveSettings(source="screen:300x100+100+0"))
    with pytest.raises(SourceError, match="there are 1 monitors"):
        feed_opener(LiveSettings(source="screen:2"))


class _Desktop:
    """A desktop of one monitor whose size is read once, as by the library."""

    size = (64, 48)

    def __init__(self) -> None:
        width, height = self.size
        self.monitors = [{"left": 0, "top": 0, "width": width, "height": height}] * 2

    def grab(self, area: dict[str, int]) -> np.ndarray[Any, Any]:
        return np.zeros((area["height"], area["width"], 4), np.uint8)

    def close(self) -> None: ...


@pytest.mark.parametrize(("source", "ends"), [("screen", True), ("screen:20x10+5+5", False)])
def test_another_size_of_the_monitor_ends_the_feed(
    monkeypatch: pytest.MonkeyPatch, source: str, ends: bool
) -> None:
    clock = shows.Clock()
    monkeypatch.setattr("mss.MSS", _Desktop)
    monkeypatch.setattr(screen_module, "time", clock)
    monkeypatch.setattr(pace.Pace, "wait", lambda self, interval: None)
    feed = ScreenFeed(source)
    assert feed.read() is not None
    clock.now += 10
    assert feed.read() is not None
    monkeypatch.setattr(_Desktop, "size", (128, 96))
    clock.now += 10
    assert (feed.read() is None) == ends
    image = ScreenFeed(source).read()  # as the camera connects again
    assert image is not None
    assert image.shape == ((96, 128, 3) if ends else (10, 20, 3))


def test_a_monitor_that_is_gone_ends_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = shows.Clock()
    monkeypatch.setattr("mss.MSS", _Desktop)
    monkeypatch.setattr(screen_module, "time", clock)
    monkeypatch.setattr(pace.Pace, "wait", lambda self, interval: None)
    feed = ScreenFeed("screen:64x48+0+0")
    monkeypatch.setattr(_Desktop, "size", (32, 32))
    clock.now += 10
    with pytest.raises(SourceError, match="not within the screen of 32x32"):
        feed.read()


@linux_only
def test_a_machine_without_a_screen_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(SourceError, match="start the show within a desktop") as caught:
        feed_opener(LiveSettings(source="screen"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["screen:", "screen:a", "screen:10x10", "screen:10x0+1"])
def test_a_part_must_be_given_in_full(source: str) -> None:
    with pytest.raises(SourceError, match=r"screen:WIDTHxHEIGHT\+X\+Y"):
        ScreenFeed(source)


@pytest.mark.parametrize("source", ["screen:0x10+0+0", "screen:0"])
@pytest.mark.slow
@linux_only
@pytest.mark.usefixtures("screen")
def test_nothing_is_no_part(source: str) -> None:
    with pytest.raises(SourceError, match="--source screen"):
        ScreenFeed(source)
