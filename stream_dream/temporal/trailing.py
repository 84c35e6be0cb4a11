"""The dream of a show: every frame is shown at once, the ascent on it follows."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import cv2
import numpy as np

from stream_dream.frame import FrameReport, ImageF
from stream_dream.settings import DreamSettings
from stream_dream.temporal.dreamer import Carry, Dreamed, DreamFunction, Prepared

FRAMES_PER_ASCENT = 3
"""At most so many frames are shown while one is ascended on; then the next one waits."""


class _Found(NamedTuple):
    """What an ascent has found.

    Attributes:
        change: Of the whole dream, float32 (height, width, 3).
        loss: Objective before the last step.
        seconds: What it took.
    """

    change: ImageF
    loss: float
    seconds: float


class TrailingDreamer:
    """Shows frame after frame with the dream of those before; ascents follow in a thread.

    No frame waits for its own ascent: the rate is not that of the gradients, and a frame is shown
    as soon as its motion is known. At dream size, for every frame,

        ``change = carry(still to come + what ascents have found since the last frame)``
        ``residual = carry(residual) + share * change``
        ``still to come = (1 - share) * change``

    where ``share`` is ``1 - persistence / 2``: the mean of several steps flickers less than each of
    them. With a frame begins an ascent, unless one is under way. Where ``dream`` is the residual
    and what is still to come, it finds ``ascend(persistence * dream) - dream``; this is carried
    past all frames that are shown before it is there.

    Unlike ``TemporalDreamer`` it depends on timing: it is made for shows.

    Attributes:
        seconds: What the last ascent took.
        shape: (height, width) that it was done at; None before the first.
    """

    def __init__(
        self, dream: DreamFunction, settings: DreamSettings, *, executor: Executor | None = None
    ) -> None:
        """Start without a dream.

        Args:
            dream: Ascends on one frame; called from another thread.
            settings: ``seed`` is used.
            executor: Where ascents run, one after the other; a thread of its own if not given.
        """
        self.seconds = 0.0
        self.shape: tuple[int, ...] | None = None
        self._dream, self._seed = dream, settings.seed
        self._executor = executor or ThreadPoolExecutor(1, "ascent")
        self._ascent: Future[_Found] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame begins a shot, and has no loss."""
        if self._ascent is not None:
            self._ascent.cancel()
        self._ascent = None
        self._residual: ImageF | None = None
        self._to_come: ImageF | None = None
        self._passed: list[Carry] = []
        self._loss: float | None = None
        self._index = 0
        self._rng = np.random.default_rng(self._seed)

    def close(self) -> None:
        """End the thread, after the ascent that it is at."""
        self._executor.shutdown(cancel_futures=True)

    def wait(self) -> None:
        """Wait until the next frame may be shown; not at all, but after ``FRAMES_PER_ASCENT``."""
        if self._ascent is not None and len(self._passed) + 1 >= FRAMES_PER_ASCENT:
            wait([self._ascent])

    def __call__(self, prepared: Prepared, persistence: float) -> Dreamed:
        """Return a frame with the dream of those before it, and let its ascent begin.

        Waits as ``wait`` does, and raises what the last ascent raised.

        Args:
            prepared: The next frame; its ``carry`` has a persistence of 1.
            persistence: How much of a dream is left when the next ascent is added to it, 0..1.
        """
        if prepared.carry is None or self._residual is None or self._to_come is None:
            self.reset()
            residual = to_come = np.zeros_like(prepared.source)
        else:
            self.wait()
            if self._ascent is not None and self._ascent.done():
                self._take(self._ascent.result())
            elif self._ascent is not None:
                self._passed.append(prepared.carry)
            share = 1 - persistence / 2
            change = prepared.carry(self._to_come, once=True)
            residual = _sum(prepared.carry(self._residual), 1.0, change, share)
            to_come = change * np.float32(1 - share)
        self._residual, self._to_come = residual, to_come
        if self._ascent is None:
            self._begin(prepared.source, persistence)
        report = FrameReport(
            index=prepared.frame.index,
            seconds={"flow": prepared.seconds, "ascent": self.seconds},
            loss=self._loss,
            visible_share=prepared.visible_share,
            cut=prepared.frame.cut,
        )
        return Dreamed(prepared.frame, residual, report)

    def _begin(self, source: ImageF, persistence: float) -> None:
        """Let the ascent on the last frame begin."""
        assert self._residual is not None
        assert self._to_come is not None
        dream, index, rng = _sum(self._residual, 1.0, self._to_come, 1.0), self._index, self._rng

        def ascend() -> _Found:
            begun = time.perf_counter()
            start = dream * np.float32(persistence)
            residual, loss = self._dream(source, start, index=index, rng=rng)
            return _Found(_sum(residual, 1.0, dream, -1.0), loss, time.perf_counter() - begun)

        self._ascent = self._executor.submit(ascend)
        self._index += 1

    def _take(self, found: _Found) -> None:
        """Let what an ascent has found become part of the dream, at the last frame."""
        assert self._to_come is not None
        self.shape = found.change.shape[:2]
        self._loss, self.seconds = found.loss, found.seconds
        change = found.change
        for carry in self._passed:
            change = carry(change, once=True)
        self._to_come = _sum(self._to_come, 1.0, change, 1.0)
        self._ascent, self._passed = None, []


def _sum(first: ImageF, weight: float, second: ImageF, other: float) -> ImageF:
    """Return ``weight * first + other * second``."""
    return np.asarray(cv2.addWeighted(first, weight, second, other, 0), np.float32)
