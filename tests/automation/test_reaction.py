"""What settings do when sound plays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from stream_dream.automation.curves import TimeCurve
from stream_dream.automation.expression import Scope
from stream_dream.automation.reaction import DEFAULT_REACTION, Reaction
from stream_dream.automation.timeline import BeatGrid, Length, Timeline
from stream_dream.errors import SettingsError

FRAMES = np.array([0.0, 50, 100])
RAMP = TimeCurve(np.array([0.0, 4.0]), np.array([0, 1], np.float32))
SCOPE = Scope(Timeline(Fraction(25), beats=BeatGrid.regular(120)), {"bass": RAMP, "level": RAMP})


def applied(text: str, value: float = 2.0, amount: float = 1.0) -> list[float]:
    """Return a setting's value where the curves are 0, a half and 1."""
    values = np.full(3, value)
    return Reaction.parse(text).apply("strength", values, FRAMES, SCOPE, amount).tolist()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("bass->strength*3", [2, 4, 6]),
        ("bass -> strength * 0.5", [2, 1.5, 1]),
        ("bass->strength+0.3", [2, 2.15, 2.3]),
        ("bass->strength-1", [2, 1.5, 1]),
        ("bass->strength+-1", [2, 1.5, 1]),
        ("bass->strength=0.7..1.2", [0.7, 0.95, 1.2]),
        ("bass->strength = 1..-1", [1, 0, -1]),
        ("min(bass, 0.5)*2->strength+1", [2, 3, 3]),
        ("bass*9-4->strength+1", [2, 2.5, 3]),
        ("bass->strength+1, level->strength*2", [2, 3.75, 6]),
        ("level->strength*2, bass->strength+1", [2, 3.5, 5]),
        ("bass->step_size*2", [2, 2, 2]),
    ],
)
def test_a_setting_reacts(text: str, values: list[float]) -> None:
    assert applied(text) == pytest.approx(values)


@pytest.mark.parametrize("change", ["*3", "+0.3", "=0.7..1.2"])
def test_the_amount_scales_a_reaction(change: str) -> None:
    text = f"bass->strength{change}"
    full = np.array(applied(text))
    assert applied(text, amount=0) == [2, 2, 2]
    assert applied(text, amount=0.5) == pytest.approx((full + 2) / 2)


def test_names_may_be_written_as_options() -> None:
    reaction = Reaction.parse("bass->step-size*2, mid->strength-0.3, high->layer.block10+1")
    assert reaction.targets == {"step_size", "strength", "layer.block10"}
    assert reaction.curves == {"bass", "mid", "high"}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("bar/4->preset", Length(4, "bars")),
        ("beat / 16 -> preset", Length(16, "beats")),
        ("bar->preset", Length(1, "bars")),
        ("bass->strength*2", None),
    ],
)
def test_looks_change_with_beats_and_bars(text: str, length: Length | None) -> None:
    reaction = Reaction.parse(text)
    assert reaction.look_length == length
    assert reaction.needs == ({"beats"} if length else set())


def test_the_default_is_understood() -> None:
    reaction = Reaction.parse(DEFAULT_REACTION)
    assert reaction.targets == {"step_size", "strength", "zoom"}
    assert reaction.look_length == Length(4, "bars")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is empty"),
        ("bass", "column 1: 'bass' moves nothing"),
        ("bass->strength*2, mid", "column 19: 'mid' moves nothing"),
        ("bass=>strength*2", "column 5: the arrow is written ->"),
        ("bass->strength", "column 7: 'strength' is no change of a setting"),
        ("bass->strength*x", "column 7: 'strength*x' is no change"),
        ("bass->strength=1", "column 7: 'strength=1' is no change"),
        ("mid->zoom+1, bas->strength*2", "column 14: there is no 'bas': did you mean bass?"),
        ("->strength*2", "column 1: a value is missing"),
        ("onset->preset", "column 1: 'onset' cannot change the preset: write bar/4->preset"),
        ("bar/0->preset", "column 1: 'bar/0' cannot change the preset"),
        ("(bass->strength*2", "column 1: this ( is never closed"),
    ],
)
def test_errors_name_the_column(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Reaction.parse(text)
    assert str(caught.value).startswith(message)
