"""When the frames of a show are due, with simulated cameras."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from stream_dream.live.engine.frame_pacer import FramePacer

PERIOD = 0.04


def played(
    camera_fps: float,
    seconds: float,
    *,
    phase: float = 0.0,
    ascent: float = 0.0,
    work: float = 0.002,
    late: Callable[[int], float] = lambda number: 0.0,
    stops: float = math.inf,
) -> list[tuple[float, float]]:
    """Simulate a show at 25 frames a second; return when frames were shown and their pictures came.

    Every third frame waits for the end of an ascent and starts another. Picture ``number`` comes
    ``late(number)`` seconds late, and none after ``stops``.
    """
    now, pacer, number, shown = 0.0, FramePacer(0.0), 0, []
    begun = -ascent

    def came(number: int) -> float:
        at = number / camera_fps + phase + late(number)
        return at if at < stops else math.inf

    while now < seconds:
        now = max(now, pacer.due)
        if len(shown) % 3 == 0:
            now = max(now, begun + ascent)
            begun = now + work
        # Wait for the next one, if none is there; the first one is waited for however late.
        latest = pacer.latest if number else math.inf
        now = max(now, min(latest, came(number + 1)))
        while came(number + 1) <= now + 1e-9:
            number += 1
        now += work
        missing = now - came(number) > 3 / camera_fps
        source = None if missing else 1 / camera_fps
        pacer.shown(now, PERIOD, number, work=work, share=(ascent + work) / 3, source=source)
        shown.append((now, came(number)))
    return shown


def test_a_camera_of_the_same_rate_sets_the_beat() -> None:
    for phase in np.linspace(0, PERIOD, 7):
        shown = played(25, 20, phase=float(phase))
        ages = [at - came for at, came in shown]
        assert max(ages[-100:]) < 0.005
        assert len(shown) <= 25 * 20 + 2


def test_a_faster_camera_does_not_raise_the_rate() -> None:
    for fps in (30, 50, 60, 250):
        assert abs(len(played(fps, 20)) - 500) <= 5


def test_a_slightly_slower_camera_is_waited_for() -> None:
    shown = played(24, 10)
    assert abs(len(shown) - 240) <= 1
    assert max(at - came for at, came in shown[5:]) < 0.005


@pytest.mark.parametrize("fps", [20, 10, 5, 1])
def test_the_rate_does_not_depend_on_a_slower_camera(fps: float) -> None:
    times = [at for at, _ in played(fps, 10)]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert max(gaps) < 1.5 * PERIOD
    assert sum(gaps) / len(gaps) == pytest.approx(PERIOD, rel=0.02)
    pictures = {came for _, came in played(fps, 10)}
    assert len(pictures) >= 10 * fps - 1


@pytest.mark.parametrize("fps", [24, 25, 60, 5])
def test_a_camera_that_stops_costs_no_frame(fps: float) -> None:
    shown = played(fps, 10, stops=5.0)
    after = [at for at, _ in shown if at >= 5.0]
    gaps = [after - before for before, after in itertools.pairwise(after)]
    assert max(gaps) < 1.6 * PERIOD
    assert len(after) >= 0.97 * 5 / PERIOD


def test_a_frame_that_is_a_little_late_is_waited_for() -> None:
    shown = played(25, 20, late=lambda number: 0.015 * (number % 2))
    pictures = [came for _, came in shown]
    assert len(set(pictures)) == len(pictures)  # none is repeated
    assert len(pictures) >= 499  # nor skipped


def test_a_show_is_in_step_again_soon_after_a_frame_that_was_very_late() -> None:
    shown = played(25, 20, late=lambda number: 0.035 * (number == 200))
    pictures = [came for _, came in shown]
    assert len(pictures) - len(set(pictures)) == 1
    assert max(at - came for at, came in shown[210:]) < 0.03
    assert max(at - came for at, came in shown[-100:]) < 0.005


def test_a_rate_limited_by_work_is_even() -> None:
    for ascent, work in ((0.15, 0.002), (0.3, 0.01), (0.6, 0.03)):
        times = [at for at, _ in played(250, 20, ascent=ascent, work=work)]
        gaps = [after - before for before, after in itertools.pairwise(times)][30:]
        assert min(gaps) > 0.95 * (ascent + work) / 3
        assert max(gaps) < 1.05 * (ascent + work) / 3 + 0.004


def test_lateness_is_caught_up_by_one_frame_only() -> None:
    pacer = FramePacer(0.0)
    pacer.shown(0.0, PERIOD, 1, work=0, share=0, source=PERIOD)
    pacer.shown(5.0, PERIOD, 2, work=0, share=0, source=PERIOD)  # five seconds late
    assert pacer.due == 5.0 - PERIOD
    pacer.shown(5.0, PERIOD, 3, work=0, share=0, source=PERIOD)
    assert pacer.due == 5.0


def test_the_expected_time_is_when_the_frame_is_due() -> None:
    pacer = FramePacer(1.0)
    assert pacer.expected(1.0, PERIOD) == 1.0 + PERIOD
    pacer.shown(1.01, PERIOD, 1, work=0, share=0, source=PERIOD)
    assert pacer.due == 1.0 + PERIOD


def test_no_frame_is_due_before_the_end_of_a_pause() -> None:
    pacer = FramePacer(0.0)
    pacer.pause(7.0)
    assert pacer.due == 7.0
