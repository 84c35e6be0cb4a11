"""Options under the names that other programs have for them; neither in --help nor completed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stream_dream.errors import SettingsError

_ITERATIONS = (
    "{typed} is --steps here: per octave and frame. A film carries its dream on and needs 1 or 2; "
    "a picture, and the first frame of a shot, get --warm-up times as many"
)
_RATES = (
    "{typed} has other units in every program: give --step-size, a share of the brightness range. "
    "1.5 (DeepDreamVideo, Google's notebook) is 0.0059, 0.01 (Keras, TensorFlow) is 0.005, 0.09 "
    "(pytorch-deepdream) is about 0.02"
)
_BLEND = (
    "{typed} is the share of the new frame there: give --persistence, the share of the last dream "
    "that stays. It is 1 less that number, but 0.98 by default, as a frame gets one step"
)


class Alias(NamedTuple):
    """An option under another name.

    Attributes:
        ours: The option that it is here.
        note: What is printed with it, because it means something else there; "" for nothing.
    """

    ours: str
    note: str = ""


ALIASES = {
    **dict.fromkeys(
        ("iterations", "num-iterations", "num-gradient-ascent-iterations", "itr", "octave-iter"),
        Alias("--steps", _ITERATIONS),
    ),
    **dict.fromkeys(("num-octaves", "num-octave", "pyramid-size", "oct"), Alias("--octaves")),
    **dict.fromkeys(("pyramid-ratio", "octavescale", "octs"), Alias("--octave-scale")),
    "spatial-shift-size": Alias("--jitter"),
    "guide-image": Alias("--guide"),
    **dict.fromkeys(("model", "model-name"), Alias("--network")),
    "y": Alias("--overwrite"),
    "an": Alias("--no-audio"),
    "ss": Alias("--start"),
    "to": Alias("--end"),
}
"""By their names without dashes in front, with hyphens for underscores."""

REFUSED = {
    **dict.fromkeys(("learning-rate", "lr", "stepsize"), _RATES),
    "blend": _BLEND,
}
"""Names of options that cannot be taken over, and why not."""

# With one dash alone. Longer names may have one dash or two.
_SHORT = ("y", "an", "ss", "to")
_LONG = re.compile(r"--[a-z][a-z_-]*|-[a-z][a-z_-]{2,}")


class Translated(NamedTuple):
    """A command line in this program's own options.

    Attributes:
        arguments: The command line.
        notes: What is to be told.
    """

    arguments: list[str]
    notes: list[str]


def translated(arguments: Sequence[str]) -> Translated:
    """Translate other programs' names of options; underscores in names of options are hyphens.

    ``-i FILE`` is the first argument, the source of a show; ``-o FILE`` is the last one.

    Raises:
        SettingsError: An option means something else here.
    """
    command, own, notes = list(arguments[:1]), list[str](), list[str]()
    sources, targets = list[str](), list[str]()
    rest = iter(arguments[1:])
    for argument in rest:
        if argument == "--":
            own += [argument, *rest]
        elif argument in ("-i", "-o"):
            (sources if argument == "-i" else targets).append(_value(argument, rest))
        elif argument.startswith("-"):
            name, equals, value = argument.partition("=")
            name, note = _ours(name)
            own.append(f"{name}{equals}{value}")
            notes += [note] if note else []
        else:
            own.append(argument)
    if command == ["live"]:
        sources = [word for source in sources for word in ("--source", source)]
    return Translated([*command, *sources, *own, *targets], list(dict.fromkeys(notes)))


def _value(option: str, rest: Iterator[str]) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise SettingsError(f"{option} needs the name of a file") from None


def _ours(typed: str) -> tuple[str, str]:
    """Return an option's name here, and what is to be told about it. Raises ``SettingsError``."""
    name = typed.lstrip("-").replace("_", "-")
    if not (typed == f"-{name}" if name in _SHORT else _LONG.fullmatch(typed)):
        return typed, ""
    if name in REFUSED:
        raise SettingsError(REFUSED[name].format(typed=typed))
    alias = ALIASES.get(name, Alias(f"--{name}"))
    return alias.ours, alias.note.format(typed=typed)
