"""Pieces of the texts that describe values over time, and errors that name a column."""

from __future__ import annotations

from collections.abc import Iterator

from stream_dream.errors import SettingsError

_LONGEST = 40


def at_column(place: int, problem: str) -> SettingsError:
    """Return an error at a place in a text, counted from 0; the message counts from 1."""
    return SettingsError(f"column {place + 1}: {problem}")


def shown(text: str) -> str:
    """Return a text in quotes and in one line, shortened."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def plainly(name: str) -> str:
    """Return a name as it is if that is short and printable, else as ``shown``."""
    return name if name.isprintable() and len(name) <= _LONGEST else shown(name)


def items(text: str) -> Iterator[tuple[int, str]]:
    """Yield what lies between commas outside brackets, and where it begins, without blanks.

    Raises:
        SettingsError: A bracket is missing, or an item before the last comma.
    """
    opened: list[int] = []
    begin = 0
    for place, sign in enumerate(text + ","):
        if sign == "(":
            opened.append(place)
        elif sign == ")":
            if not opened:
                raise at_column(place, "this ) closes nothing: take it away, or add a (")
            opened.pop()
        elif sign == "," and (not opened or place == len(text)):
            if opened:
                raise at_column(opened[-1], "this ( is never closed: add a )")
            item = text[begin:place]
            blanks = len(item) - len(item.lstrip())
            if item.strip():
                yield begin + blanks, item.strip()
            elif place < len(text):
                raise at_column(place, "there is nothing before this comma: take it away")
            begin = place + 1
