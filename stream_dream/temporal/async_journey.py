"""The dreamer of journeys in shows: the picture moves with every frame, ascents follow."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from stream_dream.automation.functions import smoothstep
from stream_dream.camera_move import CameraMove
from stream_dream.frame import FrameReport, ImageF, Shape
from stream_dream.image import resize, resize_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.temporal.async_dreamer import FRAMES_PER_ASCENT
from stream_dream.temporal.background_ascent import BackgroundAscent
from stream_dream.temporal.balance import Balance
from stream_dream.temporal.dreamer import Dreamed, DreamFunction, Prepared
from stream_dream.temporal.journey_picture import JourneyPicture, JourneyWarp

# Share of the picture's sides over which the source's picture is masked softly.
_SOFT_EDGE = 0.25


class Steering(NamedTuple):
    """How a journey goes on from a frame to the next.

    Attributes:
        move: How its camera moves.
        throw: Share of the source's picture that is mixed into the middle, 0..1.
    """

    move: CameraMove
    throw: float = 0.0


class AsyncJourney:
    """Dreams on in a picture that moves with every frame; ascents run in a thread.

    The first frame's picture begins the journey. For every later frame, at dream size,

        ``mixed = warp(picture) + throw * mask * (source - warp(picture))``
        ``picture = balance(mixed + gain * velocity)``

    as in ``temporal.journey_picture``; ``mask`` is 1 in the middle of the picture and 0 at its
    edges, and what is mixed in brings its contrast and mean colour, which the balance then holds.
    Each frame starts an ascent on the picture, unless one is running. Its change is carried along
    all moves made in the meantime and joins the velocity once.

    It depends on timing. Its memory does not grow.

    Attributes:
        ascent: The ascents, in their thread.
    """

    def __init__(
        self,
        dream: DreamFunction,
        settings: DreamSettings,
        steer: Callable[[], Steering],
        *,
        executor: Executor | None = None,
    ) -> None:
        """Create a journey that has not begun.

        Args:
            dream: Ascends on one picture; called from another thread.
            settings: ``seed``, ``momentum`` and those of ``JourneyPicture`` are used.
            steer: Returns how the journey goes on to the next frame; called once for each.
            executor: Executor of the ascents, which run in sequence; an own thread by default.
        """
        self.ascent = BackgroundAscent(dream, executor)
        self._settings, self._steer = settings, steer
        self.reset()

    def reset(self) -> None:
        """End the journey: the next frame's picture begins another one."""
        self.ascent.reset(self._settings.seed)
        self._journey: JourneyPicture | None = None
        # Moves since the running ascent began, with the size of the picture.
        self._passed: list[tuple[Shape, JourneyWarp]] = []

    def use(self, settings: DreamSettings) -> None:
        """Replace the settings; a new seed applies from the next journey on."""
        self._settings = settings

    def close(self) -> None:
        """Stop the thread after the running ascent."""
        self.ascent.close()

    def wait(self) -> None:
        """Wait for the ascent if ``FRAMES_PER_ASCENT`` frames have been shown since it started."""
        if len(self._passed) + 1 >= FRAMES_PER_ASCENT:
            self.ascent.wait()

    def __call__(self, prepared: Prepared, persistence: float = 1.0) -> Dreamed:
        """Return the next picture of the journey, and start an ascent if none is running.

        Waits as ``wait`` does, and raises the exception of a failed ascent.

        Args:
            prepared: The source's picture, whose size at dream size is that of the journey from now
                on. The first one begins the journey, others are mixed into it as asked for.
            persistence: Not used: all of a journey's picture lasts.
        """
        self.wait()
        begun, steering, source = time.perf_counter(), self._steer(), prepared.source
        journey, visible_share = self._journey, 0.0
        if journey is None:
            journey = self._journey = JourneyPicture(source, self._settings)
        else:
            journey.settings, shape = self._settings, (source.shape[0], source.shape[1])
            journey.resize(shape)
            warp = journey.move(steering.move)
            visible_share = float(warp.visible.mean())
            if self.ascent.is_running:
                self._passed.append((shape, warp))
            self._join(journey)
            if steering.throw > 0:
                _mix(journey, source, steering.throw)
            journey.grow()
        if not self.ascent.is_running:
            picture = journey.picture
            self.ascent.start(picture, np.zeros_like(picture), self._settings)
        report = FrameReport(
            index=prepared.frame.index,
            seconds={"move": time.perf_counter() - begun, "ascent": self.ascent.seconds},
            loss=self.ascent.loss,
            visible_share=visible_share,
        )
        return _shown(prepared, journey.picture, report)

    def _join(self, journey: JourneyPicture) -> None:
        """Add the change of a finished ascent, if any, carried to the present frame."""
        change = self.ascent.take()
        if change is not None:
            for shape, warp in self._passed:
                change = warp(resize_float(change, shape, antialias=True))
            self._passed = []
        journey.push(change, self._settings.momentum)


def _mix(journey: JourneyPicture, source: ImageF, share: float) -> None:
    """Mix the middle of another picture into a journey."""
    journey.mix(source, np.float32(share) * _soft_edges(source.shape[:2]))
    held, brought = journey.balance, Balance.of(source)
    journey.balance = Balance(
        held.wanted + np.float32(share) * (brought.wanted - held.wanted),
        held.mean + np.float32(share) * (brought.mean - held.mean),
    )


def _shown(prepared: Prepared, picture: ImageF, report: FrameReport) -> Dreamed:
    """Return the journey's picture at the size of the source's frame."""
    height, width = prepared.frame.image.shape[:2]
    levels = np.asarray(cv2.convertScaleAbs(picture, alpha=255), np.uint8)
    frame = replace(prepared.frame, image=resize(levels, (width, height)), deep=None, hdr=None)
    return Dreamed(frame, np.zeros_like(picture), report)


@lru_cache(maxsize=2)
def _soft_edges(shape: Shape) -> ImageF:
    """Return a mask, float32 (height, width, 1), that falls from 1 to 0 towards the edges."""
    sides = []
    for length in shape:
        places = np.arange(length, dtype=np.float32) + np.float32(0.5)
        inside = np.clip(np.minimum(places, length - places) / (_SOFT_EDGE * length), 0, 1)
        sides.append(smoothstep(inside))
    down, across = sides
    mask = np.asarray(down[:, None, None] * across[:, None], np.float32)
    mask.flags.writeable = False
    return mask
