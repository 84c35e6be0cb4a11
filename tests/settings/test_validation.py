"""Every setting refuses every wrong type of TOML in plain words."""

from __future__ import annotations

import datetime
import re

import pytest
from pydantic import BaseModel

from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import typed_name
from stream_dream.settings.film import FilmSettings, PlanSettings
from stream_dream.settings.live import LiveParameters, LiveSettings
from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings
from stream_dream.settings.validation import validated
from stream_dream.settings.values import ClassTarget, LayerTarget

MODELS: tuple[type[BaseModel], ...] = (
    *(DreamSettings, OutputSettings, StillSettings, LoopSettings, FilmSettings, PlanSettings),
    *(LiveSettings, LiveParameters),
)
FIELDS = [(model, name) for model in MODELS for name in model.model_fields]
# A value of each TOML type.
VALUES = [
    *(True, False, 0, -7, 5, 10**30, 2.5, -0.5, 1e300, float("inf"), float("nan")),
    *("", "some text", "5", "0x9", "block5=", "true", "9" * 5000, f"{'9' * 5000}x5"),
    *([], [1], ["x", 2.5], [True], [[1, 2], [3]], [128, True], [128, 96], [1, 2, 3, 4]),
    *({}, {"a": 1}, [{}], [{"name": True}], [{"name": "x", "a": 1}], [{"name": "x", "weight": []}]),
    *(datetime.date(2026, 1, 2), datetime.time(0, 1, 30), datetime.datetime(2026, 1, 2, 3)),
]
JARGON = re.compile(
    r"[Tt]uple|[Ii]nput|should|NoneType|instance|valid|pydantic|field|dict|union|datetime|parse|None|"
    r"[Ff]raction|[Ss]tring|integer|literal|bool|type|mapping|True|False|[Ee]xtra|[Ee]xceed|convert"
)
ADVICE = re.compile(r": (?=give |it is |it cannot |'[^']*' is not NAME|the weight in )")


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=[f"{m.__name__}.{n}" for m, n in FIELDS])
def test_a_wrong_value_is_refused_in_plain_words(model: type[BaseModel], name: str) -> None:
    key = typed_name(model, name)
    for value in VALUES:
        try:
            validated(model, {key: value}, origin="my.toml")
        except SettingsError as error:
            message = str(error)
            assert message.startswith(f"my.toml: {key} cannot be "), message
            assert "\n" not in message
            _, advice = ADVICE.split(message, maxsplit=1)
            assert not JARGON.search(re.sub("'[^']*'", "", advice)), message


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=[f"{m.__name__}.{n}" for m, n in FIELDS])
def test_true_is_no_number(model: type[BaseModel], name: str) -> None:
    switch = isinstance(model.model_fields[name].default, bool) or name in ("web", "midi")
    for value in (True, False, [True], [64, True]):
        try:
            found = getattr(validated(model, {typed_name(model, name): value}), name)
        except SettingsError:
            continue
        assert switch
        assert value is True or value is False
        assert name in ("web", "midi") or found is value


@pytest.mark.parametrize(
    ("model", "name", "value", "found"),
    [
        (DreamSettings, "layer", "block5", (LayerTarget(name="block5"),)),
        (
            DreamSettings,
            "layer",
            "block5:1=2",
            (LayerTarget(name="block5", channels=(1,), weight=2),),
        ),
        (DreamSettings, "class", 281, (ClassTarget(name="281"),)),
        (DreamSettings, "class", "tabby cat=0.5", (ClassTarget(name="tabby cat", weight=0.5),)),
        (DreamSettings, "guide_layer", "block5", (LayerTarget(name="block5"),)),
        (LiveSettings, "web", True, ("127.0.0.1", 8000)),
        (LiveSettings, "web", False, None),
        (LiveSettings, "web", 9000, ("127.0.0.1", 9000)),
        (LiveSettings, "source", 0, "0"),
        (LiveSettings, "rotate", 90, "90"),
        (LiveSettings, "token", 1234567890, "1234567890"),
        (LiveSettings, "presets", "dogs", ("dogs",)),
        (LiveSettings, "size", [1280, 720], (1280, 720)),
        (LiveSettings, "window", 1, True),
    ],
)
def test_values_whose_meaning_is_plain_are_taken(
    model: type[BaseModel], name: str, value: object, found: object
) -> None:
    field = {typed_name(model, field): field for field in model.model_fields}[name]
    assert getattr(validated(model, {name: value}), field) == found


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (LiveSettings, {"osc": True}, "osc cannot be true: give a whole number"),
        (LiveSettings, {"window": "maybe"}, "window cannot be 'maybe': give true or false"),
        (LiveSettings, {"size": 1280}, "size cannot be 1280: give WIDTHxHEIGHT in quotes"),
        (LiveSettings, {"web": 70000}, "web cannot be 70000: give HOST:PORT, such as 127.0.0.1:80"),
        (LiveSettings, {"token": 123}, "token cannot be 123: give at least 8 characters"),
        (DreamSettings, {"guide": 5}, "guide cannot be 5: give the name of a file in quotes"),
        (DreamSettings, {"octaves": 2.5}, "octaves cannot be 2.5: give a whole number"),
        (
            DreamSettings,
            {"layer": 5.5},
            "layer cannot be 5.5: give a list of texts in quotes, such as",
        ),
        (
            FilmSettings,
            {"workers": "many"},
            "workers cannot be 'many': give a whole number or 'auto'",
        ),
        (LoopSettings, {"fps": [25]}, "fps cannot be [25]: give a number"),
        (LoopSettings, {"max_size": []}, "max_size cannot be []: give a whole number"),
        (LoopSettings, {"dither": True}, "dither cannot be true: give 'bayer', 'sierra' or 'none'"),
    ],
)
def test_messages_say_what_to_give(
    model: type[BaseModel], values: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        validated(model, values, origin="my.toml")
