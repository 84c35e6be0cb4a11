"""The control surface: every address, every form of a value."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from stream_dream.errors import SettingsError
from stream_dream.live.control.catalogue import described
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters

LOOKS = {name: DreamSettings() for name in ("dogs", "eyes", "my look-2")}


@pytest.fixture
def surface() -> Surface:
    surface = Surface(Controls(LiveParameters(glide=0), LOOKS, "dogs"))
    surface.controls.store("intro")
    return surface


def of(surface: Surface) -> Controls:
    return surface.controls


CASES: list[tuple[str, Any, Callable[[Controls], object], object]] = [
    ("strength", 0.5, lambda c: c.target.strength, 0.5),
    ("strength", 7, lambda c: c.target.strength, 2.0),
    ("strength", "0.4", lambda c: c.target.strength, 0.4),
    ("strength", "1e999", lambda c: c.target.strength, 2.0),
    ("preset", "2", lambda c: c.look, "eyes"),
    ("cut", "0", lambda c: c.target.fader, 0.0),
    ("strength", -math.inf, lambda c: c.target.strength, 0.0),
    ("octaves", 2.5, lambda c: c.target.octaves, 2),
    ("b/octaves", 99, lambda c: c.state.decks["b"].octaves, 4),
    ("mirror", 0.3, lambda c: c.target.mirror, True),
    ("mirror", False, lambda c: c.target.mirror, False),
    ("quantize", "bar", lambda c: c.target.quantize, "bar"),
    ("quantize", 2, lambda c: c.target.quantize, "beat"),
    ("preset", "eyes", lambda c: c.look, "eyes"),
    ("preset", 2, lambda c: c.look, "eyes"),
    ("preset", 3.0, lambda c: c.look, "my look-2"),
    ("preset/my look-2", 1, lambda c: c.look, "my look-2"),
    ("preset/eyes", 0, lambda c: c.look, "dogs"),
    ("b/preset/eyes", 0.2, lambda c: c.state.decks["b"].look, "eyes"),
    ("a/preset", 2, lambda c: c.state.decks["a"].look, "eyes"),
    ("cut", None, lambda c: c.target.fader, 1.0),
    ("cut", 64, lambda c: c.target.fader, 1.0),
    ("cut", 0, lambda c: c.target.fader, 0.0),
    ("freeze", None, lambda c: c.frozen, True),
    ("freeze", 1, lambda c: c.frozen, True),
    ("freeze", 0, lambda c: c.frozen, False),
    ("bpm", 90, lambda c: c.bpm(), 90.0),
    ("bpm", 1, lambda c: c.bpm(), 20.0),
    ("store", "verse", lambda c: list(c.scenes), ["intro", "verse"]),
    ("forget", "intro", lambda c: list(c.scenes), []),
    ("lfo/strength/depth", 0.25, lambda c: c.state.lfos["strength"].depth, 0.25),
    ("lfo/b/step_size/shape", "square", lambda c: c.state.lfos["b/step_size"].shape, "square"),
    ("lfo/strength/depth", 0, lambda c: c.state.lfos["strength"].depth, 0),
    ("lfo/strength/every", 3, lambda c: c.state.lfos["strength"].depth, 0),
    ("lfo/strength/every", 0, lambda c: c.state.lfos["strength"].every, 0.05),
]


@pytest.mark.parametrize(("address", "value", "seen", "wanted"), CASES)
def test_values_in_every_form(
    surface: Surface,
    address: str,
    value: Any,
    seen: Callable[[Controls], object],
    wanted: object,
) -> None:
    surface.set(address, value)
    assert seen(of(surface)) == wanted


@pytest.mark.parametrize(
    ("address", "value", "told"),
    [
        ("strenght", 1, "did you mean /strength"),
        ("preset", "mad", "/preset cannot be 'mad': choose dogs, eyes, my look-2"),
        ("preset", 9, "cannot be 9: choose dogs"),
        ("preset/mad", 1, "nothing at /preset/mad"),
        ("strength", "much", "cannot be 'much': give a number"),
        ("strength", math.nan, "give a number"),
        ("strength", None, "give a number"),
        ("mirror", "yes", "give 1 or 0"),
        ("cut", "now", "give 1 or 0"),
        ("store", 3, "give a name"),
        ("scene/outro", 1, "nothing at /scene/outro"),
        ("quantize", "year", "choose off, beat, bar, 4bars"),
        ("a/strength", 1, "nothing at"),
    ],
)
def test_what_makes_no_sense_is_refused(
    surface: Surface, address: str, value: Any, told: str
) -> None:
    before = of(surface).state
    with pytest.raises(SettingsError, match=told):
        surface.set(address, value)
    assert of(surface).state is before


def test_a_scene_is_recalled_by_its_button_and_by_its_name(surface: Surface) -> None:
    for address, value in (("scene/intro", 1), ("scene", "intro"), ("scene", 1)):
        surface.set("strength", 0.1)
        surface.set(address, value)
        assert of(surface).target.strength == 1


def test_shares_and_values_agree_for_every_control(surface: Surface) -> None:
    checked = 0
    for control in list(surface.known().values()):
        if control.kind in ("button", "text") or control.address == "scene":
            continue
        for share in (0.0, 0.3, 0.5, 1.0):
            surface.set_share(control.address, share)
            value, seen = surface.value(control.address), surface.share(control.address)
            surface.set(control.address, value)
            assert surface.value(control.address) == pytest.approx(value), control
            if control.kind == "number" and not control.whole and control.address != "target_fps":
                assert seen == pytest.approx(share, abs=1e-6), control
            checked += 1
        surface.set("quantize", "off")  # else what follows waits for the bar
    assert checked > 100


def test_parts_of_an_lfo_that_waits_add_up(surface: Surface) -> None:
    beat = 1.0
    surface.controls.beats = lambda: beat
    surface.set("quantize", "bar")
    surface.set("lfo/strength/depth", 0.2)
    surface.set("lfo/strength/every", 8)
    surface.set("lfo/strength/shape", "square")
    assert surface.controls.state.lfos == {}
    assert surface.value("lfo/strength/every") == 8
    beat = 4.0
    surface.controls.parameters()
    lfo = surface.controls.state.lfos["strength"]
    assert (lfo.depth, lfo.every, lfo.shape) == (0.2, 8, "square")


def test_an_lfo_at_rest_remembers_its_shape(surface: Surface) -> None:
    for part, value in (("shape", "square"), ("depth", 0.4), ("every", 3), ("depth", 0)):
        surface.set(f"lfo/strength/{part}", value)
    surface.controls.parameters()
    assert surface.controls.parameters().strength == 1
    surface.set("lfo/strength/depth", 0.2)
    lfo = surface.controls.state.lfos["strength"]
    assert (lfo.shape, lfo.every, lfo.depth) == ("square", 3, 0.2)


def test_names_of_scenes_and_looks_are_no_addresses() -> None:
    names = ("octaves", "preset", "strength", "scene", "freeze", "bpm", "a", "fader")
    looks = {name: DreamSettings() for name in names}
    surface = Surface(Controls(LiveParameters(), looks, "octaves"))
    for name in names:
        surface.controls.store(name)
    for control in surface.known().values():
        assert described(control)["address"] == control.address
        value, share = surface.value_of(control), surface.share(control.address)
        assert 0 <= share <= 1
        if control.address.startswith("scene/"):
            assert value is None
        elif control.address.split("/")[-2:-1] == ["preset"]:
            assert value is control.address.endswith("/octaves")
    surface.set("b/preset/preset", 1)
    assert surface.value("b/preset") == "preset"


def test_lamps_show_what_is_on(surface: Surface) -> None:
    surface = Surface(surface.controls, is_recording=lambda: True)
    surface.set("freeze", 1)
    on = {
        c.address
        for c in surface.known().values()
        if c.kind == "button" and surface.share(c.address)
    }
    assert on == {"freeze", "record", "preset/dogs", "a/preset/dogs", "b/preset/dogs", "undo"}
    surface.set("undo", 1)  # the scene
    assert surface.share("undo") == 0
    assert surface.share("redo") == 1
    surface.controls.bpm = lambda: 1e6
    assert surface.share("bpm") == 1


@pytest.mark.slow
def test_junk_is_refused_and_leaves_all_valid(surface: Surface) -> None:
    rng = random.Random(3)
    addresses = [
        *(control.address for control in surface.known().values()),
        "",
        "/",
        "lfo//",
        "x" * 500,
    ]
    junk = [None, "", "eyes", -1, 0, 0.5, 1e300, 10**400, math.nan, [], {}, b"x", True, "a" * 999]
    refused = 0
    for _ in range(3000):
        try:
            surface.set(rng.choice(addresses), rng.choice(junk))
        except SettingsError:
            refused += 1
        with suppress(SettingsError):
            surface.set_share(rng.choice(addresses), rng.uniform(-1, 2))
        LiveParameters.model_validate(of(surface).parameters().model_dump())
    assert 300 < refused < 2900
