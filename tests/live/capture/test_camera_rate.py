"""The period of a camera, whatever lies between its frames."""

from __future__ import annotations

import pytest

from stream_dream.live.capture.camera_rate import LOST_AFTER, CameraRate


def rate_of(*intervals: float) -> CameraRate:
    rate = CameraRate()
    for interval in intervals:
        rate.add(interval)
    return rate


def test_a_camera_without_two_frames_is_lost_after_a_while() -> None:
    rate = CameraRate()
    assert rate.period is None
    assert rate.missing_after == rate.lost_after == LOST_AFTER


@pytest.mark.parametrize("period", [0.02, 0.04, 1, 10])
def test_it_is_the_mean_between_frames(period: float) -> None:
    rate = rate_of(*[period, 1.1 * period, 0.9 * period] * 10)
    assert rate.period == pytest.approx(period, rel=0.1)
    assert rate.missing_after == pytest.approx(max(0.1, 3 * period), rel=0.1)
    assert rate.lost_after == pytest.approx(max(LOST_AFTER, 3 * period), rel=0.1)


@pytest.mark.parametrize(
    "intervals",
    [
        (0.04, 36000, 0.04, 60, 0.04),
        (3600, 0.04, 3600),
        (0.04, 3600, 60, 3600),
        (0.04, 60, 0.04, 60),
        (0.04, 0.04, 0.04, 1.5, 0.04),
    ],
)
def test_outages_are_no_period(intervals: tuple[float, ...]) -> None:
    assert rate_of(*intervals).period == pytest.approx(0.04)


@pytest.mark.parametrize("period", [0.5, 1, 5, 100])
def test_a_camera_that_becomes_slower_is_measured_anew(period: float) -> None:
    assert rate_of(*[0.04] * 100, *[period] * 6).period == pytest.approx(period)
    assert rate_of(*[period] * 6, *[0.04] * 50).period == pytest.approx(0.04)
