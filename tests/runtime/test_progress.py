"""The meter of progress: rate, remaining time, and totals that grow or are unknown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stream_dream.runtime import progress
from stream_dream.runtime.progress import Progress, ProgressMeter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the time."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def set_to(seconds: float) -> None:
        now[0] = seconds

    return set_to


def test_the_first_frame_does_not_count_for_the_rate(clock: Callable[[float], None]) -> None:
    told: list[Progress] = []
    meter = ProgressMeter(told.append)
    meter.begin(21)
    for done, seconds in ((1, 100.0), (11, 105.0), (21, 110.0)):
        clock(seconds)
        meter.advance(done)
    assert told == [Progress(1, 21), Progress(11, 21, 2.0, 5.0), Progress(21, 21, 2.0, 0.0)]


def test_a_total_may_grow_or_be_unknown(clock: Callable[[float], None]) -> None:
    told: list[Progress] = []
    meter = ProgressMeter(told.append)
    meter.advance(1)
    clock(1.0)
    meter.advance(2)
    meter.begin(4)
    meter.advance(2)
    assert [(made.total, made.seconds_left) for made in told] == [
        (None, None),
        (None, None),
        (4, 2.0),
    ]
