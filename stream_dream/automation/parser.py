"""Parses formulas: a tokenizer, and a parser by precedence."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple, NoReturn

import numpy as np

from stream_dream.automation.curves import SOUND_CURVES
from stream_dream.automation.functions import (
    COOLDOWN,
    FUNCTIONS,
    LENGTHS,
    NUMBERS,
    RISE,
    SETTLED,
    VARIABLES,
    Function,
    Now,
)
from stream_dream.automation.steps import Apply, Code, Name, Number, Rise, Step, run
from stream_dream.automation.text import at_column, shown
from stream_dream.automation.timeline import UNITS, Length, Timeline
from stream_dream.errors import SettingsError

_LONGEST = 1000
_DEEPEST = 40
_TOKEN = re.compile(
    r"""
    (?P<number> (?:[0-9]+\.?[0-9]*|\.[0-9]+) (?:[eE][+-]?[0-9]+)? )
        # A per cent sign between two values divides.
        (?P<unit> (?:bars?|[bs])(?![A-Za-z0-9_]) | %(?=\s*(?:[),]|$)) )?
    | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<sign> \*\*|//|[<>=!]=|[-+*/%<>()|&~,] )
    | (?P<other> \S )
    """,
    re.VERBOSE,
)
_SYNONYMS = {"|": "or", "&": "and", "~": "not"}
# Operators that bind more strongly have a higher level.
_NOT, _COMPARISON, _SIGN, _POWER = 3, 4, 7, 8
_LEVELS = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), _COMPARISON),
    **dict.fromkeys("+-", 5),
    **dict.fromkeys(("*", "/", "//", "%"), 6),
    "**": _POWER,
}
_WORDS = ("or", "and", "not")

RESERVED = frozenset({*VARIABLES, *NUMBERS, *FUNCTIONS, *SOUND_CURVES, *_WORDS})
"""Names that have a meaning in every formula."""


class _Token(NamedTuple):
    """A word or sign, "" at the end; ``place`` is counted from 0."""

    kind: str
    text: str
    place: int
    unit: str = ""


class Parser:
    """Parses one formula."""

    def __init__(self, text: str, offset: int, names: Collection[str]) -> None:
        """Create a parser.

        Args:
            text: The formula.
            offset: Where it begins in the text that was typed; errors name columns of that.
            names: Names of further curves.
        """
        self._tokens = _tokens(text, offset)
        self._next = 0
        self._curves = {*SOUND_CURVES, *names}
        self._steps: list[Step] = []
        self._depth = 0

    def parse(self) -> Code:
        """Return the steps of the formula.

        Raises:
            SettingsError: It is not understood; the message names the column.
        """
        self._formula()
        token = self._peek()
        if token.text == ")":
            raise at_column(token.place, "this ) closes nothing: take it away, or add a (")
        if token.text == ",":
            raise at_column(token.place, "this comma is in no brackets: decimals take a point")
        if token.kind != "end":
            raise _lacks_operator(token)
        return tuple(self._steps)

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._peek()
        self._next += token.kind != "end"
        return token

    def _formula(self, floor: int = 0) -> None:
        """Parse operands, and the operators between them whose level is at least ``floor``."""
        self._operand()
        compared = False
        while (level := _LEVELS.get(self._peek().text, -1)) >= floor:
            token = self._take()
            if compared and level == _COMPARISON:
                raise at_column(token.place, "this compares twice: write 0 < t and t < 9")
            compared = level == _COMPARISON
            if level == _POWER:
                self._nested(level, token)
            else:
                self._formula(level + 1)
            self._steps.append(Apply(token.text, 2))

    def _nested(self, floor: int, token: _Token) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise at_column(token.place, f"this is nested more than {_DEEPEST} deep: simplify it")
        self._formula(floor)
        self._depth -= 1

    def _operand(self) -> None:
        token = self._take()
        if token.kind == "number":
            if token.unit:
                raise _is_a_length(token)
            self._steps.append(Number(_number(token)))
        elif token.text == "(":
            self._nested(0, token)
            self._close(token)
        elif token.text in ("+", "-"):
            self._nested(_SIGN, token)
            if token.text == "-":
                self._negate()
        elif token.text == "not":
            self._nested(_NOT, token)
            self._steps.append(Apply("not", 1))
        elif token.kind == "name" and token.text not in _WORDS:
            self._named(token)
        else:
            found = f"before {shown(token.text)}" if token.text else "at the end"
            raise at_column(token.place, f"a value is missing {found}: add it, such as t or 0.5")

    def _negate(self) -> None:
        """Change the sign of what was parsed last; a number stays a bare number."""
        last = self._steps[-1]
        if isinstance(last, Number):
            self._steps[-1] = Number(-last.value)
        else:
            self._steps.append(Apply("negative", 1))

    def _close(self, opening: _Token) -> None:
        token = self._take()
        if token.kind == "end":
            raise at_column(opening.place, "this ( is never closed: add a )")
        if token.text == ",":
            raise at_column(token.place, "this comma separates nothing: decimals take a point")
        if token.text != ")":
            raise _lacks_operator(token)

    def _named(self, token: _Token) -> None:
        name = token.text
        called = self._peek().text == "("
        if called and name in FUNCTIONS:
            count = self._arguments(token, FUNCTIONS[name])
            self._steps.append(Apply(name, count))
        elif called and name in self._curves:
            self._rise(token)
        elif name in NUMBERS:
            self._steps.append(Number(NUMBERS[name]))
        elif name in VARIABLES or name in self._curves:
            self._steps.append(Name(name))
        elif name in FUNCTIONS:
            usage = FUNCTIONS[name].usage(name)
            raise at_column(token.place, f"{name} is a function: write {usage}")
        else:
            self._unknown(token, called=called)

    def _unknown(self, token: _Token, *, called: bool) -> NoReturn:
        known = sorted({*FUNCTIONS, *self._curves} | ({*VARIABLES} if not called else set()))
        near = difflib.get_close_matches(token.text[:20], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "known are t, sec, bass, sin and many more"
        raise at_column(token.place, f"there is no {shown(token.text)}: {hint}")

    def _arguments(self, token: _Token, function: Function) -> int:
        """Parse the arguments of a function in brackets; return their number."""
        opening = self._take()
        count = 0
        while not (count == 0 and self._peek().text == ")"):
            parameters = function.parameters
            self._argument(parameters[min(count, len(parameters) - 1)], opening)
            count += 1
            if self._peek().text != ",":
                break
            self._take()
        self._close(opening)
        if not function.takes(count):
            usage = function.usage(token.text)
            raise at_column(token.place, f"{token.text} takes another number of values: {usage}")
        return count

    def _argument(self, parameter: str, opening: _Token) -> None:
        token = self._peek()
        if parameter in LENGTHS and token.unit:
            self._take()
            self._steps.append(_length(token, _number(token), parameter))
            return
        begin = len(self._steps)
        self._nested(0, opening)
        if parameter in LENGTHS or parameter in SETTLED:
            value = _settled(tuple(self._steps[begin:]), token, parameter)
            step = _length(token, value, parameter) if parameter in LENGTHS else Number(value)
            self._steps[begin:] = [step]

    def _rise(self, token: _Token) -> None:
        begin = len(self._steps)
        self._arguments(token, RISE)
        values = self._steps[begin:]
        threshold = values[0].value if isinstance(values[0], Number) else 0.0
        cooldown = values[1] if len(values) > 1 and isinstance(values[1], Length) else COOLDOWN
        self._steps[begin:] = [Rise(token.text, threshold, cooldown)]


def _tokens(text: str, offset: int) -> list[_Token]:
    if len(text) > _LONGEST:
        raise at_column(
            offset, f"this is longer than {_LONGEST} characters: use keys, or a curve from a file"
        )
    found = []
    for match in _TOKEN.finditer(text):
        place, kind = match.start() + offset, match.lastgroup or ""
        if kind == "other":
            power = ": write ** for a power" if match[0] == "^" else ": take it away"
            hint = ": write == to compare" if match[0] == "=" else power
            raise at_column(place, f"{shown(match[0])} means nothing here{hint}")
        if match["number"]:
            found.append(_Token("number", match["number"], place, match["unit"] or ""))
        else:
            found.append(_Token(kind, _SYNONYMS.get(match[0], match[0]), place))
    return [*found, _Token("end", "", len(text) + offset)]


def _number(token: _Token) -> float:
    value = float(token.text)
    if abs(value) == np.inf:
        raise at_column(token.place, f"{shown(token.text)} is too large: give a smaller number")
    return value


def _is_a_length(token: _Token) -> SettingsError:
    text = token.text + token.unit
    if token.unit == "%":
        share = f"{_number(token) / 100:g}"
        return at_column(token.place, f"{shown(text)} is a length of time: write {share}")
    hint = f"only waves take one, as in sine({text[:20]}): compare sec or t with a number"
    return at_column(token.place, f"{shown(text)} is a length of time: {hint}")


def _length(token: _Token, amount: float, parameter: str) -> Length:
    least = 0.0 if parameter == "cooldown" else 1e-6
    if not least <= amount <= 1e9:
        raise at_column(
            token.place, f"a {parameter} cannot be {amount:g}: give more than 0, such as 50 or 2s"
        )
    return Length(amount, UNITS[token.unit])


def _settled(steps: Code, token: _Token, parameter: str) -> float:
    """Return the one number that a formula without variables is."""
    if any(isinstance(step, Name | Rise | Length) for step in steps):
        form = "a number such as 50, 2s, 4b or 25%" if parameter in LENGTHS else "a number"
        raise at_column(token.place, f"the {parameter} cannot change: give {form}")
    with np.errstate(all="ignore"):
        value = float(run(steps, Now(np.zeros(1), Timeline(Fraction(1)), 0), {}))
    if not abs(value) < np.inf:
        raise at_column(token.place, f"the {parameter} is not a number: give one")
    return value


def _lacks_operator(token: _Token) -> SettingsError:
    hint = ": write where(condition, yes, no)" if token.text == "if" else ": add one"
    return at_column(token.place, f"there is no operator before {shown(token.text)}{hint}")
