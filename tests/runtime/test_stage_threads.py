"""Threads and queues: order, exceptions, shutdown."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import cv2
import pytest
from waiting import SECONDS, wait_for

from stream_dream.runtime import scheduling
from stream_dream.runtime.scheduling import SpareTime
from stream_dream.runtime.stage_threads import StageThread, prefetched, single_threads

pytestmark = pytest.mark.stops


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"ahead", "behind"}


def test_order_is_kept() -> None:
    done: list[int] = []
    with closing(prefetched(range(100), 3)) as items, StageThread(done.append, 3) as behind:
        for item in items:
            behind.put(item)
    assert done == list(range(100))
    assert not threads()


def test_an_error_ahead_comes_after_the_items_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("three")

    seen: list[int] = []
    with pytest.raises(KeyError, match="three"):
        seen.extend(prefetched(broken(), 2))
    assert seen == [1, 2]
    assert not threads()


def test_an_error_behind_reaches_the_caller() -> None:
    def refuse(item: int) -> None:
        raise OSError(f"item {item}")

    def run() -> None:
        with StageThread(refuse, 1) as behind:
            for item in range(10):
                behind.put(item)

    with pytest.raises(OSError, match="item 0"):
        run()
    assert not threads()


def test_leaving_early_ends_the_threads_and_finishes_what_was_put() -> None:
    done: list[int] = []

    def run() -> None:
        with closing(prefetched(range(10**9), 2)) as items, StageThread(done.append, 4) as behind:
            for item in items:
                behind.put(item)
                if item == 20:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == list(range(21))
    assert not threads()


def test_ctrl_c_while_finishing_loses_nothing() -> None:
    done: list[int] = []
    all_put = threading.Event()

    def interrupt(item: int) -> None:
        assert all_put.wait(SECONDS)
        done.append(item)
        if item == 1:
            signal.raise_signal(signal.SIGINT)

    def run() -> None:
        with StageThread(interrupt, 5) as behind:
            for item in range(5):
                behind.put(item)
            all_put.set()

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == list(range(5))
    assert not threads()


def test_prefetching_waits_for_spare_time_once_its_queue_is_half_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduling, "_LONGEST_WAIT", 60.0)
    fetched: list[int] = []
    spare = SpareTime()
    spare.end()

    def numbers() -> Iterator[int]:
        for number in range(20):
            fetched.append(number)
            yield number

    with closing(prefetched(numbers(), 4, spare)) as items:
        assert next(items) == 0
        # Two wait, or three if the first was taken late; a full queue would be four.
        settle(fetched)
        assert len(fetched) <= 4
        spare.begin()
        assert list(items) == list(range(1, 20))
    assert not threads()


def test_a_stage_behind_waits_for_spare_time_until_its_queue_is_half_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scheduling, "_LONGEST_WAIT", 60.0)
    done: list[int] = []
    spare = SpareTime()
    spare.end()
    with StageThread(done.append, 4, spare) as behind:
        behind.put(0)
        settle(done)
        assert done == []
        spare.begin()
        wait_for(lambda: done == [0])
        spare.end()
        behind.put(1)
        spare.begin()
    assert done == [0, 1]


def test_the_wait_for_spare_time_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_LONGEST_WAIT", 0.01)
    done: list[int] = []
    spare = SpareTime()
    spare.end()
    with (
        closing(prefetched(range(20), 4, spare)) as items,
        StageThread(done.append, 4, spare) as behind,
    ):
        for item in items:
            behind.put(item)
    assert done == list(range(20))


def settle(items: list[int]) -> None:
    """Wait until nothing has been added for a while."""
    count = -1
    while count != len(items):
        count = len(items)
        time.sleep(0.1)


def test_the_limit_of_one_thread_lasts_until_its_last_holder_leaves() -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        first, second = single_threads(), single_threads()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert cv2.getNumThreads() == 1
        second.__exit__(None, None, None)
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
@pytest.mark.parametrize("urgent", [False, True])
def test_only_urgent_threads_keep_their_priority(urgent: bool) -> None:
    own, seen = os.getpriority(os.PRIO_PROCESS, 0), []
    with StageThread(
        lambda _: seen.append(os.getpriority(os.PRIO_PROCESS, 0)), 1, urgent=urgent
    ) as one:
        one.put(0)
    assert (seen == [own]) == urgent
    assert seen[0] >= own
