"""Threads and queues: order, exceptions, shutdown."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from stream_dream.pipeline import Behind, ahead


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"ahead", "behind"}


def test_order_is_kept() -> None:
    done: list[int] = []
    with closing(ahead(range(100), 3)) as items, Behind(done.append, 3) as behind:
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
        seen.extend(ahead(broken(), 2))
    assert seen == [1, 2]
    assert not threads()


def test_an_error_behind_reaches_the_caller() -> None:
    def refuse(item: int) -> None:
        raise OSError(f"item {item}")

    def run() -> None:
        with Behind(refuse, 1) as behind:
            for item in range(10):
                behind.put(item)

    with pytest.raises(OSError, match="item 0"):
        run()
    assert not threads()


def test_leaving_early_ends_the_threads_and_finishes_what_was_put() -> None:
    done: list[int] = []

    def run() -> None:
        with closing(ahead(range(10**9), 2)) as items, Behind(done.append, 4) as behind:
            for item in items:
                behind.put(item)
                if item == 20:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == list(range(21))
    assert not threads()


def test_ctrl_c_while_waiting_for_the_rest_gives_nothing_up() -> None:
    done: list[int] = []

    def slowly(item: int) -> None:
        time.sleep(0.05)
        done.append(item)
        if item == 1:
            signal.raise_signal(signal.SIGINT)

    def run() -> None:
        with Behind(slowly, 5) as behind:
            for item in range(5):
                behind.put(item)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert done == list(range(5))
    assert not threads()
