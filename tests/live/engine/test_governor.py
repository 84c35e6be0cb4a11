"""The choice of dream sizes, on simulated machines."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from stream_dream.dream.ascent import TRACES_KEPT
from stream_dream.live.engine.governor import Governor, ladder
from stream_dream.settings.live import MOST_OCTAVES

SIZES = ladder(480)


def play(
    governor: Governor, seconds: float, cost: Callable[[float, int], float], fps: float = 25
) -> list[tuple[float, int, float]]:
    """Simulate a machine whose frames take ``cost(time, size)``; return (time, size, passed)."""
    now, played = 0.0, []
    while now < seconds:
        busy = cost(now, governor.size)
        passed = max(busy, 1 / fps)
        now += passed
        played.append((now, governor.size, passed))
        governor.observe(busy * fps, passed)
    return played


def machine(ms_at_480: float) -> Callable[[float, int], float]:
    return lambda now, size: ms_at_480 / 1e3 * (size / 480) ** 2


def test_the_ladder_goes_down_in_even_steps() -> None:
    assert SIZES[0] == 480
    assert list(SIZES) == sorted(SIZES, reverse=True)
    assert all(1.1 < above / below < 1.4 for above, below in itertools.pairwise(SIZES))
    assert ladder(100) == (100,)


def test_a_fast_machine_reaches_the_top() -> None:
    assert play(Governor(SIZES), 60, machine(20))[-1][1] == 480


def test_a_slow_machine_holds_the_rate_within_three_seconds() -> None:
    played = play(Governor(SIZES), 30, machine(100))
    late = [passed for now, _, passed in played if now > 3]
    assert len(late) > 100
    assert max(late) < 1.15 / 25


def test_the_size_follows_a_load_and_its_end() -> None:
    def cost(now: float, size: int) -> float:
        return machine(80 if 20 < now < 40 else 35)(now, size)

    played = play(Governor(SIZES), 100, cost)
    settled = [passed for now, _, passed in played if 23 < now < 40]
    assert max(settled) < 1.15 / 25
    assert played[-1][1] == 480


def test_no_pumping_where_the_larger_size_is_just_too_slow() -> None:
    # Too slow at 480; at 384 there seems to be room for 480, as costs do not follow area.
    def cost(now: float, size: int) -> float:
        return 0.045 if size == 480 else 0.022

    sizes = [size for _, size, _ in play(Governor(SIZES), 300, cost)]
    changes = sum(one != other for one, other in itertools.pairwise(sizes))
    assert changes < 20
    assert sizes.count(480) / len(sizes) < 0.1


def test_a_size_that_cannot_be_dreamed_is_not_chosen() -> None:
    governor = Governor(SIZES)
    size = governor.size
    for _ in range(1000):
        governor.observe(0.125, 0.04, can=lambda size: False)
    assert governor.size == size
    for _ in range(1000):
        governor.observe(0.125, 0.04)
    assert governor.size == SIZES[0]


@pytest.mark.parametrize("largest", [160, 480, 640, 2048, 16384])
def test_an_ascent_keeps_the_traces_of_all_sizes_and_octaves(largest: int) -> None:
    # Else the thread that traces them would never be done.
    assert len(ladder(largest)) * MOST_OCTAVES <= TRACES_KEPT
