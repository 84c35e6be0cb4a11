"""The steering of a journey: how far its camera moves from each frame to the next."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from stream_dream.camera_move import CameraMove
from stream_dream.live.control.controls import Controls
from stream_dream.temporal.async_journey import Steering

# A frame that comes later than this, after a pause, goes no further.
_LONGEST_SECONDS = 0.25
# How quickly a picture is thrown in at most: 95 % of it within a second.
_MIXED_A_SECOND = 3.0


class JourneySteering:
    """Steers a journey by a show's parameters, at a speed that does not depend on its frame rate.

    All rates are those of a second: the zoom of a frame is ``zoom ** seconds``, an angle or pan
    ``rate * seconds``, where ``seconds`` are those since the frame before.
    """

    def __init__(self, controls: Controls, clock: Callable[[], float] = time.monotonic) -> None:
        """Start now.

        Args:
            controls: Parameters that the operators ask for.
            clock: Returns the time in seconds.
        """
        self._controls, self._clock = controls, clock
        self._last = clock()

    def __call__(self) -> Steering:
        """Return how the journey goes on since the last call."""
        last, self._last = self._last, self._clock()
        seconds = min(self._last - last, _LONGEST_SECONDS)
        now = self._controls.parameters()
        move = CameraMove(
            zoom=now.zoom**seconds,
            angle=now.turn * seconds,
            pan_x=now.pan_x * seconds,
            pan_y=now.pan_y * seconds,
        )
        return Steering(move, -math.expm1(-_MIXED_A_SECOND * now.throw * seconds))
