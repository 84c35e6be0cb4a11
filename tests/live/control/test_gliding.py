"""Values on their way: exponential glides, straight ramps, steps."""

from __future__ import annotations

import pytest

from stream_dream.live.control.gliding import Gliding


def test_numbers_glide_and_all_else_changes_at_once() -> None:
    gliding = Gliding({"strength": 0.0, "octaves": 2, "mirror": False, "unit": "beats"}, 0.0)
    gliding.aim({"strength": 1.0, "octaves": 4, "mirror": True, "unit": "seconds"})
    gliding.advance(0.5, glide=1.0)
    strength = gliding.values["strength"]
    assert 0.8 < float(strength) < 0.9
    assert gliding.values == {**gliding.targets, "strength": strength}
    gliding.advance(5.0, glide=1.0)
    assert gliding.values == gliding.targets


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_the_result_does_not_depend_on_the_number_of_calls(steps: int) -> None:
    gliding = Gliding({"strength": 0.0}, 0.0)
    gliding.aim({"strength": 1.0})
    for step in range(1, steps + 1):
        gliding.advance(0.5 * step / steps, glide=1.0)
    assert gliding.values["strength"] == pytest.approx(0.8647, abs=1e-3)


def test_a_ramp_is_straight_and_ends_at_its_time() -> None:
    gliding = Gliding({"fader": 0.2, "light": 1.0}, 10.0, at_once=("fader",))
    gliding.aim({"fader": 1.0})
    gliding.ramp("fader", seconds=4.0)
    seen = []
    for now in (11.0, 12.0, 13.0):
        gliding.advance(now, glide=1.0)
        seen.append(gliding.values["fader"])
    assert seen == pytest.approx([0.4, 0.6, 0.8])
    assert gliding.ramping == {"fader"}
    gliding.advance(14.0, glide=1.0)
    assert gliding.values["fader"] == 1.0
    assert not gliding.ramping


def test_a_hand_on_the_fader_ends_its_ramp() -> None:
    gliding = Gliding({"fader": 0.0, "light": 1.0}, 0.0, at_once=("fader", "light"))
    gliding.aim({"fader": 1.0, "light": 0.0})
    for name in ("fader", "light"):
        gliding.ramp(name, seconds=4.0)
    gliding.advance(1.0, glide=1.0)
    gliding.aim({"fader": 0.7, "light": 0.0})  # the light is not touched
    gliding.advance(1.1, glide=1.0)
    assert gliding.values["fader"] == 0.7
    assert gliding.ramping == {"light"}
