"""The thread that traces looks: what is ready, and when it rests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from typing import Any, ClassVar

import pytest
import tensorflow as tf
from waiting import wait_for

from stream_dream.dream.ascent import TRACES_KEPT, Ascent
from stream_dream.frame import Shape
from stream_dream.live.engine import compiled_looks as module
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.governor import ladder
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import MOST_OCTAVES

MANY = [(2 * side, 3 * side) for side in (8, 7, 9, 6, 10)]
SHAPES = [(48, 64), (24, 32)]


class _Ascent:
    """Records what was traced; a test limits how much may be."""

    order: ClassVar[list[tuple[Any, Shape]]] = []

    def __init__(self, settings: DreamSettings, varying: Collection[str]) -> None:
        self.prepared: set[tuple[Shape, int]] = set()
        self.allowed = threading.Semaphore(10**6)

    def is_ready(self, shape: Shape, octaves: int) -> bool:
        return (shape, octaves) in self.prepared

    def prepare(self, shape: Shape, octaves: int) -> None:
        self.allowed.acquire()
        self.prepared.add((shape, octaves))
        self.order.append((self, shape))


class _Condition(threading.Condition):
    """A condition that records the timeouts of its waits."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.timeouts.append(timeout)
        return super().wait(timeout)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[CompiledLooks]:
    monkeypatch.setattr(module, "_ascent", _Ascent)
    _Ascent.order.clear()
    looks = CompiledLooks({name: DreamSettings(octaves=2) for name in ("one", "other")}, "one")
    looks._lock = _Condition()
    yield looks
    looks.close()


def test_looks_can_be_changed_to_before_all_sizes_are_traced(looks: CompiledLooks) -> None:
    looks.begin(MANY)
    wait_for(lambda: looks.ready_now == ("one", "other"))
    wait_for(lambda: len(_Ascent.order) == 2 * len(MANY))
    made = {ascent: look for look, ascent in looks._ascents.items()}
    order = [(made[ascent], shape) for ascent, shape in _Ascent.order]
    assert order[:2] == [("one", shape) for shape in MANY[:2]]
    assert order[2] == ("other", MANY[0])
    assert order[3:6] == [("one", shape) for shape in MANY[2:]]


def test_the_next_smaller_size_comes_first_wherever_the_governor_is(looks: CompiledLooks) -> None:
    looks._shapes = list(MANY)
    held: Any = looks._ascents["one"]
    for in_use, smaller in ((MANY[1], MANY[3]), (MANY[4], MANY[2])):
        looks.want([("one", 2)], in_use)
        held.prepared = {(in_use, 2)}
        assert looks._next() == ("one", smaller, 2)
        held.prepared.add((smaller, 2))
        assert looks._next() == ("other", in_use, 2)


def test_a_look_is_ready_while_it_is_traced_at_the_size_in_use(looks: CompiledLooks) -> None:
    looks.begin(MANY)
    wait_for(lambda: looks.ready_now == ("one", "other"))
    held: Any = looks._ascents["one"]
    held.allowed = threading.Semaphore(0)
    looks.want([("one", 3)], MANY[4])
    wait_for(lambda: looks.ready_now == ("other",))
    held.allowed.release()
    wait_for(lambda: looks.ready("one", MANY[4], 3))  # before the other sizes
    assert not looks.complete
    held.allowed.release(10)
    wait_for(lambda: looks.complete)
    assert looks.ready_now == ("one", "other")


def test_the_ascent_nearest_to_a_size_is_one_that_is_traced(looks: CompiledLooks) -> None:
    assert looks.ready_near("one", 30) is None
    looks.begin(MANY)
    wait_for(lambda: looks.ready_now == ("one", "other"))
    assert looks.ready_near("one", 29) == (MANY[4], looks._ascents["one"])
    _Ascent.order[:] = []
    held: Any = looks._ascents["other"]
    held.prepared.discard((MANY[4], 2))
    near = looks.ready_near("other", 30)
    assert near is not None
    assert near[0] == MANY[2]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["rotate", "all"])
def test_tracing_ends_though_an_ascent_drops_its_oldest_traces(
    tiny: Callable[..., DreamSettings], schedule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def traced(ascent: Ascent, *_: object) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
        ascent.traces += 1
        return lambda **given: (tf.zeros_like(given["sources"]), tf.zeros(1))

    monkeypatch.setattr(Ascent, "_trace", traced)
    sizes = ladder(1024)
    wide = [(size * 9 // 16, size) for size in sizes]
    looks = CompiledLooks({"one": tiny(octaves=MOST_OCTAVES, schedule=schedule)}, "one")
    with closing(looks):
        looks.begin(wide)
        for shapes in (wide, [shape[::-1] for shape in wide], wide):
            looks.reshape(shapes)
            wait_for(lambda: looks.complete)
        for octaves in range(1, MOST_OCTAVES + 1):
            looks.want([("one", octaves), ("one", MOST_OCTAVES + 1 - octaves)], wide[octaves])
            wait_for(lambda: looks.complete)
        traces = looks.traces
        assert traces > TRACES_KEPT
        looks.want([("one", 1), ("one", MOST_OCTAVES)], wide[0])
        wait_for(lambda: looks.complete)
        assert looks.traces == traces  # those of every number of octaves are kept


def test_nothing_is_polled_while_nothing_is_to_be_traced(looks: CompiledLooks) -> None:
    condition: Any = looks._lock
    looks.begin(SHAPES)
    wait_for(lambda: looks.ready_now == ("one", "other") and condition.timeouts)
    looks.want([("other", 2)], SHAPES[0])  # nothing new to trace
    looks.want([("one", 3)], SHAPES[0])
    wait_for(lambda: all(looks.ready("one", shape, 3) for shape in SHAPES))
    assert set(condition.timeouts) == {None}
