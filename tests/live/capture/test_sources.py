"""Feeds: test picture, files, names of cameras."""

from __future__ import annotations

import time
from pathlib import Path

import clips
import numpy as np
import pytest

from stream_dream.errors import SourceError
from stream_dream.live.capture.feed import Ended
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
