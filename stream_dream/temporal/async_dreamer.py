"""The dream of a show: every frame is shown at once, the ascent on it follows."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np

from stream_dream.frame import FrameReport, ImageF
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.dreamer import Dreamed, DreamFunction, Prepared
from stream_dream.temporal.growth import Growth

FRAMES_PER_ASCENT = 3
"""At most so many frames are shown while one is ascended on; then the next one waits."""


class _Found(NamedTuple):
    """What an ascent has found.

    Attributes:
        change: Residual after the ascent less the one before, float32 (height, width, 3).
        loss: Objective before the last step.
        seconds: What it took.
    """

    change: ImageF
    loss: float
    seconds: float


class AsyncDreamer:
    """Shows frame after frame with the dream of those before; ascents follow in a thread.

    No frame waits for its own ascent: the rate is not that of the gradients, and a frame is shown
    as soon as its motion is known. For every frame, at dream size,

        ``share = momentum * share + (1 - momentum) * joined``
        ``residual = carry((1 - share * (1 - persistence)) * residual) + growth(change)``

    where ``growth`` is that of ``temporal.growth``. With a frame begins an ascent on
    ``persistence * residual``, unless one is under way. Its ``change`` is carried past all frames
    that are shown before it is there, and joins the dream, once, in the next one: ``joined`` is 1
    then and else 0, and there is no change. What fades is what grows, bit by bit: no pulse. A dream
    lasts and is new for as many ascents as that of a ``TemporalDreamer``, and becomes as strong,
    but takes longer where ascents are fewer: to let the last change go on instead is as quick, but
    each one's chance, its jitter and its octave, is seen (measured: three times the flicker).

    Unlike ``TemporalDreamer`` it depends on timing: it is made for shows.

    Attributes:
        seconds: What the last ascent took.
        shape: (height, width) that it was done at; None before the first.
    """

    def __init__(
        self, dream: DreamFunction, settings: DreamSettings, *, executor: Executor | None = None
    ) -> None:
        """Create a dreamer with no state.

        Args:
            dream: Ascends on one frame; called from another thread.
            settings: ``seed`` and those of ``temporal.growth`` are used.
            executor: Where ascents run, one after the other; a thread of its own if not given.
        """
        self.seconds = 0.0
        self.shape: tuple[int, ...] | None = None
        self._dream, self._settings = dream, settings
        self._growth = Growth(settings)
        self._executor = executor or ThreadPoolExecutor(1, "ascent")
        self._ascent: Future[_Found] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame begins a shot, and has no loss."""
        if self._ascent is not None:
            self._ascent.cancel()
        self._ascent = None
        self._residual: ImageF | None = None
        self._growth.reset()
        self._share = 0.0
        self._passed: list[Carry] = []
        self._loss: float | None = None
        self._index = 0
        self._rng = np.random.default_rng(self._settings.seed)

    def use(self, settings: DreamSettings) -> None:
        """Replace the settings of the growth; a seed counts from the next shot on."""
        self._settings = self._growth.settings = settings

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
        if prepared.carry is None or self._residual is None:
            self.reset()
            self._growth.begin(prepared.source.shape[:2], finished=False)
            carried = np.zeros_like(prepared.source)
        else:
            self.wait()
            self._join()
            if self._ascent is not None:
                self._passed.append(prepared.carry)
            left = np.float32(1 - self._share * (1 - persistence))
            carried = prepared.carry(self._residual) * left
            self._growth.move(prepared.carry, self._share)
        residual = self._residual = self._growth.grow(carried, prepared.source, prepared.room)
        if self._ascent is None:
            self._begin(prepared.source, residual * np.float32(persistence))
        report = FrameReport(
            index=prepared.frame.index,
            seconds={"flow": prepared.seconds, "ascent": self.seconds},
            loss=self._loss,
            visible_share=prepared.visible_share,
            cut=prepared.frame.cut,
        )
        return Dreamed(prepared.frame, residual, report)

    def _begin(self, source: ImageF, start: ImageF) -> None:
        """Submit the ascent on the last frame."""
        index, rng = self._index, self._rng

        def ascend() -> _Found:
            begun = time.perf_counter()
            residual, loss = self._dream(source, start, index=index, rng=rng)
            return _Found(residual - start, loss, time.perf_counter() - begun)

        self._ascent = self._executor.submit(ascend)
        self._index += 1

    def _join(self) -> None:
        """Add the change of a finished ascent, if there is one, at the last frame."""
        change: ImageF | None = None
        if self._ascent is not None and self._ascent.done():
            change, self._loss, self.seconds = self._ascent.result()
            self.shape = change.shape[:2]
            for carry in self._passed:
                change = carry(change, once=True)
            self._ascent, self._passed = None, []
        momentum = self._settings.momentum
        self._growth.push(change, momentum)
        self._share = momentum * self._share + (1 - momentum) * (change is not None)
