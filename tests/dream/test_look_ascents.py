"""Ascents of several looks: prepared ahead, kept as long as there is room, built again."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from waiting import wait_for

from stream_dream.dream import look_ascents
from stream_dream.dream.ascent import Ascent
from stream_dream.dream.look_ascents import LOOKS_KEPT, LookAscents
from stream_dream.errors import NetworkError
from stream_dream.frame import ImageF
from stream_dream.settings.dream import DreamSettings

Make = Callable[..., DreamSettings]
SHAPE = (16, 24)


class Builds:
    """Stands in for the class of ascents and records those that are built."""

    def __init__(self) -> None:
        """Create a record without builds."""
        self.made: list[tuple[int, weakref.ref[Ascent]]] = []
        self.gate: threading.Event | None = None
        self.waiting = threading.Event()

    def __call__(self, settings: DreamSettings, varying: Any, **rest: Any) -> Ascent:
        """Build an ascent, once the gate is open; the look's seed is its number."""
        if self.gate is not None and threading.current_thread().name == "looks":
            self.waiting.set()
            self.gate.wait()
        ascent = Ascent(settings, varying, **rest)
        self.made.append((settings.seed, weakref.ref(ascent)))
        return ascent

    @property
    def numbers(self) -> list[int]:
        """The looks that were built."""
        return [number for number, _ in self.made]

    @property
    def alive(self) -> list[int]:
        """The looks whose ascents are still there."""
        gc.collect()
        return [number for number, ascent in self.made if ascent() is not None]

    @property
    def traces(self) -> list[int]:
        """How many times those that are still there were traced."""
        return [ascent.traces for _, made in self.made if (ascent := made()) is not None]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Builds:
    made = Builds()
    monkeypatch.setattr(look_ascents, "Ascent", made)
    return made


@pytest.fixture
def made(tiny: Make, builds: Builds) -> Iterator[Callable[[int], LookAscents]]:
    """Return a function that creates the ascents of so many looks, closed at the end."""
    ascents: list[LookAscents] = []

    def make(count: int) -> LookAscents:
        looks = [tiny(octaves=1, seed=number, layer=["conv1"]) for number in range(count)]
        ascents.append(LookAscents(looks))
        return ascents[-1]

    yield make
    if builds.gate is not None:
        builds.gate.set()
    for each in ascents:
        each.close()


def preparing() -> bool:
    """Return whether the thread that prepares looks is at work."""
    return any(thread.name == "looks" for thread in threading.enumerate())


def dream(ascents: LookAscents, look: int, octaves: int = 1) -> ImageF:
    source = np.random.default_rng(0).random((*SHAPE, 3), np.float32)
    settings = ascents._looks[look].model_copy(update={"octaves": octaves})
    found = ascents.dreams[look](
        source,
        np.zeros_like(source),
        index=0,
        rng=np.random.default_rng(0),
        settings=settings,
    )
    return found.residual


@pytest.mark.slow
def test_a_look_is_built_when_it_is_needed_and_only_once(
    made: Callable[[int], LookAscents], builds: Builds
) -> None:
    ascents = made(3)
    assert not builds.numbers
    first = dream(ascents, 1)
    assert (dream(ascents, 1) == first).all()
    assert builds.numbers == [1]
    assert builds.traces == [1]


@pytest.mark.slow
def test_what_is_prepared_is_dreamed_without_a_trace(
    made: Callable[[int], LookAscents], builds: Builds
) -> None:
    ascents = made(2)
    ascents.prepare([(0, 1), (1, 1), (1, 2)], SHAPE)
    assert (builds.numbers, builds.traces) == ([0, 1], [1, 2])
    for look, octaves in ((0, 1), (1, 1), (1, 2)):
        dream(ascents, look, octaves)
    assert builds.traces == [1, 2]


@pytest.mark.slow
def test_those_used_last_are_kept_and_others_built_again_alike(
    made: Callable[[int], LookAscents], builds: Builds
) -> None:
    count = LOOKS_KEPT + 2
    ascents = made(count)
    first = dream(ascents, 0)
    for look in range(count):
        dream(ascents, look)
    assert builds.alive == list(range(2, count))
    assert (dream(ascents, 0) == first).all()
    assert builds.numbers.count(0) == 2


@pytest.mark.slow
def test_looks_that_come_are_kept_rather_than_those_that_went(
    made: Callable[[int], LookAscents], builds: Builds
) -> None:
    ascents = made(LOOKS_KEPT + 1)
    for look in range(LOOKS_KEPT):
        dream(ascents, look)
    # The oldest comes next, and then one that has to be built.
    ascents.prepare_later([(LOOKS_KEPT - 1, 1), (0, 1), (LOOKS_KEPT, 1)], SHAPE)
    ascents.close()
    assert set(builds.alive) == set(range(LOOKS_KEPT + 1)) - {1}
    assert len(builds.numbers) == LOOKS_KEPT + 1


@pytest.mark.slow
def test_preparing_later_stops_nobody_and_the_dream_waits_for_its_own_look_alone(
    made: Callable[[int], LookAscents], builds: Builds
) -> None:
    ascents = made(3)
    dream(ascents, 0)
    builds.gate = threading.Event()
    ascents.prepare_later([(0, 1), (1, 1), (2, 1)], SHAPE)
    builds.waiting.wait()
    ascents.prepare_later([(2, 1)], SHAPE)  # one thread is enough
    dream(ascents, 0)
    dreamed: list[ImageF] = []
    waiting = threading.Thread(target=lambda: dreamed.append(dream(ascents, 1)))
    waiting.start()
    assert not dreamed
    builds.gate.set()
    waiting.join()
    wait_for(lambda: not preparing())
    assert (builds.numbers, builds.traces) == ([0, 1, 2], [1, 1, 1])
    assert len(dreamed) == 1


@pytest.mark.slow
def test_closing_does_not_wait_for_all_that_was_to_come(
    made: Callable[[int], LookAscents], builds: Builds
) -> None:
    ascents = made(5)
    builds.gate = threading.Event()
    ascents.prepare_later([(look, 1) for look in range(5)], SHAPE)
    builds.waiting.wait()
    closing = threading.Thread(target=ascents.close)
    closing.start()
    ascents._closing.wait()
    builds.gate.set()
    closing.join()
    assert builds.numbers == [0]
    assert not preparing()


def test_a_look_that_cannot_be_built_is_heard_when_it_is_dreamed(tiny: Make) -> None:
    ascents = LookAscents([tiny(layer=["nosuch"])])
    ascents.prepare_later([(0, 1)], SHAPE)
    ascents.close()
    with pytest.raises(NetworkError, match="nosuch"):
        dream(ascents, 0)
