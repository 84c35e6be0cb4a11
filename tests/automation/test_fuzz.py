"""Texts at random: each is understood, or refused in one line that a user understands.

``pytest -s tests/automation/test_fuzz.py`` prints how long the slowest takes.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stream_dream.automation.curves import SOUND_CURVES, TimeCurve
from stream_dream.automation.expression import Scope, parse
from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.reaction import Reaction
from stream_dream.automation.score import read_score
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.automation.track import Track
from stream_dream.errors import SettingsError

CASES = 5000
FRAMES = np.arange(8.0) * 7
RAMP = TimeCurve(np.array([0.0, 1.0]), np.array([0, 1], np.float32))
SCOPE = Scope(
    Timeline(Fraction(25), 100, (0, 30), BeatGrid.regular(120)),
    dict.fromkeys(SOUND_CURVES, RAMP),
    3,
)
# No words of Python, nor of its errors.
FOREIGN = re.compile(
    r"None|Error|object|invalid syntax|float|str\b|\bint\b|Traceback|recursion|utf-8|ndarray|dict"
)

SEEDS = {
    "expression": [
        "t+sin(t/3)*(1-bass)",
        "square(25%, 0.3) + pulse(1b, 0.1s) - min(bass, kick, level)//3",
        "where(t>5 and not beat<0.5, noise(2b, 3), -t**2)",
    ],
    "track": [
        "0:(0), 2s:(1), 8s:(0.6+0.4*sin(2*pi*t/25))",
        "0:(clip(t, -t**2, 3)), max_f-1:(3)@smooth",
        "shot 2:(clip(onset(0.5, 0.2s)*2, 0, 1)), 0:10:(5), 50%:(t%25)@step, 4bar:1",
    ],
    "looks": ["0:dogs, 12s:eyes~2s, shot 4:wild", "dogs, 50%:my.toml~1bar, 0:03:C:\\a.toml"],
    "reaction": [
        "bass->step_size*2, onset->strength+0.3, bar/4->preset, mid->zoom=0.7..1.2",
        "min(bass, level)->zoom-0.5",
    ],
}
TOML = [
    """strength = "0:(0), 2s:(a)"
    bpm = 120
    preset = "0:dogs, 2s:my.toml~1s"
    [curves]
    a = "a.csv"
    """,
    """react = true
    offset = 1e-3
    soundtrack = "a.mp3"
    [layer]
    "block5:42" = "sine(2s)"
    [class]
    281 = 1
    """,
    """octaves = 3 # a comment
    description = 'x'
    extends = "other.toml"
    jitter = [1, {a = 2}]
    """,
    "strength = 1979-05-27",
]
PIECES = [
    *"()()()+-*/%<>=!&|~^,.:;@#$[]{}'\"\\ \t\n\0\x1b\u2028é٣²",
    *("**", "//", "<=", "==", "->", "..", "and", "or", "not", "t", "sec", "max_f", "beat", "bass"),
    *("sin(", "sine(", "noise(", "onset(", "where(", "max(", "pulse(", "0:(", ",2s:(", "shot 2:"),
    *("2s", "4b", "25%", "1bar", "0", "1", "-1", "0.5", "1e308", "1e-308", "9" * 30, "\n[layer]\n"),
    *("@smooth", "preset", "~2s", " = ", "nan", "inf", "__class__", "lambda", "import", "0x1f"),
]


def texts(seeds: list[str], rng: random.Random) -> list[str]:
    """Return texts made of pieces at random, and seeds with pieces put in and taken out."""
    made = []
    for _ in range(CASES):
        if rng.random() < 0.3:
            made.append("".join(rng.choices(PIECES, k=rng.randint(0, 30))))
            continue
        text = rng.choice(seeds)
        for _ in range(rng.randint(0, 4)):
            place = rng.randint(0, len(text))
            gone = rng.choice([0, 0, 1, 1, 5])
            copies = rng.choice([0, 1, 1, 1, 1, 2, 300])
            text = text[:place] + rng.choice(PIECES) * copies + text[place + gone :]
        made.append(text)
    return made


def refused(act: Callable[[], object]) -> bool:
    """Return whether an act is refused, as it should be."""
    try:
        act()
    except SettingsError as error:
        message = str(error)
        assert message.isprintable(), message
        assert len(message) < 400, message
        # Apart from what the text itself said, in quotes.
        assert not FOREIGN.search(re.sub(r"'.*'|\".*\"|\(at .*|/\S*", "", message)), message
        return True
    return False


def report(what: str, seconds: list[float], refusals: int) -> None:
    print(
        f"{what}: the slowest of {len(seconds)} took {max(seconds) * 1000:.1f} ms of this machine"
    )
    # Neither all refused nor all understood: the texts reach deep.
    assert 0.05 * CASES < refusals < 0.95 * CASES


@pytest.mark.slow
@pytest.mark.parametrize("what", ["expression", "track", "looks", "reaction"])
def test_any_text_is_understood_or_refused(what: str) -> None:
    acts: dict[str, Callable[[str], object]] = {
        "expression": lambda text: parse(text).sample(FRAMES, SCOPE),
        "track": lambda text: Track.parse(text).sample(FRAMES, SCOPE),
        "looks": lambda text: LookTrack.parse(text).sample(FRAMES, SCOPE.timeline),
        "reaction": lambda text: Reaction.parse(text).apply("zoom", FRAMES, FRAMES, SCOPE),
    }
    seconds, refusals = [], 0
    for text in texts(SEEDS[what], random.Random(what)):
        begin = time.process_time()
        refusals += refused(lambda text=text: acts[what](text))
        seconds.append(time.process_time() - begin)
    report(what, seconds, refusals)


@pytest.mark.slow
def test_any_score_is_understood_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "score.toml"
    (tmp_path / "other.toml").write_text("cadence = 2\n")
    seconds, refusals = [], 0
    for text in texts(TOML, random.Random("score")):
        path.unlink(missing_ok=True)  # some file systems wait for the disk when one is overwritten
        path.write_text(text, encoding="utf-8")
        begin = time.process_time()
        refusals += refused(lambda: read_score(path))
        seconds.append(time.process_time() - begin)
    report("score", seconds, refusals)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10**5,
        " " * 10**5 + "x",
        "0:" * 10**5,
        "max_f" + " " * 10**5,
        "~1" * 10**5,
        "1" * 10**5,
    ],
)
@pytest.mark.parametrize("read", [parse, Track.parse, LookTrack.parse, Reaction.parse])
def test_long_texts_do_not_take_ages(read: Callable[[str], object], text: str) -> None:
    # With a pattern that tries all ways to divide the text, these would never end.
    if not refused(lambda: read(text)):
        assert read in (LookTrack.parse, Track.parse)


@pytest.mark.slow
def test_an_expression_has_fewer_steps_than_characters() -> None:
    for text in texts(SEEDS["expression"], random.Random(0)):
        try:
            steps = parse(text).steps
        except SettingsError:
            continue
        assert len(steps) <= len(text) <= 1000
