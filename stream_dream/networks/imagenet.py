"""The 1000 classes of ImageNet by number and by name."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from functools import cache
from importlib import resources

from stream_dream.errors import NetworkError

# Distinguishes classes with the same first name.
_MEANINGS = {
    134: "the bird",
    264: "the dog",
    474: "the jacket",
    517: "the machine",
    638: "tights",
    639: "the swimsuit",
}


def class_number(text: str) -> int:
    """Find an ImageNet class by its number or by one of its names.

    Args:
        text: 0 to 999, or a synonym such as ``tabby cat``; case, apostrophes and dots are ignored,
            and spaces, underscores and hyphens are alike. If several classes share a name, the only
            one with it as its first name is meant: ``harp`` is never the harmonica.

    Raises:
        NetworkError: There is no such class, or several share the name.
    """
    given = text.strip()
    if re.fullmatch(r"[+-]?[0-9]+", given):
        return _checked(int(given[:9]))  # longer ones are out of range all the same
    found = _by_name().get(_key(given), ())
    firsts = [number for number in found if _key(class_name(number)) == _key(given)]
    if len(found) == 1:
        return found[0]
    if len(firsts) == 1:
        return firsts[0]
    if found:
        choices = " or ".join(map(_described, found))
        raise NetworkError(f"{given!r} is the name of several ImageNet classes: give {choices}")
    raise NetworkError(f"there is no ImageNet class {given!r}: {_advice(_key(given))}")


def class_name(number: int) -> str:
    """Return the first synonym of an ImageNet class, 0 to 999.

    Raises:
        NetworkError: There is no class of that number.
    """
    return _classes()[_checked(number)][0]


def _checked(number: int) -> int:
    if not 0 <= number < len(_classes()):
        raise NetworkError(f"there is no ImageNet class {number}: choose 0 to 999, or give a name")
    return number


@cache
def _classes() -> tuple[tuple[str, ...], ...]:
    """Read the synonyms of all classes, by number."""
    file = resources.files("stream_dream.networks") / "imagenet_classes.txt"
    return tuple(tuple(line.split(", ")) for line in file.read_text("utf-8").splitlines())


@cache
def _by_name() -> dict[str, tuple[int, ...]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, names in enumerate(_classes()):
        for key in dict.fromkeys(map(_key, names)):  # "tree frog" and "tree-frog" are one
            found[key].append(number)
    return {key: tuple(numbers) for key, numbers in found.items()}


def _key(name: str) -> str:
    """Normalize a name for comparison: lower case, single spaces between words."""
    return re.sub(r"[\W_]+", " ", re.sub(r"['\u2019.]", "", name.casefold())).strip()


def _advice(key: str) -> str:
    """Suggest names: first those that contain the key as a word, then those of similar spelling."""
    names = list(_by_name())
    containing = [name for name in names if key and f" {key} " in f" {name} "]
    nearest = [*containing[:5], *difflib.get_close_matches(key, names, n=5)]
    if not nearest:
        return "give a number, 0 to 999, or a name such as 'tabby cat'"
    spelled = [_spelled(name) for name in dict.fromkeys(nearest)]
    return f"did you mean {', '.join(spelled[:5])}?"


def _spelled(key: str) -> str:
    """Return a name as spelled in the list."""
    names = _classes()[_by_name()[key][0]]
    return next(name for name in names if _key(name) == key)


def _described(number: int) -> str:
    meaning = _MEANINGS.get(number)
    return f"{number} ({class_name(number)}{f', {meaning}' if meaning else ''})"
