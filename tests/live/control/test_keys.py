"""Keys: their codes, what they change, what they answer."""

from __future__ import annotations

import pytest

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.keys import (
    KEYS,
    SWITCHES,
    Answer,
    keys_help,
    name_of,
    play,
    steps,
)
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters


@pytest.fixture
def controls() -> Controls:
    looks = {"dogs": DreamSettings(), "eyes": DreamSettings(octaves=3, persistence=0.9)}
    numbers = {"octaves": 2, "step_size": 0.0095, "persistence": 0.98}
    controls = Controls(LiveParameters(glide=0, **numbers), looks, "dogs")
    controls.reacts = True
    return controls


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("up", [65362, 0x140000 + 65362, 2490368, 63232, 0xFF97]),  # X11, Num Lock, Windows, macOS
        ("down", [65364, 2621440, 63233, 0xFF99]),
        ("left", [65361, 2424832, 63234, 0xFF96]),
        ("right", [65363, 2555904, 63235, 0xFF98]),
        ("esc", [27, 0x100000 + 27]),
        ("space", [32]),
        ("f", [ord("f"), ord("F"), 0x10000 + ord("F")]),
        ("3", [ord("3"), 0xFFB3]),
        ("+", [ord("+"), ord("="), 0xFFAB]),
        ("-", [ord("-"), 0xFFAD]),
        ("[", [ord("[")]),
        ("", [-1, 0, 0xFFE1, 0x700000, 13, 9, 0xE4 + 0x10000, 2**31 - 1]),
    ],
)
def test_codes_of_every_system(name: str, codes: list[int]) -> None:
    assert [name_of(code) for code in codes] == [name] * len(codes)


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("up", "strength", 1.05),
        ("down", "strength", 0.95),
        ("right", "step_size", 0.01045),
        ("left", "step_size", 0.008636),
        ("+", "octaves", 3),
        ("-", "octaves", 1),
        ("]", "persistence", 0.985),
        ("[", "persistence", 0.975),
        (".", "reactivity", 1.1),
        (",", "reactivity", 0.9),
        ("'", "fader", 0.1),
    ],
)
def test_a_step_changes_one_parameter(
    controls: Controls, key: str, name: str, value: float
) -> None:
    before = controls.target.model_dump()
    answer = play(key, controls)
    assert controls.target.model_dump() == {**before, name: value}
    assert answer == Answer(f"{name.replace('_', ' ')} {value:g}")


@pytest.mark.parametrize("key", ["up", "down", "left", "right", *"+-[],.;'"])
def test_steps_end_at_the_bounds(controls: Controls, key: str) -> None:
    answers = [play(key, controls) for _ in range(300)]
    last = answers[-1]
    assert last is not None
    LiveParameters.model_validate(controls.target.model_dump())
    if key != "left":  # smaller and smaller
        revision = controls.revision
        assert last.refused
        assert last.text.endswith(("is the most", "is the least"))
        assert play(key, controls) == last
        assert controls.revision == revision


def test_steps_up_and_down_return_to_the_exact_value(controls: Controls) -> None:
    for key in ["up"] * 3 + ["down"] * 3:
        play(key, controls)
    assert controls.target.strength == 1.0


def test_a_step_size_of_zero_can_be_raised(controls: Controls) -> None:
    controls.change({"step_size": 0})
    play("right", controls)
    assert controls.target.step_size == 0.001


def test_numbers_are_looks(controls: Controls) -> None:
    assert play("2", controls) == Answer("look eyes")
    assert controls.look == "eyes"
    assert play("3", controls) == Answer("there is no look 3: there are 2", refused=True)
    assert controls.look == "eyes"


def test_actions(controls: Controls) -> None:
    assert play("space", controls) == Answer("held")
    assert controls.frozen
    assert play("space", controls) == Answer("goes on")
    assert not controls.frozen
    for key in "rsv":
        answer = play(key, controls)
        assert answer is not None
        assert not answer.refused
    assert controls.resets == 1
    assert controls.pressed() == ["snapshot", "record"]
    assert play("v", controls, recording=True) == Answer("recording ends")


def test_without_sound_there_is_no_reactivity(controls: Controls) -> None:
    controls.reacts = False
    answer = play(".", controls)
    assert answer == Answer("nothing follows sound: start the show with --listen", refused=True)
    assert controls.target.reactivity == 1


def test_keys_of_the_mixer(controls: Controls) -> None:
    controls.change({"fade": 0})
    assert play("x", controls) == Answer("deck B")
    assert play("c", controls) == Answer("fades to deck A")
    controls.change({"quantize": "bar"})
    assert play("x", controls) == Answer("cut waits for the bar")
    assert play("2", controls) == Answer("look eyes waits for the bar")
    assert play("b", controls) == Answer("blackout")
    assert controls.target.blackout
    assert play("b", controls) == Answer("light again")
    assert play("o", controls) == Answer("the source")
    assert controls.target.bypass
    assert play("n", controls) == Answer("fades to black")
    assert play("n", controls) == Answer("comes back")
    assert play("i", controls) == Answer("flash")
    refused = play("i", controls)
    assert refused is not None
    assert refused.refused
    assert play("t", controls) == Answer(f"{controls.bpm():.0f} beats a minute")


def test_keys_undo_and_redo(controls: Controls) -> None:
    controls.change({"strength": 0.5})
    assert play("z", controls) == Answer("undone")
    assert controls.target.strength == 1
    assert play("y", controls) == Answer("done again")
    assert controls.target.strength == 0.5
    assert play("y", controls) == Answer("there is nothing to redo", refused=True)


def test_every_key_is_explained(controls: Controls) -> None:
    arrows = dict(zip("↑↓←→", ("up", "down", "left", "right"), strict=True))
    for journey in (False, True):
        controls.journey = journey
        explained = {arrows.get(key, key) for keys in keys_help(controls) for key in keys.split()}
        known = {*KEYS, *SWITCHES, *steps(controls)}
        expected = known - {"o"} | {"p"} if journey else known
        assert explained - {"1", "9"} - {"-"} == expected - {"-"}


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("right", "pan_x", 0.05),
        ("left", "pan_x", -0.05),
        ("up", "pan_y", -0.05),
        ("down", "pan_y", 0.05),
        ("+", "zoom", 1.35),
        ("-", "zoom", 1.25),
        ("[", "turn", 5),
        ("]", "turn", -5),
    ],
)
def test_keys_steer_a_journey(controls: Controls, key: str, name: str, value: float) -> None:
    controls.journey = True
    before = controls.target
    assert play(key, controls) == Answer(f"{name.replace('_', ' ')} {value:g}")
    assert controls.target == before.model_copy(update={name: value})


def test_a_key_throws_the_source_into_a_journey_and_takes_it_out(controls: Controls) -> None:
    assert play("p", controls) is None
    controls.journey = True
    assert play("p", controls) == Answer("the source's picture comes in")
    assert controls.target.throw == 1
    assert play("p", controls) == Answer("the journey goes on alone")
    assert controls.target.throw == 0


def test_a_journey_shows_no_source(controls: Controls) -> None:
    controls.journey = True
    answer = play("o", controls)
    assert answer == Answer("a journey has no source beside it", refused=True)
    assert not controls.target.bypass


@pytest.mark.parametrize("key", ["", "0", "k", "esc", "½", "²"])
def test_other_keys_do_nothing(controls: Controls, key: str) -> None:
    assert play(key, controls) is None
    assert controls.revision == 0
