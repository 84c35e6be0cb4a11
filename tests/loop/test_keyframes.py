"""The keyframes of a loop."""

from __future__ import annotations

from typing import Any

import pytest

from stream_dream.errors import NetworkError, SettingsError
from stream_dream.loop.keyframes import way_around
from stream_dream.settings.dream import DreamSettings, merged
from stream_dream.settings.output import LoopSettings
from stream_dream.settings.presets import load_preset, presets
from stream_dream.settings.validation import validated

DOGS = merged(load_preset("dogs").dream, {"layer": ["block10"]})
MANY = {"layer": [f"block{number}" for number in range(13)]}


def way(*dreams: DreamSettings, given: dict[str, Any] | None = None, **values: Any) -> list[str]:
    keyframes = way_around(dreams, validated(LoopSettings, values), given=given or {})
    return [" ".join(map(str, (*keyframe.layer, *keyframe.classes))) for keyframe in keyframes]


def test_a_single_look_is_not_changed() -> None:
    assert way_around([DOGS], LoopSettings(), given={}) == [DOGS]


def test_a_still_passes_through_layers_near_its_own() -> None:
    assert way(DOGS, motion="still") == ["block10", "block12", "block8", "block5"]
    assert way(merged(DOGS, {"layer": ["block15=2"]}), motion="still")[0] == "block15=2"
    assert way(merged(DOGS, {"layer": []}), motion="still") == way(DOGS, motion="still")


def test_a_still_passes_through_what_was_chosen() -> None:
    channels = {"layer": ["block10:4,42=2"]}
    several = ["block10:4=2", "block10:42=2"]
    assert way(merged(DOGS, channels), motion="still", given=channels) == several
    layers = {"layer": ["block3", "block8=0.5"]}
    assert way(merged(DOGS, layers), motion="still", given=layers) == ["block3", "block8=0.5"]
    classes = merged(DOGS, {"class": ["tabby cat", "lorikeet=0.5"]})
    chosen = {"classes": ["tabby cat", "lorikeet=0.5"]}
    assert way(classes, motion="still", given=chosen) == ["tabby cat", "lorikeet=0.5"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [preset.name for preset in presets()])
def test_a_still_passes_through_every_look(name: str) -> None:
    look = load_preset(name).dream
    keyframes = way(look, motion="still")
    # Layers that a look mixes stay together.
    assert keyframes[0] == (" ".join(map(str, look.layer)) or "block10")
    assert len(set(keyframes)) > 1


def test_groups_of_layers_become_keyframes() -> None:
    groups = ["block10+block5=0.5", "block3"]
    assert way(DOGS, morph_layer=groups) == ["block10 block5=0.5", "block3"]
    assert way(DOGS, morph_layer=groups, motion="still") == ["block10 block5=0.5", "block3"]


def test_presets_become_keyframes() -> None:
    spirals = load_preset("spirals").dream
    own = " ".join(map(str, spirals.layer))
    assert way(DOGS, spirals) == ["block10", own]
    assert way(DOGS, spirals, motion="still") == ["block10", own]


def test_changing_looks_lower_persistence_unless_it_is_given() -> None:
    still = validated(LoopSettings, {"motion": "still"})
    keyframe = way_around([DOGS], still, given={})[0]
    assert keyframe.persistence < DOGS.persistence
    assert keyframe.step_size > DOGS.step_size
    slow = validated(LoopSettings, {"motion": "still", "frames": 400})
    assert way_around([DOGS], slow, given={})[0].persistence > keyframe.persistence
    kept = way_around([DOGS], still, given={"persistence": "0.98"})[0]
    assert (kept.persistence, kept.step_size) == (DOGS.persistence, DOGS.step_size)
    own = way_around([DOGS], still, given={"step_size": "0.0095"})[0]
    assert own.persistence == keyframe.persistence
    assert own.step_size == DOGS.step_size


@pytest.mark.parametrize(
    ("dream", "values", "given", "problem"),
    [
        ({"guide": "x.png"}, {"motion": "still"}, {}, "guide"),
        ({"class": ["281"]}, {"motion": "still"}, {"classes": ["281"]}, "these are 1"),
        (MANY, {"motion": "still"}, MANY, "these are 13"),
        ({}, {"morph_layer": ["block1"]}, {"layer": ["block1"]}, "give one"),
    ],
)
def test_contradictions_are_refused(
    dream: dict[str, Any], values: dict[str, Any], given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        way(merged(DOGS, dream), given=given, **values)


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(NetworkError):
        way(DreamSettings(network="nonsense"), motion="still")
