"""Workers on a Ray cluster."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ray.exceptions import RayError, RayTaskError

from stream_dream.errors import SourceError
from stream_dream.film.cluster.connection import BROKEN, Cluster, ClusterLost
from stream_dream.film.cluster.error_lines import explained
from stream_dream.film.cluster.shares import WorkerHandle, choose, share_out
from stream_dream.film.cluster.shipping import Shipped, files_of, sizes, unpack
from stream_dream.film.cluster.worker import RayWorker
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.job.chunk_record import ChunkFiles, ChunkRecord
from stream_dream.film.job.job_file import versions
from stream_dream.settings.film import FilmSettings

# Interval of checks for new chunks and for the end of the work.
_WAIT_SECONDS = 0.1
_LEAVE_SECONDS = 5.0
_LOOK_SECONDS = 10.0
# An idle worker is stopped after this time, to make room for others.
_IDLE_SECONDS = 30.0
# A machine may have to be started first; a longer wait is reported.
_QUIET_SECONDS = 60.0


@dataclass(eq=False, slots=True)
class _Assignment:
    """A chunk that waits since the monotonic time ``since``, or that ``worker`` is dreaming."""

    task: ChunkTask
    future: Future[ChunkRecord]
    since: float
    worker: WorkerHandle | None = None


class RayWorkers:
    """Workers on a Ray cluster.

    They are actors: a Ray task has a process to itself, while a batch dreams chunks of several
    shots in one process. The scheduler retries failed chunks and reports them; Ray would do so
    silently, and on the same machine.

    Attributes:
        slots: Number of slots; grows with the cluster.
        threads: Number of TensorFlow threads per chunk; None for the default.
    """

    def __init__(
        self,
        cluster: Cluster,
        film: FilmSettings,
        shots: int,
        on_note: Callable[[str], None],
    ) -> None:
        """Choose the slots for this number of parallel shots; workers start with their chunks.

        ``close`` closes the connection, too. ``on_note`` is called with one-line messages, from the
        thread that calls the methods.
        """
        self._cluster, self._ray = cluster, cluster.ray
        self._grows = film.wanted_workers is None
        self._shots, self._ships, self._film = shots, film.ship, uuid.uuid4().hex
        self._share = share_out(cluster.nodes(), shots, film.wanted_workers)
        self._batch = min(film.batch_on(self._share.gpus), shots)
        self._most = self._share.workers
        self.slots = min(self._most * self._batch, shots)
        # A single local worker gets all cores, as without Ray.
        alone = cluster.local and self._most == 1
        self.threads = None if alone else self._share.threads
        self._on_note = on_note
        self._notes: dict[str, bool] = {}
        self._failed_on: defaultdict[int, set[str | None]] = defaultdict(set)
        self._begin()

    def submit(self, task: ChunkTask, slot: int) -> Future[ChunkRecord]:
        """Queue a chunk for the next free worker."""
        run = _Assignment(task, Future(), time.monotonic())
        self._submitted.put(run)
        return run.future

    def dreamed(self, slot: int) -> int:
        """Pass on notes; return 0, as frames are counted when their chunk is finished."""
        self._tell()
        return 0

    def lost(self, error: BaseException) -> bool:
        """Return whether the connection to the cluster has broken."""
        return isinstance(error, ClusterLost)

    def renew(self) -> None:
        """Connect again. Raises ``ClusterLost`` if that fails."""
        self._end()
        self._cluster.renew()
        self._begin()

    def close(self, *, wait: bool) -> None:
        """Stop the workers and close the connection; without ``wait``, kill the workers."""
        self._end()
        with suppress(Exception):  # some workers may have vanished
            if wait:
                ends = [handle.actor.__ray_terminate__.remote() for handle in self._handles]
                if ends:
                    self._ray.wait(ends, num_returns=len(ends), timeout=_LEAVE_SECONDS)
            elif not self._cluster.local:  # local ones are killed with Ray
                for handle in self._handles:
                    self._ray.kill(handle.actor)
        self._tell()
        self._cluster.close(wait=wait)

    def join(self) -> None:
        """Do nothing: the cluster ends its workers."""

    def _begin(self) -> None:
        self._closed = threading.Event()
        self._submitted: queue.SimpleQueue[_Assignment] = queue.SimpleQueue()
        self._waiting: list[_Assignment] = []
        self._running: dict[Any, _Assignment] = {}
        self._handles: list[WorkerHandle] = []
        self._coming: dict[Any, WorkerHandle] = {}
        self._files: dict[str, Shipped] = {}
        self._looked = time.monotonic()
        self._worker = self._ray.remote(RayWorker).options(
            num_cpus=self._share.cpus,
            num_gpus=self._share.gpus,
            max_concurrency=self._batch,
            scheduling_strategy="SPREAD",
        )
        self._thread = threading.Thread(target=self._work, name="cluster", daemon=True)
        self._thread.start()

    def _end(self) -> None:
        """Stop the thread that calls Ray: without a connection each call would try to connect."""
        self._closed.set()
        self._thread.join(_LEAVE_SECONDS)

    def _tell(self) -> None:
        for note, said in self._notes.copy().items():
            if not said:
                self._notes[note] = True
                self._on_note(note)

    def _work(self) -> None:
        """Hand out chunks and collect results until closed or disconnected; fail the rest."""
        lost = ClusterLost(BROKEN)
        try:
            while not self._closed.is_set():
                self._step()
        except BaseException as error:  # not only Exception: Ray may end the thread
            lost.__cause__ = error
        ended = False
        while not ended:
            ended = self._closed.wait(_WAIT_SECONDS)
            self._take_in()
            for run in [*self._waiting, *self._running.values()]:
                run.future.set_exception(lost)
            self._waiting, self._running = [], {}

    def _step(self) -> None:
        self._take_in()
        while len(self._handles) < min(self._most, len(self._waiting) + len(self._running)):
            handle = WorkerHandle(self._worker.remote(self._batch), time.monotonic())
            self._handles.append(handle)
            self._coming[handle.actor.begin.remote(versions())] = handle
        for run in self._waiting.copy():
            failed = self._failed_on[run.task.chunk.number]
            run.worker = choose(self._handles, self._batch, failed)
            if run.worker is not None:
                self._hand_out(run, run.worker)
                self._waiting.remove(run)
        references = [*self._coming, *self._running]
        if not references:
            self._closed.wait(_WAIT_SECONDS)
        else:
            for reference in self._ray.wait(references, timeout=_WAIT_SECONDS)[0]:
                if reference in self._coming:
                    self._greet(reference, self._coming.pop(reference))
                else:
                    self._finish(reference, self._running.pop(reference))
        if time.monotonic() > self._looked + _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._look_around()

    def _take_in(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._waiting.append(self._submitted.get_nowait())

    def _hand_out(self, run: _Assignment, handle: WorkerHandle) -> None:
        try:
            reference = self._send(run.task, handle)
        except BaseException as error:
            if isinstance(error, OSError) and error.filename:
                error = SourceError(f"{error.filename} cannot be read: {error.strerror}")
            self._fail(run, error)
        else:
            handle.chunks += 1
            self._running[reference] = run

    def _send(self, task: ChunkTask, handle: WorkerHandle) -> Any:
        """Call a worker with a chunk; ship the film's files, once for all chunks, if requested."""
        if not self._ships:
            task = replace(task, source=replace(task.source, path=task.source.path.absolute()))
            return handle.actor.dream.remote(task, sizes(task))
        put = self._ray.put
        if not self._files:
            self._files = {name: Shipped.of(path, put) for name, path in files_of(task).items()}
        before = ChunkFiles(task.folder, task.chunk.number - 1).state
        state = Shipped.of(before, put) if task.chunk.continues else None
        return handle.actor.dream_shipped.remote(task, self._film, self._files, state)

    def _greet(self, reference: Any, handle: WorkerHandle) -> None:
        """Record the machine of a started worker; if it failed to start, fail a waiting chunk."""
        try:
            handle.machine, handle.node, there = self._ray.get(reference)
        except BaseException as error:
            if self._waiting:
                self._fail(self._waiting.pop(0), error)
            self._dismiss(handle)
            return
        handle.since = time.monotonic()
        for name, here in versions().items():
            if there.get(name) != here and name != "python":
                self._notes.setdefault(
                    f"{handle.machine} has {name} {there.get(name)}, not {here} as here: where a "
                    "chunk ends the dream may change a little",
                    False,
                )

    def _finish(self, reference: Any, run: _Assignment) -> None:
        handle = run.worker
        assert handle is not None
        handle.chunks -= 1
        handle.since = time.monotonic()
        try:
            record = self._ray.get(reference)
            if self._ships:
                record, files = record
                unpack(files, run.task.folder, self._ray.get)
        except BaseException as error:
            self._failed_on[run.task.chunk.number].add(handle.node)
            self._fail(run, error)
            if isinstance(error, RayError) and not isinstance(error, RayTaskError):
                self._dismiss(handle)  # a RayTaskError comes from the worker itself: it is alive
        else:
            run.future.set_result(record)

    def _fail(self, run: _Assignment, error: BaseException) -> None:
        machine = None if run.worker is None else run.worker.machine
        run.future.set_exception(explained(error, machine, local=self._cluster.local))

    def _dismiss(self, handle: WorkerHandle) -> None:
        """Kill a worker that has vanished or cannot be reached; its chunks will fail."""
        if handle in self._handles:
            self._handles.remove(handle)
            self._ray.kill(handle.actor)

    def _look_around(self) -> None:
        """Check the connection, report long waits, stop idle workers, and grow with the cluster."""
        if not self._cluster.holds():
            raise ClusterLost(BROKEN)
        now = time.monotonic()
        if any(now > run.since + _QUIET_SECONDS for run in self._waiting):
            note = "a chunk has been waiting for a minute: the cluster has no room for it"
            self._notes.setdefault(note, False)
        for handle in self._handles.copy():
            if (
                handle.machine is not None
                and not handle.chunks
                and now > handle.since + _IDLE_SECONDS
            ):
                self._handles.remove(handle)
                handle.actor.__ray_terminate__.remote()
        if self._grows:
            fitting = min(self._share.fit(self._cluster.nodes()), self._shots)
            self._most = max(self._most, fitting)
            self.slots = max(self.slots, min(fitting * self._batch, self._shots))
