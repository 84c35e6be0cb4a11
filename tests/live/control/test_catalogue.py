"""What can be controlled: kinds, ranges and help of every address."""

from __future__ import annotations

from stream_dream.live.control.catalogue import LFO_PARTS, catalogue, described
from stream_dream.live.control.controls import ACTIONS, Controls
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters


def test_all_is_described() -> None:
    looks = {name: DreamSettings() for name in ("dogs", "eyes", "my look-2")}
    controls = Controls(LiveParameters(), looks, "dogs")
    facts = {control.address: described(control) for control in catalogue(controls)}
    assert facts["strength"]["high"] == 2
    assert facts["persistence"]["fine_above"]
    assert facts["b/preset"]["choices"] == ("dogs", "eyes", "my look-2")
    assert facts["blackout"] == {
        "address": "blackout",
        "kind": "switch",
        "label": "Blackout",
        "help": "Show black.",
        "default": False,
    }
    assert {*ACTIONS, *LiveParameters.model_fields} - facts.keys() == controls.idle
    assert all(fact["help"].endswith(".") for fact in facts.values())


def test_what_follows_sound_is_there_where_sound_is() -> None:
    controls = Controls(LiveParameters(), {"dogs": DreamSettings()}, "dogs")
    assert not [control for control in catalogue(controls) if "reactivity" in control.address]
    controls.reacts = True
    found = {control.address for control in catalogue(controls)}
    assert {"reactivity", "lfo/reactivity/depth"} <= found


def test_what_steers_is_there_in_a_journey_and_what_lies_over_a_source_is_not() -> None:
    controls = Controls(LiveParameters(), {"dogs": DreamSettings()}, "dogs")
    before = {control.address for control in catalogue(controls)}
    controls.journey = True
    journey = {control.address for control in catalogue(controls)}
    steering = ("zoom", "turn", "pan_x", "pan_y", "throw")
    parts = {f"lfo/{name}/{part}" for name in steering for part in LFO_PARTS}
    assert journey - before == {*steering, *parts}
    gone = ("strength", "persistence", "a/persistence", "b/persistence")
    parts = {f"lfo/{name}/{part}" for name in gone for part in LFO_PARTS}
    assert before - journey == {*gone, *parts, "only", "bypass"}
