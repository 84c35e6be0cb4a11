"""Pictures on their way to the dream: feeds, framing, and the bridge over a lost camera."""

from __future__ import annotations

import time
from pathlib import Path

import clips
import numpy as np
import pytest
import synthetic

from stream_dream.errors import SourceError
from stream_dream.live.capture.fallback_picture import FallbackPicture
from stream_dream.live.capture.feed import Ended
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.sources import TestFeed, feed_opener
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.live import LiveSettings
from stream_dream.settings.validation import validated


def settings(**values: object) -> LiveSettings:
    return validated(LiveSettings, values)


def test_the_test_picture_moves() -> None:
    feed = feed_opener(settings(source="test"))()
    assert isinstance(feed, TestFeed)
    first, second = feed.read(), feed.read()
    assert first.shape == (360, 640, 3)
    assert first.dtype == np.uint8
    assert np.any(first != second)


@pytest.mark.slow
def test_a_file_plays_at_its_own_rate_and_ends(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "in.mp4", seconds=0.4)
    opened = feed_opener(settings(source=str(path)))
    begun = time.monotonic()
    feed = opened()
    for _ in range(10):
        assert feed.read() is not None
    assert time.monotonic() - begun > 0.3
    with pytest.raises(Ended):
        feed.read()
    feed.close()


@pytest.mark.slow
def test_a_file_stays_at_its_first_frame_until_the_show_has_begun(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "in.mp4", seconds=0.2)
    begun: list[bool] = []
    feed = feed_opener(settings(source=str(path)), begun=lambda: bool(begun))()
    first = feed.read()
    assert all(feed.read() is first for _ in range(8))
    begun.append(True)
    shown = [first, *(feed.read() for _ in range(4))]
    with VideoSource(path) as source:
        assert np.array_equal(shown, [frame.image for frame in source])
    with pytest.raises(Ended):
        feed.read()
    feed.close()


def test_a_file_in_a_loop_goes_on(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "in.mp4", seconds=0.2)
    feed = feed_opener(settings(source=str(path), loop=True))()
    first = feed.read()
    for _ in range(5):
        again = feed.read()
    assert np.array_equal(first, again)
    feed.close()


def test_a_wrong_name_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        feed_opener(settings(source=str(tmp_path / "no.mp4")))


def test_a_camera_that_is_not_there_can_be_connected_later() -> None:
    connect = feed_opener(settings(source="93"))
    with pytest.raises(SourceError, match="camera 93 cannot be opened: see --list-cameras"):
        connect()


def test_framing_turns_crops_and_mirrors() -> None:
    image = synthetic.photo((80, 60))
    assert np.array_equal(Framing(settings())(image, mirror=False), image)
    assert np.array_equal(Framing(settings())(image, mirror=True), image[:, ::-1])
    turned = Framing(settings(rotate="90"))(image, mirror=False)
    assert np.array_equal(turned, np.rot90(image, -1))
    cropped = Framing(settings(crop="40x20+10+5"))(image, mirror=False)
    assert np.array_equal(cropped, image[5:25, 10:50])
    middle = Framing(settings(crop="40x20"))(image, mirror=False)
    assert np.array_equal(middle, image[20:40, 20:60])
    beyond = Framing(settings(crop="60x50+70+50"))(image, mirror=False)
    assert np.array_equal(beyond, image[10:, 20:])


def test_framing_keeps_the_size_of_the_first_picture() -> None:
    framing = Framing(settings())
    framing(synthetic.photo((80, 60)), mirror=False)
    assert framing(synthetic.photo((200, 100)), mirror=False).shape == (60, 80, 3)
    assert Framing(settings())(np.zeros((1500, 3000, 3), np.uint8), mirror=False).shape[1] == 1280
    assert Framing(settings())(np.zeros((1, 1, 3), np.uint8), mirror=False).shape == (16, 16, 3)
    stretched = Framing(settings(size="64x64"))(synthetic.photo((80, 60)), mirror=False)
    assert stretched.shape == (64, 64, 3)


def test_the_bridge_drifts_slowly_and_hands_over_softly() -> None:
    bridge, image = FallbackPicture(), synthetic.photo((160, 120))
    now = 0.0
    assert bridge.missing(now).shape == (360, 640, 3)  # before the first camera picture
    for _ in range(100):
        seen = bridge.fresh(image, now)
        now += 0.04
    assert np.array_equal(seen, image)

    def step(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one.astype(int) - other.astype(int)).mean())

    before, steps = image, []
    for _ in range(250):
        drifted = bridge.missing(now)
        steps.append(step(drifted, before))
        before, now = drifted, now + 0.04
    assert step(drifted, image) > 3  # alive
    assert max(steps) < 3  # and calm
    other, steps = np.ascontiguousarray(image[::-1]), []
    for _ in range(60):
        faded = bridge.fresh(other, now)
        steps.append(step(faded, before))
        before, now = faded, now + 0.04
    assert np.array_equal(faded, other)
    assert max(steps) < step(other, drifted) / 5


def test_the_bridge_takes_a_camera_of_another_size() -> None:
    bridge = FallbackPicture()
    bridge.fresh(synthetic.photo((160, 120)), 0)
    bridge.missing(1)
    assert bridge.fresh(synthetic.photo((60, 40)), 2).shape == (40, 60, 3)
