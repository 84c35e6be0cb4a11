"""The thread that traces looks: what is ready, and when it rests."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from typing import Any

import pytest
from waiting import wait_for

from stream_dream.frame import Shape
from stream_dream.live.engine import compiled_looks as module
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.settings.dream import DreamSettings

SHAPES = [(48, 64), (24, 32)]


class _Ascent:
    """Records what was traced; a test limits how much may be."""

    def __init__(self, settings: DreamSettings, varying: Collection[str]) -> None:
        self.prepared: set[tuple[Shape, int]] = set()
        self.allowed = threading.Semaphore(10**6)

    def is_ready(self, shape: Shape, octaves: int) -> bool:
        return (shape, octaves) in self.prepared

    def prepare(self, shape: Shape, octaves: int) -> None:
        self.allowed.acquire()
        self.prepared.add((shape, octaves))


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
    looks = CompiledLooks({name: DreamSettings(octaves=2) for name in ("one", "other")}, "one")
    looks._lock = _Condition()
    yield looks
    looks.close()


def test_a_look_is_ready_once_it_is_traced_at_all_sizes(looks: CompiledLooks) -> None:
    looks.begin(SHAPES)
    wait_for(lambda: looks.ready_now == ("one", "other"))
    held: Any = looks._ascents["one"]
    held.allowed = threading.Semaphore(1)
    looks.want([("one", 3)], SHAPES[0])
    wait_for(lambda: looks.ready("one", SHAPES[0], 3))
    wait_for(lambda: looks.ready_now == ("other",))
    held.allowed.release()
    wait_for(lambda: looks.ready_now == ("one", "other"))


def test_nothing_is_polled_while_nothing_is_to_be_traced(looks: CompiledLooks) -> None:
    condition: Any = looks._lock
    looks.begin(SHAPES)
    wait_for(lambda: looks.ready_now == ("one", "other") and condition.timeouts)
    looks.want([("other", 2)], SHAPES[0])  # nothing new to trace
    looks.want([("one", 3)], SHAPES[0])
    wait_for(lambda: all(looks.ready("one", shape, 3) for shape in SHAPES))
    assert set(condition.timeouts) == {None}
