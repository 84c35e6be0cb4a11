"""A log that a flood cannot fill."""

from __future__ import annotations

import logging

import pytest

from stream_dream.runtime.limited_log import LimitedLog


def test_a_flood_is_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    limited = LimitedLog(logging.getLogger("stream_dream"), "osc: messages", clock=lambda: now)
    for number in range(1000):
        limited.warn(f"line {number}")
    assert len(caplog.records) == 10
    now = 1.0
    limited.sum_up()
    limited.sum_up()
    assert [record.getMessage() for record in caplog.records[10:]] == [
        "osc: messages: 990 more were refused"
    ]
    limited.warn("again")
    assert caplog.records[-1].getMessage() == "again"


def test_a_log_for_months_has_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    limited = LimitedLog(
        logging.getLogger("stream_dream"), "page: requests", seconds=60.0, clock=lambda: now
    )
    for second in range(300):
        now = float(second)
        limited.warn("line")
    assert len(caplog.records) == 5 * 10 + 4
    assert caplog.messages.count("page: requests: 50 more were refused") == 4


def test_what_strangers_send_is_one_short_line(caplog: pytest.LogCaptureFixture) -> None:
    limited = LimitedLog(logging.getLogger("stream_dream"), "lines")
    limited.warn("a\nb\x1b[31m" + "x" * 1000)
    line = caplog.records[0].getMessage()
    assert line.startswith("a?b?[31mx")
    assert len(line) == 240
