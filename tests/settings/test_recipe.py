"""Recipes as values: exact, in ASCII, and refused in one line where they cannot be used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.presets import load_preset, preset_names
from stream_dream.settings.presets.surprise import surprise
from stream_dream.settings.recipe import (
    Recipe,
    default_values,
    defaults_of,
    is_recipe,
    parse_recipe,
)
from stream_dream.settings.validation import validated

COMPLETE = Recipe(
    command="loop",
    source="夢\udcff.png",
    options={"reverse": True, "layer": ["a", "b"], "frames": "3"},
    looks={"dogs": {"layer": ["block10"]}},
    defaults=defaults_of("loop"),
)


def parsed_look(look: DreamSettings, **defaults: Any) -> DreamSettings:
    """Return a look as a recipe gives it that has gone through its text."""
    recipe = Recipe.of_look(look, command="render", source="a/b.mp4")
    recipe = recipe.model_copy(update={"defaults": recipe.defaults | defaults})
    return parse_recipe(recipe.text, origin="a").look("look")


def test_the_text_is_ascii_and_gives_the_same_recipe() -> None:
    assert COMPLETE.text.isascii()
    assert "\n" not in COMPLETE.text
    assert is_recipe(COMPLETE.text)
    assert parse_recipe(COMPLETE.text, origin="a") == COMPLETE


def test_every_look_comes_out_as_it_was() -> None:
    looks = [load_preset(name).dream for name in preset_names()]
    looks += [surprise(seed).dream for seed in range(20)]
    for look in looks:
        found = parsed_look(look)
        assert found == look
        assert found.model_fields_set == look.model_fields_set


@pytest.mark.parametrize("weight", [0.1, 1 / 3, -1e-9, 123456.789, 2.0, 1.0])
def test_weights_are_exact(weight: float) -> None:
    target = {"name": "conv0", "weight": weight, "channels": (3, 7)}
    values = {"layer": [target], "class": [{"name": "tiger", "weight": weight}]}
    look = validated(DreamSettings, {**values, "step_size": 0.1 + 0.2 - 0.2, "limit": None})
    assert parsed_look(look) == look


def test_files_lose_their_folders() -> None:
    values = {"guide": "/home/me/face.png", "weights": "deep/w.h5", "network": "nets/mine.keras"}
    text = Recipe.of_look(
        validated(DreamSettings, values), command="image", source="/home/me/in.png"
    ).text
    assert all(name in text for name in ("face.png", "w.h5", "mine.keras", "in.png"))
    assert not any(folder in text for folder in ("home", "deep", "nets"))


def test_defaults_of_another_version_hold_for_its_looks() -> None:
    look = load_preset("dogs").dream
    then = parsed_look(look, momentum=0.5, steps=3, gone="since then")
    assert (then.momentum, then.steps) == (0.5, 3)
    assert then.model_fields_set == look.model_fields_set | {"momentum", "steps"}
    own = validated(DreamSettings, {"layer": ["conv0"], "momentum": 0.1})
    assert parsed_look(own, momentum=0.5).momentum == 0.1


def test_defaults_of_another_version_become_options() -> None:
    changed = {**COMPLETE.defaults, "frames": 12, "bounce": True, "crossfade": 0.25, "gone": 1}
    recipe = COMPLETE.model_copy(update={"defaults": changed})
    assert recipe.changed_defaults() == {"bounce": True, "crossfade": "0.25"}
    assert COMPLETE.changed_defaults() == {}


def test_every_default_is_kept() -> None:
    assert COMPLETE.defaults.keys() >= default_values(DreamSettings).keys()
    assert {"motion", "fps", "crf", "class"} <= COMPLETE.defaults.keys()


def test_numbers_in_edited_json_are_options_too() -> None:
    values = COMPLETE.values | {"options": {"octaves": 3, "step_size": 0.02, "cuts": False}}
    options = parse_recipe(json.dumps(values), origin="a").options
    assert options == {"octaves": "3", "step_size": "0.02", "cuts": False}


def changed(**values: Any) -> str:
    return json.dumps(COMPLETE.values | values)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (COMPLETE.text[:-1], "cut short or damaged"),
        (COMPLETE.text[:40], "cut short or damaged"),
        (COMPLETE.text.replace('"3"', "NaN"), "NaN is no number"),
        (COMPLETE.text.replace('"3"', "9" * 5000), "cut short or damaged"),
        ("[" * 100_000, "no recipe of stream-dream"),
        ("{}", "no recipe of stream-dream"),
        ("[1, 2]", "no recipe of stream-dream"),
        (changed(recipe=2, stream_dream="7.1"), "of stream-dream 7.1 and of another form"),
        (changed(recipe="1"), "of another form"),
        (changed(recipe=[1]), "of another form"),
        (changed(command="rm"), "'command' is not as expected"),
        (changed(source=3), "'source' is not as expected"),
        (changed(options=[]), "'options' is not as expected"),
        (changed(options={"crf": {"a": 1}}), "is not as expected"),
        (changed(options={"crf": None}), "is not as expected"),
        (changed(looks={"dogs": 3}), "is not as expected"),
        (changed(looks=None), "is not as expected"),
        (changed(score={"name": "a", "tracks": {"x": 3}}), "is not as expected"),
        (changed(score={}), "is not as expected"),
        (changed(more={}), "'more' is not as expected"),
        (changed(stream_dream="\x1b[2J" * 50, recipe=9), "of another form"),
        (changed(**{"\x1b[2J": 1}), "is not as expected"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=r"^b\.mp4.*") as refused:
        parse_recipe(text, origin="b.mp4")
    message = str(refused.value)
    assert problem in message
    assert message.isprintable()
    assert len(message) < 400


@pytest.mark.parametrize(
    "values",
    [
        {"layer": [3.5]},
        {"octaves": 10**4000},
        {"unknown": 1},
        {"steps": "many"},
        {"network": {"a": 1}},
        {"limit": True},
    ],
)
def test_a_look_with_wrong_values_is_refused_in_one_line(values: dict[str, Any]) -> None:
    recipe = parse_recipe(changed(looks={"bad\x1b": values}), origin="a")
    with pytest.raises(SettingsError, match=r"^the recipe's look 'bad\\x1b'") as refused:
        recipe.look("bad\x1b")
    assert str(refused.value).isprintable()
