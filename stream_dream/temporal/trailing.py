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

# What an ascent has found is shown bit by bit, so much of what is left of it with each frame: the
# mean of several steps flickers less than each of them.
_SHOWN_AT_ONCE = 0.5


class _Found(NamedTuple):
    """What an ascent has found: its step, float32 (height, width, 3); the loss; its seconds."""

    step: ImageF
    loss: float
    seconds: float


class TrailingDreamer:
    """Shows frame after frame with the dream of those before; ascents follow in a thread.

    No frame waits for its own ascent: the rate is not that of the gradients, and a frame is shown
    as soon as its motion is known. At dream size, for every frame,

        ``pending = carry(pending + steps found since the last frame) / 2``
        ``residual = carry(residual) + pending``

    where both begin at 0, and the ascent that begins with the frame starts from
    ``source + residual + pending``. A step that was found while other frames were shown is carried
    past them first.

    Unlike ``TemporalDreamer`` it depends on timing: it is made for shows.

    Attributes:
        seconds: What the last ascent took.
        pace: Frames that were shown for the last ascent, 1 to ``FRAMES_PER_ASCENT``. So that a
            dream is as strong at any pace, carry with the ``pace``-th root of the persistence.
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
        self.pace = 1
        self._dream, self._seed = dream, settings.seed
        self._executor = executor or ThreadPoolExecutor(1, "ascent")
        self._ascent: Future[_Found] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame begins a shot."""
        if self._ascent is not None:
            self._ascent.cancel()
        self._ascent = None
        self._residual: ImageF | None = None
        self._pending: ImageF | None = None
        self._passed: list[Carry] = []
        self._loss: float | None = None
        self._index = 0
        self._rng = np.random.default_rng(self._seed)

    def close(self) -> None:
        """End the thread, after the ascent that it is at."""
        self._executor.shutdown(cancel_futures=True)

    def __call__(self, prepared: Prepared) -> Dreamed:
        """Return a frame with the dream of those before it, and let its ascent begin.

        Where ``FRAMES_PER_ASCENT`` frames have been shown for the last ascent, waits for its end.
        Raises what that ascent raised.
        """
        if prepared.carry is None or self._residual is None or self._pending is None:
            self.reset()
            residual = pending = np.zeros_like(prepared.source)
        else:
            if self._ascent is not None and len(self._passed) + 1 >= FRAMES_PER_ASCENT:
                wait([self._ascent])
            if self._ascent is not None and self._ascent.done():
                self._take(self._ascent.result())
            elif self._ascent is not None:
                self._passed.append(prepared.carry)
            carried = prepared.carry(self._residual)
            pending = prepared.carry(self._pending, once=True)
            residual = _sum(carried, pending, _SHOWN_AT_ONCE)
            pending = _sum(pending, pending, -_SHOWN_AT_ONCE)
        self._residual, self._pending = residual, pending
        if self._ascent is None:
            start = _sum(residual, pending, 1.0)
            self._ascent = self._executor.submit(
                _ascend, self._dream, prepared.source, start, self._index, self._rng
            )
            self._index += 1
        report = FrameReport(
            index=prepared.frame.index,
            seconds={"flow": prepared.seconds, "ascent": self.seconds},
            loss=self._loss,
            visible_share=prepared.visible_share,
            cut=prepared.frame.cut,
        )
        return Dreamed(prepared.frame, residual, report)

    def _take(self, found: _Found) -> None:
        """Let what an ascent has found become part of the dream, at the last frame."""
        assert self._pending is not None
        step = found.step
        for carry in self._passed:
            step = carry(step, once=True)
        self._pending = _sum(self._pending, step, 1.0)
        self._loss, self.seconds = found.loss, found.seconds
        self._ascent, self.pace = None, len(self._passed) + 1
        self._passed = []


def _ascend(
    dream: DreamFunction, source: ImageF, start: ImageF, index: int, rng: np.random.Generator
) -> _Found:
    begun = time.perf_counter()
    residual, loss = dream(source, start, index=index, rng=rng)
    return _Found(_sum(residual, start, -1.0), loss, time.perf_counter() - begun)


def _sum(first: ImageF, second: ImageF, weight: float) -> ImageF:
    """Return ``first + weight * second``."""
    return np.asarray(cv2.addWeighted(first, 1, second, weight, 0), np.float32)
