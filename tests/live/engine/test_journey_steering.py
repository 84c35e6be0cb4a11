"""How a show steers its journey."""

from __future__ import annotations

import pytest

from stream_dream.camera_move import CameraMove
from stream_dream.live.control.controls import Controls
from stream_dream.live.engine.journey_steering import JourneySteering
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters
from stream_dream.temporal.async_journey import Steering

RATES = {"zoom": 1.5, "turn": 20.0, "pan_x": 0.2, "pan_y": -0.1, "throw": 0.5}


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def steered(gaps: list[float]) -> list[Steering]:
    """Return the steering of frames that come after gaps in seconds."""
    controls = Controls(LiveParameters(glide=0), {"dogs": DreamSettings()}, "dogs")
    controls.journey = True
    controls.change(RATES)
    clock = Clock()
    steer = JourneySteering(controls, clock)
    found = []
    for gap in gaps:
        clock.now += gap
        found.append(steer())
    return found


@pytest.mark.parametrize("frames", [5, 50])
def test_a_second_is_a_second_at_any_rate(frames: int) -> None:
    zoom, unmixed = 1.0, 1.0
    turned = moved = sunk = 0.0
    for move, throw in steered([1 / frames] * frames):
        zoom *= move.zoom
        unmixed *= 1 - throw
        turned, moved, sunk = turned + move.angle, moved + move.pan_x, sunk + move.pan_y
    assert zoom == pytest.approx(1.5)
    assert (turned, moved, sunk) == pytest.approx((20, 0.2, -0.1))
    assert 0.7 < 1 - unmixed < 0.8


def test_nothing_leaps_after_a_pause() -> None:
    pause, usual = steered([60, 0.25])
    assert pause == usual
    assert steered([0.0])[0] == Steering(CameraMove(), 0.0)
