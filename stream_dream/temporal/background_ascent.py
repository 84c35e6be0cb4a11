"""Ascents in a thread, one at a time, while frames are shown."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait

import numpy as np

from stream_dream.frame import ImageF
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.dreamer import DreamFunction


class BackgroundAscent:
    """Runs the ascents of a shot one after the other in a thread.

    Attributes:
        seconds: Duration of the last ascent.
        shape: (height, width) of the last ascent; None before the first.
        loss: Loss of the last ascent of the shot; None before the first.
    """

    def __init__(self, dream: DreamFunction, executor: Executor | None = None) -> None:
        """Start nothing yet; ``reset`` comes first.

        Args:
            dream: Ascends on one frame; called from another thread.
            executor: Executor of the ascents, which run in sequence; an own thread by default.
        """
        self.seconds = 0.0
        self.shape: tuple[int, ...] | None = None
        self.loss: float | None = None
        self._dream = dream
        self._executor = executor or ThreadPoolExecutor(1, "ascent")
        # The change (residual after the ascent less the one before), its loss, and seconds.
        self._running: Future[tuple[ImageF, float, float]] | None = None
        self._index = 0
        self._rng = np.random.default_rng()

    @property
    def is_running(self) -> bool:
        """True from the start of an ascent until ``take`` has returned its change."""
        return self._running is not None

    def reset(self, seed: int) -> None:
        """Drop what is running, and start a shot; ``seed`` starts its random numbers."""
        if self._running is not None:
            self._running.cancel()
        self._running = None
        self.loss = None
        self._index = 0
        self._rng = np.random.default_rng(seed)

    def start(self, source: ImageF, carried: ImageF, settings: DreamSettings) -> None:
        """Start an ascent on ``clip(source + carried)``; none may be running."""
        index, rng = self._index, self._rng

        def ascend() -> tuple[ImageF, float, float]:
            begun = time.perf_counter()
            residual, loss = self._dream(source, carried, index=index, rng=rng, settings=settings)
            return residual - carried, loss, time.perf_counter() - begun

        self._running = self._executor.submit(ascend)
        self._index += 1

    def take(self) -> ImageF | None:
        """Return the change of a finished ascent, once; None if none has finished.

        Raises the exception of an ascent that has failed.
        """
        if self._running is None or not self._running.done():
            return None
        change, self.loss, self.seconds = self._running.result()
        self.shape, self._running = change.shape[:2], None
        return change

    def wait(self) -> None:
        """Wait until the running ascent, if any, has finished."""
        if self._running is not None:
            wait([self._running])

    def close(self) -> None:
        """Stop the thread after the running ascent."""
        self._executor.shutdown(cancel_futures=True)
