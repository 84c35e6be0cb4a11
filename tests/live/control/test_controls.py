"""Changes by operators: what they may change, how it glides, and what is refused."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import ACTIONS, Controls
from stream_dream.live.control.show_state import parameters_of
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters
from stream_dream.settings.validation import validated


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def controls(clock: _Clock) -> Controls:
    looks = {
        "calm": DreamSettings(),
        "wild": validated(DreamSettings, {"step_size": 0.05, "octaves": 3}),
    }
    return Controls(LiveParameters(), looks, "calm", clock=clock)


def test_a_change_glides(controls: Controls, clock: _Clock) -> None:
    controls.change({"strength": 0.0, "glide": 2})
    seen = []
    for _ in range(5):
        seen.append(controls.parameters().strength)
        clock.now += 0.5
    assert seen[0] == 1
    assert seen == sorted(seen, reverse=True)
    assert seen[4] < 0.03
    clock.now += 2
    assert controls.parameters().strength == pytest.approx(0, abs=1e-3)
    assert controls.target.strength == 0


def test_a_change_on_the_way_starts_from_where_it_is(controls: Controls, clock: _Clock) -> None:
    controls.change({"strength": 0.0})
    clock.now += 0.5
    before = controls.parameters().strength
    controls.change({"strength": 2.0})
    assert 0.05 < before < 0.5
    assert controls.parameters().strength == before


def test_a_stream_of_changes_is_followed(controls: Controls, clock: _Clock) -> None:
    controls.change({"step_size": 0.1})
    for step in range(100):  # another fader moves all the time
        controls.change({"strength": 1 + 0.9 * (step % 2)})
        clock.now += 0.02
    assert controls.parameters().step_size == pytest.approx(0.1, rel=0.01)
    controls.change({"strength": 0.0})
    for _ in range(100):
        controls.change({"strength": min(2, controls.target.strength + 0.02)})
        clock.now += 0.02
    assert controls.parameters().strength == pytest.approx(2, abs=0.3)


def test_switches_and_counts_change_at_once(controls: Controls) -> None:
    controls.change({"mirror": True, "octaves": 3})
    assert controls.parameters().mirror
    assert controls.parameters().octaves == 3


def test_a_look_brings_its_parameters_and_fades_in(controls: Controls, clock: _Clock) -> None:
    controls.change({"strength": 0.3})
    controls.use("wild")
    assert controls.look == "wild"
    clock.now += 0.5
    assert 0.0095 < controls.parameters().step_size < 0.05
    clock.now += 2
    assert controls.parameters().step_size == pytest.approx(0.05, rel=1e-3)
    controls.use("wild")
    assert controls.look == "wild"
    assert controls.target.octaves == 3
    assert controls.target.strength == 0.3


@pytest.mark.parametrize(
    "values",
    [
        {"strength": 2.1},
        {"strength": -0.1},
        {"strength": math.nan},
        {"strength": math.inf},
        {"strength": "much"},
        {"strength": None},
        {"strength": [1]},
        {"jitter": 1.5},
        {"octaves": 99},
        {"mirror": "perhaps"},
        {"brightness": 1},
        {"strength": 0.5, "octaves": 0},
    ],
)
def test_changes_with_a_wrong_value_are_refused_as_a_whole(
    controls: Controls, values: dict[str, Any]
) -> None:
    before, revision = controls.target, controls.revision
    with pytest.raises(SettingsError, match="page: "):
        controls.change(values, origin="page")
    assert controls.target == before
    assert controls.revision == revision


def test_unknown_looks_and_actions_are_refused(controls: Controls) -> None:
    with pytest.raises(SettingsError, match="no look 'mad' at hand: choose calm, wild"):
        controls.use("mad")
    with pytest.raises(SettingsError, match="no action 'explode'"):
        controls.press("explode")


def test_what_operators_move_is_theirs_until_the_reset(controls: Controls) -> None:
    controls.change({"strength": 1.0})  # as it was: it is asked for all the same
    controls.change({"jitter": 3})
    with contextlib.suppress(SettingsError):
        controls.change({"persistence": 9})
    controls.use("wild")
    assert controls.touched == {"strength", "jitter"}
    controls.press("freeze")
    assert controls.touched == {"strength", "jitter"}
    controls.press("reset")
    assert controls.touched == frozenset()


def test_parameters_are_moved_on_their_way(controls: Controls, clock: _Clock) -> None:
    controls.automate = lambda now: now.model_copy(update={"strength": now.strength / 2})
    controls.change({"strength": 2.0})
    assert controls.parameters().strength == 0.5
    clock.now += 5
    assert controls.parameters().strength == pytest.approx(1)
    assert controls.target.strength == 2


def test_actions(controls: Controls) -> None:
    for action in ACTIONS:
        controls.press(action)
    assert controls.frozen
    assert controls.resets == 1
    assert controls.pressed() == ["snapshot", "record"]
    assert controls.pressed() == []
    controls.press("freeze")
    assert not controls.frozen


def test_a_flood_of_presses_is_bounded(controls: Controls) -> None:
    for _ in range(1000):
        controls.press("snapshot")
    assert len(controls.pressed()) <= 16


def test_every_change_counts(controls: Controls) -> None:
    seen = [controls.revision]
    actions: list[Callable[[], None]] = [
        lambda: controls.change({"strength": 0.5}),
        lambda: controls.use("wild"),
        lambda: controls.press("freeze"),
    ]
    for act in actions:
        act()
        seen.append(controls.revision)
    assert seen == sorted(set(seen))


def test_parameters_of_a_look_stay_within_those_of_a_show() -> None:
    wide = validated(DreamSettings, {"octaves": 12, "jitter": 512})
    assert parameters_of(wide).octaves == 4
    assert parameters_of(wide).jitter == 64


def test_hundreds_of_random_changes_leave_it_valid(controls: Controls, clock: _Clock) -> None:
    rng = random.Random(0)
    junk = [None, "", "1e309", -1, 1e300, math.nan, b"\xff", {}, [], True, "x" * 10_000, 0.5, 1]
    names = [*LiveParameters.model_fields, "", "__class__", "layer"]
    accepted = 0
    for _ in range(500):
        clock.now += rng.random()
        with contextlib.suppress(SettingsError):
            controls.change({rng.choice(names): rng.choice(junk)})
            accepted += 1
        LiveParameters.model_validate(controls.parameters().model_dump())
    assert accepted > 20
