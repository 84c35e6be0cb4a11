"""The dreamer of shows: every frame is shown at once, ascents follow in a thread."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from stream_dream.frame import FrameReport, ImageF
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.background_ascent import BackgroundAscent
from stream_dream.temporal.carry import Carry
from stream_dream.temporal.dreamer import Dreamed, DreamFunction, Prepared
from stream_dream.temporal.growth import Growth

FRAMES_PER_ASCENT = 3
"""Frames that are shown per ascent at most; then the next one waits for the ascent."""


class AsyncDreamer:
    """Shows each frame with the dream of earlier ones; ascents run in a thread.

    No frame waits for its own ascent: it is shown as soon as its motion is known, at a rate
    independent of the gradients'. For every frame, at dream size,

        ``share = momentum * share + (1 - momentum) * joined``
        ``residual = carry((1 - share * (1 - persistence)) * residual) + growth(change)``

    where ``growth`` is that of ``temporal.growth``. Each frame starts an ascent on
    ``persistence * residual``, unless one is running. Its ``change`` is carried along all frames
    shown in the meantime and joins the dream once, in the next one; ``joined`` is 1 there, and 0
    elsewhere, where there is no change. The dream fades as gradually as it grows, without a pulse.

    A dream lasts, and stays new, for as many ascents as that of a ``TemporalDreamer`` and becomes
    as strong, but takes longer as ascents are rarer. Repeating the last change instead would be as
    quick, but show the random jitter and octave of each ascent (measured: three times the flicker).

    Unlike ``TemporalDreamer`` it depends on timing.

    Attributes:
        ascent: The ascents, in their thread.
    """

    def __init__(
        self, dream: DreamFunction, settings: DreamSettings, *, executor: Executor | None = None
    ) -> None:
        """Create a dreamer with no state.

        Args:
            dream: Ascends on one frame; called from another thread.
            settings: ``seed``, ``momentum`` and those of ``Growth`` are used.
            executor: Executor of the ascents, which run in sequence; an own thread by default.
        """
        self.ascent = BackgroundAscent(dream, executor)
        self._settings = settings
        self._growth = Growth(settings)
        self.reset()

    def reset(self) -> None:
        """Clear the state: the next frame starts a shot, and has no loss."""
        self.ascent.reset(self._settings.seed)
        self._residual: ImageF | None = None
        self._growth.reset()
        self._share = 0.0
        self._passed: list[Carry] = []

    def use(self, settings: DreamSettings) -> None:
        """Replace the settings; a new seed applies from the next shot on."""
        self._settings = self._growth.settings = settings

    def close(self) -> None:
        """Stop the thread after the running ascent."""
        self.ascent.close()

    def wait(self) -> None:
        """Wait for the ascent if ``FRAMES_PER_ASCENT`` frames have been shown since it started."""
        if len(self._passed) + 1 >= FRAMES_PER_ASCENT:
            self.ascent.wait()

    def __call__(self, prepared: Prepared, persistence: float) -> Dreamed:
        """Return a frame with the dream of earlier ones, and start an ascent if none is running.

        Waits as ``wait`` does, and raises the exception of a failed ascent.

        Args:
            prepared: The next frame; its ``carry`` has a persistence of 1.
            persistence: Share of a dream that is left when the next ascent joins it, 0..1.
        """
        if prepared.carry is None or self._residual is None:
            self.reset()
            self._growth.begin(prepared.source.shape[:2], finished=False)
            carried = np.zeros_like(prepared.source)
        else:
            self.wait()
            self._join()
            if self.ascent.is_running:
                self._passed.append(prepared.carry)
            left = np.float32(1 - self._share * (1 - persistence))
            carried = prepared.carry(self._residual) * left
            self._growth.move(prepared.carry, self._share)
        residual = self._residual = self._growth.grow(carried, prepared.source, prepared.room)
        if not self.ascent.is_running:
            start = residual * np.float32(persistence)
            self.ascent.start(prepared.source, start, self._settings)
        report = FrameReport(
            index=prepared.frame.index,
            seconds={"flow": prepared.seconds, "ascent": self.ascent.seconds},
            loss=self.ascent.loss,
            visible_share=prepared.visible_share,
            cut=prepared.frame.cut,
        )
        return Dreamed(prepared.frame, residual, report)

    def _join(self) -> None:
        """Add the change of a finished ascent, if any, carried to the last frame."""
        change = self.ascent.take()
        if change is not None:
            for carry in self._passed:
                change = carry(change, once=True)
            self._passed = []
        momentum = self._settings.momentum
        self._growth.push(change, momentum)
        self._share = momentum * self._share + (1 - momentum) * (change is not None)
