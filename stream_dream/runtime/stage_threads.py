"""Threads and bounded queues between the stages of a stream.

A pipeline has two pieces around a stage: ``prefetched`` runs the stages before it in a thread,
``StageThread`` those after it. Both keep the order, hold back a stage that is too fast, pass
exceptions to the caller and always end their thread. Given the stage's ``SpareTime`` they wait for
it, unless the stage would soon wait for them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Generic, Self, TypeVar

import cv2

from stream_dream.runtime.cancel import LOOK_SECONDS, check_cancelled
from stream_dream.runtime.scheduling import SpareTime, step_back

T = TypeVar("T")

_WAIT_SECONDS = 0.1

_limiting = threading.Lock()
# OpenCV's threads before each present holder of the limit: only the first has found more than 1.
_before: list[int] = []


class _End:
    """Last item of a queue: the stream ended or failed."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def prefetched(
    items: Iterable[T],
    depth: int,
    spare: SpareTime | None = None,
    *,
    stop: Callable[[], None] = lambda: None,
) -> Generator[T]:
    """Yield the items, fetched by a thread that runs up to ``depth`` items ahead.

    An exception of the iterable is raised here, after the items before it. Closing the generator
    ends the thread, after its current item, which ``stop`` gives up. With ``spare``, the thread
    waits for spare time while at least half of ``depth`` items are queued.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: T | _End) -> None:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_WAIT_SECONDS)
            except queue.Full:
                continue
            return

    def fetch() -> None:
        step_back()
        error: BaseException | None = None
        try:
            for item in _in_spare_time(items, spare, lambda: waiting.qsize() >= depth / 2):
                put(item)
                if stopped.is_set():
                    break
        except BaseException as caught:
            error = caught
        put(_End(error))

    thread = threading.Thread(target=fetch, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := _next(waiting), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        stop()
        thread.join()


def _next(waiting: queue.Queue[T]) -> T:
    """Return the next item of a queue. Raises ``Cancelled``."""
    while True:
        check_cancelled()
        with suppress(queue.Empty):
            return waiting.get(timeout=LOOK_SECONDS)


def _in_spare_time(
    items: Iterable[T], spare: SpareTime | None, has_enough: Callable[[], bool]
) -> Iterator[T]:
    for item in items:
        yield item
        if spare is not None and has_enough():
            spare.wait()


class StageThread(Generic[T]):
    """Calls a function with each item, in order, in a thread of its own.

    Use it in a ``with`` block: leaving it waits until every item is done, even after an exception
    (frames dreamed before Ctrl-C are still written).
    """

    def __init__(
        self,
        function: Callable[[T], None],
        depth: int,
        spare: SpareTime | None = None,
        *,
        urgent: bool = False,
    ) -> None:
        """Start the thread, with a queue of ``depth`` items.

        With ``spare``, it waits for spare time while less than half of ``depth`` items are queued.
        Its priority is low unless it is ``urgent``.
        """
        self._function = function
        self._depth, self._spare, self._urgent = depth, spare, urgent
        self._waiting: queue.Queue[T | _End] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="behind", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Queue an item. Raises the function's exception on an earlier one, or ``Cancelled``."""
        while True:
            if self._error is not None:
                raise self._error
            check_cancelled()
            with suppress(queue.Full):
                return self._waiting.put(item, timeout=LOOK_SECONDS)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait for the queued items, end the thread and raise the function's exception.

        Ctrl-C meanwhile is raised afterwards: few items are left, and none is dropped.
        """
        interrupted: KeyboardInterrupt | None = None
        while self._thread.is_alive():
            try:
                self._waiting.put(_End())
                self._thread.join()
            except KeyboardInterrupt as caught:
                interrupted = caught
        if interrupted is not None and self._error is None:
            raise interrupted
        if self._error is not None and self._error is not error:
            raise self._error

    def _work(self) -> None:
        if not self._urgent:
            step_back()
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is not None:
                continue
            if self._spare is not None and self._waiting.qsize() < self._depth / 2:
                self._spare.wait()
            try:
                self._function(item)
            except BaseException as caught:
                self._error = caught


@contextmanager
def single_threads() -> Iterator[None]:
    """Limit OpenCV to one thread a call within a ``with`` block, in all threads.

    A thread for each stage is faster than stages that all use every core, and how OpenCV splits the
    optical flow among threads shows in the result. Several threads may hold the limit at a time.
    """
    with _limiting:
        _before.append(cv2.getNumThreads())
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _limiting:
            cv2.setNumThreads(_before.pop())
