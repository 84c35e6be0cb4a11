"""The log that a page shows."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from stream_dream.live.web.show_log import MOST_LINES, ShowLog

log = logging.getLogger("stream_dream.tests.show_log")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShowLog]:
    monkeypatch.setattr(log, "level", logging.INFO)
    kept = ShowLog(log)
    yield kept
    kept.close()


def test_lines_are_kept_with_their_time_and_weight(kept: ShowLog) -> None:
    log.info("camera: %s", "connected")
    log.warning("camera: lost")
    assert [(line.warns, line.text) for line in kept.lines] == [
        (False, "camera: connected"),
        (True, "camera: lost"),
    ]
    assert 0 < kept.lines[0].time <= kept.lines[1].time


def test_only_the_last_lines_are_kept(kept: ShowLog) -> None:
    for number in range(MOST_LINES + 5):
        log.info("%d", number)
    assert [line.text for line in kept.lines] == [str(5 + place) for place in range(MOST_LINES)]


def test_child_loggers_and_details_are_left_out(kept: ShowLog) -> None:
    log.getChild("figures").warning("25.0 fps")
    log.debug("a detail")
    assert kept.lines == ()


def test_nothing_is_kept_after_the_end(kept: ShowLog) -> None:
    kept.close()
    log.warning("too late")
    assert kept.lines == ()
    assert log.handlers == []
