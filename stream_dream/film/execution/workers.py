"""Who dreams the chunks: this process, or several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any, Protocol

from stream_dream.errors import Interrupted, first_line
from stream_dream.film.execution.chunk_task import ChunkDreamer, ChunkTask
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.frame import FrameReport


class Workers(Protocol):
    """Takes chunks and dreams them, as many at a time as it has places.

    Attributes:
        places: How many chunks it dreams side by side; may grow.
        threads: How many threads TensorFlow may use for one of them; None for its usual ones.
    """

    places: int
    threads: int | None

    def submit(self, task: ChunkTask, place: int) -> Future[ChunkRecord]:
        """Start a chunk at a free place, numbered from 0."""

    def dreamed(self, place: int) -> int:
        """Return how many frames of its chunk are done at a place."""

    def lost(self, error: BaseException) -> bool:
        """Return whether an error means that no worker is of use any more."""
        return False

    def renew(self) -> None:
        """Replace the workers, none of which is at work."""
        return

    def close(self, *, wait: bool) -> None:
        """End the workers, waiting for what they are at or not."""


class OwnProcess(Workers):
    """This process: one chunk at a time, or several whose frames are dreamed in one call."""

    def __init__(self, batch: int = 1) -> None:
        """Start with nobody at work."""
        self.places = batch
        self.threads: int | None = None
        self._dreamer = ChunkDreamer(batch)
        self._frames = [0] * batch
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(batch, "chunk")

    def submit(self, task: ChunkTask, place: int) -> Future[ChunkRecord]:
        """Start a chunk."""
        self._frames[place] = 0

        def count(report: FrameReport) -> None:
            if self._stopped.is_set():
                raise Interrupted("the work was ended")
            self._frames[place] = report.index - task.chunk.first + 1

        return self._pool.submit(self._dreamer.dream, task, count)

    def dreamed(self, place: int) -> int:
        """Return how many frames of its chunk are done at a place."""
        return self._frames[place]

    def close(self, *, wait: bool) -> None:
        """End the threads; those that are not waited for end with the frame that they are at."""
        if not wait:
            self._stopped.set()
        self._pool.shutdown(wait=wait, cancel_futures=True)
        if wait:
            self._dreamer.close()


class WorkerProcesses(Workers):
    """Several processes of this machine, each with its share of the cores.

    On Linux each keeps to cores of its own, with all that it starts: two workers of one thread are
    then 2.1 times as fast as one instead of 1.9 (measured).
    """

    def __init__(self, count: int, *, threads: int | None = None) -> None:
        """Start none yet: each starts with its first chunk.

        Args:
            count: The number of processes.
            threads: How many cores each gets; None for its share, or all if it is alone.
        """
        self.places = count
        if threads is None and count > 1:
            threads = max(1, (os.cpu_count() or 1) // count)
        self.threads = threads
        self._workers: dict[int, Worker] = {}
        self._pool = ThreadPoolExecutor(count, "worker")

    def submit(self, task: ChunkTask, place: int) -> Future[ChunkRecord]:
        """Start a chunk; a worker that has ended is replaced."""
        worker = self._workers.get(place)
        if worker is None or worker.has_ended:
            worker = self._workers[place] = Worker(place, self.threads)
        worker.count = 0
        return self._pool.submit(worker.do, _dream, task)

    def dreamed(self, place: int) -> int:
        """Return how many frames of its chunk are done at a place."""
        return self._workers[place].count

    def close(self, *, wait: bool) -> None:
        """End the processes; what they have done is on the disk."""
        for worker in self._workers.values():
            worker.end(wait=wait)
        self._pool.shutdown(wait=wait, cancel_futures=True)


class WorkerEnded(Exception):
    """A process that ended before its work was done.

    Attributes:
        killed: True if it was ended from outside, as far as is known.
        how: What has become of it.
    """

    def __init__(self, exit_code: int | None) -> None:
        """Store with which code it ended; None where that is not known."""
        self.killed = exit_code is None or exit_code < 0
        self.how = (
            "was ended from outside, perhaps for lack of memory"
            if self.killed
            else "could not be started"
        )
        super().__init__(f"its worker {self.how}")


class Worker:
    """A process of this machine that does what comes through its pipe, one thing after the other.

    It ends with this process, however this one ends, and leaves Ctrl-C and its relatives to it.

    Attributes:
        count: The last number that its work has reported.
    """

    def __init__(self, number: int = 0, threads: int | None = None) -> None:
        """Start it.

        Args:
            number: Its number among those that share the cores, from 0.
            threads: How many cores it keeps to; None for all.
        """
        context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
        self.count = 0
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, number, threads), daemon=True)
        with _signals_blocked():
            self._process.start()
        end.close()

    @property
    def has_ended(self) -> bool:
        """True if there is no such process any more."""
        return bool(connection.wait([self._process.sentinel], 0))

    def do(self, function: Callable[..., Any], argument: object) -> Any:
        """Do something in the process, and wait for what it returns.

        Args:
            function: Called with the argument, and with what takes ``count``.
            argument: What it is called with.

        Raises:
            WorkerEnded: The process has ended.
            Exception: What the function has raised.
        """
        try:
            self._pipe.send((function, argument))
            while isinstance(answer := self._pipe.recv(), int):
                self.count = answer
        except (EOFError, OSError):
            self._process.join()
            raise WorkerEnded(self._process.exitcode) from None
        result, error = answer
        if error is not None:
            raise error
        return result

    def end(self, *, wait: bool) -> None:
        """End it whatever it is at, even where it was stopped, and wait until it is gone or not."""
        self._process.kill()
        if wait:
            self._process.join()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Start processes that never hear what a terminal sends to all of them, such as Ctrl-C."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, number: int, threads: int | None) -> None:
    """Do in a process of its own what its parent asks for, until that closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Windows cannot block it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if threads is not None:
        _keep_to_cores(number, threads)
    with suppress(EOFError, OSError):
        while True:
            function, argument = pipe.recv()
            result = problem = None
            try:
                result = function(argument, pipe.send)
            except Exception as error:
                problem = _portable(error)
            pipe.send((result, problem))


def _portable(error: Exception) -> Exception:
    """Return an error that another process can read, and where it was raised."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(first_line(error))
    return error


def _end_with_parent() -> None:
    """End this process when its parent has ended: nobody would take what it makes."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _keep_to_cores(number: int, count: int) -> None:
    """Keep this process, and all that it starts, to so many cores that no other worker has."""
    if not hasattr(os, "sched_setaffinity"):
        return
    own = sorted(os.sched_getaffinity(0))[number * count : (number + 1) * count]
    if len(own) == count:  # else there are more workers than cores
        os.sched_setaffinity(0, own)


@cache
def _dreamer() -> ChunkDreamer:
    """Return what dreams in this worker process."""
    return ChunkDreamer()


def _dream(task: ChunkTask, count: Callable[[int], None]) -> ChunkRecord:
    """Dream a chunk in a worker process."""
    return _dreamer().dream(task, lambda report: count(report.index - task.chunk.first + 1))
