"""The screen as a source: its parts, its refusals, and a real one under Xvfb."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from displays import display

from stream_dream.errors import SourceError
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
