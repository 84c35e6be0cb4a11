"""When the frames of a show are due, with simulated cameras."""

from __future__ import annotations

import itertools
import math

import numpy as np

from stream_dream.live.engine.frame_pacer import FramePacer

PERIOD = 0.04


def played(
    camera_fps: float,
    seconds: float,
    *,
    phase: float = 0.0,
    ascent: float = 0.0,
    work: float = 0.002,
) -> list[tuple[float, float]]:
    """Simulate a show at 25 frames a second; return when frames were shown and their pictures came.

    Every third frame waits for the end of an ascent and starts another.
    """
    now, pacer, number, shown = 0.0, FramePacer(0.0), 0, []
    begun = -ascent
    while now < seconds:
        now = max(now, pacer.due)
        if len(shown) % 3 == 0:
            now = max(now, begun + ascent)
            begun = now + work
        newest = math.floor((now - phase) * camera_fps + 1e-9)
        if newest <= number:  # wait for the next one
            newest = number + 1
            now = max(now, newest / camera_fps + phase)
        number = newest
        came = number / camera_fps + phase
        now += work
        pacer.shown(now, PERIOD, number, work=work, share=(ascent + work) / 3)
        shown.append((now, came))
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


def test_a_slower_camera_is_waited_for() -> None:
    shown = played(20, 10)
    assert abs(len(shown) - 200) <= 1
    assert max(at - came for at, came in shown[5:]) < 0.005


def test_a_rate_limited_by_work_is_even() -> None:
    for ascent, work in ((0.15, 0.002), (0.3, 0.01), (0.6, 0.03)):
        times = [at for at, _ in played(250, 20, ascent=ascent, work=work)]
        gaps = [after - before for before, after in itertools.pairwise(times)][30:]
        assert min(gaps) > 0.95 * (ascent + work) / 3
        assert max(gaps) < 1.05 * (ascent + work) / 3 + 0.004


def test_lateness_is_caught_up_by_one_frame_only() -> None:
    pacer = FramePacer(0.0)
    pacer.shown(0.0, PERIOD, 1, work=0, share=0)
    pacer.shown(5.0, PERIOD, 2, work=0, share=0)  # five seconds late
    assert pacer.due == 5.0 - PERIOD
    pacer.shown(5.0, PERIOD, 3, work=0, share=0)
    assert pacer.due == 5.0


def test_a_repeated_picture_is_not_caught_up() -> None:
    pacer = FramePacer(0.0)
    pacer.shown(0.0, PERIOD, 1, work=0, share=0)
    pacer.shown(5.0, PERIOD, 1, work=0, share=0)
    assert pacer.due == 5.0


def test_the_expected_time_is_when_the_frame_is_due() -> None:
    pacer = FramePacer(1.0)
    assert pacer.expected(1.0, PERIOD) == 1.0 + PERIOD
    pacer.shown(1.01, PERIOD, 1, work=0, share=0)
    assert pacer.due == 1.0 + PERIOD


def test_no_frame_is_due_before_the_end_of_a_pause() -> None:
    pacer = FramePacer(0.0)
    pacer.pause(7.0)
    assert pacer.due == 7.0
