"""Tasks that wait for their turn in the background."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from stream_dream.runtime.scheduling import step_back

log = logging.getLogger("stream_dream")


class BackgroundWorker:
    """Runs tasks in order, in one thread of low priority; one that raises is logged.

    The queue is bounded: whoever asks for more than can be done is told so.
    """

    def __init__(self, name: str, depth: int) -> None:
        """Start the thread, with room for ``depth`` waiting tasks."""
        self._tasks: queue.Queue[Callable[[], None] | None] = queue.Queue(depth)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, task: Callable[[], None]) -> bool:
        """Queue a task; return False, and drop it, if the queue is full."""
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            return False
        return True

    def close(self, seconds: float) -> None:
        """Finish the queued tasks and end the thread, or abandon it after some seconds."""
        if self._thread.is_alive():
            try:
                self._tasks.put(None, timeout=seconds)
            except queue.Full:
                return
            self._thread.join(seconds)

    def _work(self) -> None:
        step_back()
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception:  # the next ones must still run
                log.exception("%s: a task failed", threading.current_thread().name)
