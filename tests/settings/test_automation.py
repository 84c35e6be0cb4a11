"""Settings of what changes over time: limits, and the files that they name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from programs import look

from stream_dream.errors import SettingsError
from stream_dream.settings.automation import (
    Automation,
    AutomationOptions,
    files_of_looks,
    looks_with_files,
)
from stream_dream.settings.fields import named_files
from stream_dream.settings.validation import validated


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bpm": "0"}, "--bpm cannot be '0': give at least 20"),
        ({"bpm": "nan"}, "--bpm cannot be 'nan': give a finite number"),
        ({"bpm": "1e9"}, "give at most 400"),
        ({"bpm": "fast"}, "--bpm cannot be 'fast': give a number"),
        ({"offset": "1:2:3:4"}, "--offset cannot be '1:2:3:4': give seconds, mm:ss or hh:mm:ss"),
        ({"offset": "1e999"}, "--offset cannot be '1e999': give a finite number"),
        ({"soundtrack": ""}, "--soundtrack cannot be '': it is empty"),
        ({"score": "a\0b"}, "--score cannot be"),
    ],
)
def test_wrong_values_are_one_clear_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        validated(AutomationOptions, values)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_times_are_written_as_clocks_are() -> None:
    assert validated(AutomationOptions, {"offset": "1:02.5"}).offset == 62.5
    assert validated(AutomationOptions, {"offset": "-0.1"}).offset == -0.1


def test_all_files_have_names_and_can_be_replaced() -> None:
    made = Automation(
        soundtrack=Path("song.mp3"),
        beats=Path("beats.txt"),
        curves={"a": Path("a.csv"), "b": Path("b.csv")},
        looks=(look(guide="guide.png"), look(), look(weights="w.npz")),
    )
    named = {**named_files(made), **made.more_files}
    assert named == {
        "soundtrack": Path("song.mp3"),
        "beats": Path("beats.txt"),
        "curve a": Path("a.csv"),
        "curve b": Path("b.csv"),
        "guide of look 1": Path("guide.png"),
        "weights of look 3": Path("w.npz"),
    }
    moved = made.with_files({name: Path("/there") / path for name, path in named.items()})
    assert {**named_files(moved), **moved.more_files} == {
        name: Path("/there") / path for name, path in named.items()
    }
    assert moved.looks[1] == made.looks[1]


def test_looks_without_files_stay_as_they_are() -> None:
    looks = (look(), look(octaves=2))
    assert files_of_looks(looks) == {}
    assert looks_with_files(looks, {}) == looks


def test_an_automation_survives_json() -> None:
    made = Automation(
        soundtrack=Path("song.mp3"),
        react="bass->strength+1",
        bpm=120,
        offset=0.5,
        tracks={"strength": "0:(0), 2s:(1)"},
        curves={"a": Path("a.csv")},
        look_track="0:a, 2s:b",
        looks=(look(guide="guide.png", layer=["block5:1,2=0.5"]), look(limit=None)),
    )
    text = json.dumps(made.model_dump(mode="json"))
    assert Automation.model_validate(json.loads(text)) == made
    assert Automation.model_validate({}) == Automation()
