"""Formulas: their values, what they need, and what is said of wrong ones."""

from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

from stream_dream.automation.curves import TimeCurve
from stream_dream.automation.expression import Scope, parse
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.errors import SettingsError

RAMP = TimeCurve(np.array([0.0, 4.0]), np.array([0, 1], np.float32))
SCOPE = Scope(
    Timeline(Fraction(25), 101, None, BeatGrid.regular(120)), {"bass": RAMP, "fader": RAMP}, seed=7
)


def value(text: str, frame: float = 10, scope: Scope = SCOPE) -> float:
    return float(parse(text, names=scope.curves).sample(np.array([frame], float), scope)[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("16 / 4 / 2", 2),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("-7 % 3", -1),  # as numexpr, not as Python
        ("50%3", 2),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("2 ** 3 ** 2", 512),
        ("--3", 3),
        ("+3 - -3", 6),
        (".5 + 1. + 1e-1", 1.6),
        ("2 < 3 and 3 < 2 or 1", 1),
        ("not 1 or 1", 1),
        ("not (1 or 1)", 0),
        ("~(t > 5) | (t == 10)", 1),
        ("t > 5 & t < 10", 0),
        ("1 + 1 >= 2", 1),
        ("t != 10", 0),
        ("where(t <= 10, 3, 4)", 3),
        ("where(t > 10, 1/0, 4)", 4),
        ("min(3, 1, 2) + max(3, 1, 2)", 4),
        ("clip(t, 0, 5) + clip(-t, 0, 5)", 5),
        ("arctan2(1, -1)", 0.75 * math.pi),
        ("asin(1) + arccos(1) + atan(0)", math.pi / 2),
        ("log(e) + log10(100) + sqrt(9) + exp(0)", 7),
        ("floor(-1.5) + ceil(1.2) + round(2.6) + abs(-4) + sign(-9)", 6),
        ("cos(pi)", -1),
        ("t + max_f + fps + s", 142),
        ("sec", 0.4),
        ("beats", 0.8),
        ("bars", 0.2),
        ("beat", 0.2),
        ("bar", 0.8),
        ("bass * 10 + fader * 10", 2),
    ],
)
def test_values(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, abs=1e-8)


def test_deforums_own_example() -> None:
    # 0.6 + 0.4 sin(2 pi t / 25): a quarter of the period is 6.25 frames.
    frames = np.array([0, 6.25, 12.5, 18.75, 25])
    sampled = parse("0.6+0.4*sin(2*pi*t/25)").sample(frames, SCOPE)
    assert sampled == pytest.approx([0.6, 1.0, 0.6, 0.2, 0.6], abs=1e-8)


def test_a_beat_is_1_and_falls_until_the_next() -> None:
    frames = np.arange(0, 3601 * 25, 25, dtype=float)  # two beats a second, for an hour
    assert (parse("beat").sample(frames, SCOPE) == 1).all()
    between = parse("beat").sample(np.array([0, 3.125, 6.25, 12.4]), SCOPE)
    assert between == pytest.approx([1, 0.75, 0.5, 0.008])


@pytest.mark.parametrize(
    ("text", "constant"), [("0.5", 0.5), ("(-1)", -1), ("+2", 2), ("1+1", None), ("t", None)]
)
def test_a_bare_number_is_known_as_one(text: str, constant: float | None) -> None:
    assert parse(text).constant == constant


@pytest.mark.parametrize(
    ("text", "needs", "curves"),
    [
        ("t + sec", set(), set()),
        ("max_f", {"length"}, set()),
        ("sine(25%) + noise(2s)", {"length"}, set()),
        ("beat + bar", {"beats"}, set()),
        ("tri(4b)", {"beats"}, set()),
        ("kick(0.5, 1b) + bass", {"beats"}, {"kick", "bass"}),
    ],
)
def test_needs_are_known_before_evaluation(text: str, needs: set[str], curves: set[str]) -> None:
    expression = parse(text)
    assert (expression.needs, expression.curves) == (needs, curves)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_f", "max_f and % need a length"),
        ("sine(25%)", "max_f and % need a length"),
        ("beat", "beats and bars are unknown here"),
        ("bass", "'bass' needs sound, and there is none"),
        ("bass(0.5)", "'bass' needs sound, and there is none"),
    ],
)
def test_what_is_unknown_is_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        value(text, scope=Scope(Timeline(Fraction(25))))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1/(t-12)", "is infinite or too large"),
        ("0/(t-12)", "is not a number"),
        ("sqrt(11.5-t)", "is not a number"),
        ("log(12-t)", "is infinite or too large"),
        ("where(t<12, 1, 9**9**9**9)", "is infinite or too large"),
        ("where(t<12, 1, 1e16)", "is infinite or too large"),
    ],
)
def test_a_frame_without_a_value_is_named(text: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text).sample(np.arange(20.0), SCOPE)
    assert (
        str(caught.value) == f"'{text}' {problem} at frame 12: prevent that with max, clip or where"
    )


def test_any_part_of_a_film_has_the_same_bits() -> None:
    text = "sin(t/7)**2 + noise(13, 2)*exp(-t/50) + tan(t)/3 + beat*bass + tri(3b)"
    expression, frames = parse(text), np.arange(503.0)
    whole = expression.sample(frames, SCOPE)
    for begin in range(0, 500, 7):
        part = expression.sample(frames[begin : begin + 9], SCOPE)
        assert part.tobytes() == whole[begin : begin + 9].tobytes()


def test_an_expression_can_go_to_another_process() -> None:
    expression = parse("sine(2s) + onset(0.5)*bass")
    assert pickle.loads(pickle.dumps(expression)) == expression


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: a value is missing at the end"),
        ("2 +", "column 4: a value is missing at the end"),
        ("2 * / 3", "column 5: a value is missing before '/'"),
        ("t and", "column 6: a value is missing at the end"),
        ("1 2", "column 3: there is no operator before '2'"),
        ("2pi", "column 2: there is no operator before 'pi'"),
        ("(1", "column 1: this ( is never closed"),
        ("sin(t", "column 4: this ( is never closed"),
        ("1)", "column 2: this ) closes nothing"),
        ("1, 2", "column 2: this comma is in no brackets"),
        ("(1, 2)", "column 3: this comma separates nothing"),
        ("3 + flor(t)", "column 5: there is no 'flor': did you mean floor?"),
        ("Bass", "column 1: there is no 'Bass': did you mean bass?"),
        ("t(5)", "column 2: there is no operator before '('"),
        ("sin", "column 1: sin is a function: write sin(x)"),
        ("sin(1, 2)", "column 1: sin takes another number of values: sin(x)"),
        ("sine()", "takes another number of values: sine(period) or sine(period, phase)"),
        ("max(1)", "max(a, b, ...)"),
        ("0 < t < 9", "column 7: this compares twice"),
        ("t = 5", "column 3: '=' means nothing here: write == to compare"),
        ("t ^ 2", "column 3: '^' means nothing here: write ** for a power"),
        ("t.x", "column 2: '.' means nothing here"),
        ("t[0]", "column 2: '[' means nothing here"),
        ("a:b", "column 2: ':' means nothing here"),
        ("\x00", "column 1: '\\x00' means nothing here"),
        ("2s * 3", "column 1: '2s' is a length of time: only waves take one, as in sine(2s)"),
        ("1 + (50%)", "column 6: '50%' is a length of time: write 0.5"),
        ("sine(t)", "column 6: the period cannot change"),
        ("sine(0)", "column 6: a period cannot be 0"),
        ("sine(-2)", "column 6: a period cannot be -2"),
        ("sine(1/0)", "column 6: the period is not a number"),
        ("noise(2s, t)", "column 11: the seed cannot change"),
        ("kick(bass)", "column 6: the threshold cannot change"),
        ("9" * 400, "is too large"),
        ("(" * 41 + "1" + ")" * 41, "column 41: this is nested more than 40 deep"),
        ("-" * 41 + "1", "column 41: this is nested more than 40 deep"),
        ("1" + "**1" * 41, "this is nested more than 40 deep"),
        ("1" + "+1" * 500, "column 1: this is longer than 1000 characters"),
    ],
)
def test_errors_name_the_column(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_columns_count_from_where_the_formula_begins() -> None:
    with pytest.raises(SettingsError, match=r"^column 14: there is no 'foo'"):
        parse("1 + foo", offset=9)


def test_the_longest_and_deepest_formulas_are_evaluated() -> None:
    assert value("1" + "+1" * 499) == 500
    assert value("(" * 40 + "1" + ")" * 40) == 1
    # All levels of operators in each bracket: what takes most of the stack.
    assert value("(0or 1and 0<1+1*" * 40 + "1" + ")" * 40) == 1
    assert value("(1or 1and not 0<1+1*1**" * 13 + "1" + ")" * 13) == 1


@pytest.mark.parametrize("name", ["__import__", "eval", "open", "print", "None", "True", "lambda"])
def test_nothing_of_python_is_known(name: str) -> None:
    for text in (name, f"{name}(1)", f"t.{name}"):
        with pytest.raises(SettingsError):
            parse(text)
