"""Who dreams the chunks: this process, or several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, MutableSequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any, Protocol

from stream_dream.errors import Interrupted
from stream_dream.film.chunk import Studio, Task
from stream_dream.film.records import Record
from stream_dream.frame import FrameReport


class Crew(Protocol):
    """Takes chunks and dreams them, as many at a time as it has places.

    Attributes:
        places: How many chunks it dreams side by side; may grow.
        threads: How many threads TensorFlow may use for one of them; None for its usual ones.
    """

    places: int
    threads: int | None

    def submit(self, task: Task, place: int) -> Future[Record]:
        """Start a chunk at a free place, numbered from 0."""

    def dreamed(self, place: int) -> int:
        """Return how many frames of its chunk are done at a place."""

    def lost(self, error: BaseException) -> bool:
        """Return whether an error means that no worker is of use any more."""

    def renew(self) -> None:
        """Replace the workers, none of which is at work."""

    def close(self, *, wait: bool) -> None:
        """End the workers, waiting for what they are at or not."""


class Single:
    """This process: one chunk at a time, or several whose frames are dreamed in one call."""

    def __init__(self, side_by_side: int = 1) -> None:
        """Start with nobody at work."""
        self.places = side_by_side
        self.threads: int | None = None
        self._studio = Studio(side_by_side)
        self._frames = [0] * side_by_side
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(side_by_side, "chunk")

    def submit(self, task: Task, place: int) -> Future[Record]:
        """Start a chunk."""
        self._frames[place] = 0

        def count(report: FrameReport) -> None:
            if self._stopped.is_set():
                raise Interrupted("the work was ended")
            self._frames[place] = report.index - task.chunk.first + 1

        return self._pool.submit(self._studio.dream, task, count)

    def dreamed(self, place: int) -> int:
        """Return how many frames of its chunk are done at a place."""
        return self._frames[place]

    def lost(self, error: BaseException) -> bool:
        """Return False: no worker vanishes here."""
        return False

    def renew(self) -> None:
        """Do nothing."""

    def close(self, *, wait: bool) -> None:
        """End the threads; those that are not waited for end with the frame that they are at."""
        if not wait:
            self._stopped.set()
        self._pool.shutdown(wait=wait, cancel_futures=True)
        if wait:
            self._studio.close()


class Processes:
    """Several processes of this machine, each with its share of the cores.

    On Linux each keeps to cores of its own, with all that it starts: two workers of one thread are
    then 2.1 times as fast as one instead of 1.9 (measured).
    """

    def __init__(self, count: int, *, threads: int | None = None) -> None:
        """Start so many.

        They need not be told to stop: they end with this process, however it ends, and leave
        Ctrl-C and its relatives to it.

        Args:
            count: The number of processes.
            threads: How many cores each gets; None for its share, or all if it is alone.
        """
        self.places = count
        if threads is None and count > 1:
            threads = max(1, (os.cpu_count() or 1) // count)
        self.threads = threads
        self._counts = RawArray("q", count)
        self._pids = RawArray("q", count)
        self._pool = self._start()

    def submit(self, task: Task, place: int) -> Future[Record]:
        """Start a chunk."""
        self._counts[place] = self._pids[place] = 0
        outcome = Future[Record]()

        def pass_on(done: Future[Record]) -> None:
            if done.cancelled():  # nobody waits for it any more
                outcome.cancel()
                return
            error = done.exception()
            if isinstance(error, BrokenProcessPool):
                error = WorkerEnded(its_own=self._pids[place] not in self._alive())
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(done.result())

        try:
            with uninterrupted():
                self._pool.submit(_dream, task, place).add_done_callback(pass_on)
            self._watch_all()
        except BrokenProcessPool:
            outcome.set_exception(WorkerEnded(its_own=False))
        return outcome

    def dreamed(self, place: int) -> int:
        """Return how many frames of its chunk are done at a place."""
        return int(self._counts[place])

    def lost(self, error: BaseException) -> bool:
        """Return whether a process was killed: the others are of no use then, either."""
        return isinstance(error, WorkerEnded)

    def renew(self) -> None:
        """Replace the processes."""
        self.close(wait=True)
        self._pool = self._start()

    def close(self, *, wait: bool) -> None:
        """End the processes; what they have done is on the disk."""
        # A pool that is broken would wait for those who do not hear SIGTERM for ever.
        for process in self._processes():
            process.kill()
        self._pool.shutdown(wait=wait, cancel_futures=True)

    def _processes(self) -> list[BaseProcess]:
        return list((self._pool._processes or {}).values())

    def _alive(self) -> set[int | None]:
        """Return the ids of those that live, as the pool sees it."""
        processes = self._processes()
        ended = connection.wait([process.sentinel for process in processes], 0)
        return {process.pid for process in processes if process.sentinel not in ended}

    def _watch_all(self) -> None:
        """Make the pool watch the process that it has just started: Python 3.11 forgets it."""
        # Not a part of what a pool promises.
        with suppress(AttributeError), self._pool._shutdown_lock:
            self._pool._executor_manager_thread_wakeup.wakeup()

    def _start(self) -> ProcessPoolExecutor:
        context = spawning()
        return ProcessPoolExecutor(
            self.places,
            context,
            initializer=_begin,
            initargs=(self._counts, self._pids, context.Value("q", 0), self.threads),
        )


class WorkerEnded(Exception):
    """A chunk whose worker was killed, or had to end because another one was.

    Attributes:
        its_own: True if it was the chunk's own worker that was killed.
    """

    def __init__(self, *, its_own: bool) -> None:
        """Store whose worker was ended."""
        which = "its worker" if its_own else "a worker beside it"
        super().__init__(f"{which} was ended from outside, perhaps for lack of memory")
        self.its_own = its_own


_studio: Studio | None = None
_counts: MutableSequence[int] = []
_pids: MutableSequence[int] = []


def spawning() -> SpawnContext:
    """Return what starts processes anew: TensorFlow does not survive a fork."""
    # When we are made to stop at once, Python complains of semaphores that nobody returned.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    return multiprocessing.get_context("spawn")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Start processes that hear no signals before ``begin_process``, which they need a while for.

    A terminal sends Ctrl-C to all of them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _left_to_parent())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _left_to_parent() -> set[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has not all of them
    return {getattr(signal, name) for name in names if hasattr(signal, name)}


def begin_process() -> None:
    """Leave signals to the parent, and end with it, however it ends."""
    for number in _left_to_parent():
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _left_to_parent())
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _begin(counts: Any, pids: Any, begun: Any, threads: int | None) -> None:
    """Prepare a worker process."""
    global _studio, _counts, _pids
    begin_process()
    with begun.get_lock():
        number = begun.value
        begun.value += 1
    if threads is not None:
        _keep_to_cores(number, threads)
    _studio, _counts, _pids = Studio(), counts, pids


def _keep_to_cores(number: int, count: int) -> None:
    """Keep this process, and all that it starts, to so many cores that no other worker has."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    own = cores[number * count : (number + 1) * count]
    if len(own) == count:  # else there are more workers than cores
        os.sched_setaffinity(0, own)


def _end_with_parent() -> None:
    """End this process when its parent has ended: nobody would take what it makes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _dream(task: Task, place: int) -> Record:
    """Dream a chunk in a worker process."""
    assert _studio is not None
    _pids[place] = os.getpid()

    def count(report: FrameReport) -> None:
        _counts[place] = report.index - task.chunk.first + 1

    return _studio.dream(task, count)
