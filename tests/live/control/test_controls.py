"""Changes by operators: what they may change, how it glides, and what is refused."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import shows

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import ACTIONS, Controls
from stream_dream.live.control.show_state import parameters_of
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters
from stream_dream.settings.scenes import Lfo
from stream_dream.settings.validation import validated


@pytest.fixture
def clock() -> shows.Clock:
    return shows.Clock()


@pytest.fixture
def controls(clock: shows.Clock) -> Controls:
    looks = {
        "calm": DreamSettings(),
        "wild": validated(DreamSettings, {"step_size": 0.05, "octaves": 3}),
    }
    return Controls(LiveParameters(), looks, "calm", clock=clock)


def test_a_change_glides(controls: Controls, clock: shows.Clock) -> None:
    controls.change({"strength": 0.0, "glide": 2})
    seen = []
    for _ in range(5):
        seen.append(controls.parameters().strength)
        clock.now += 0.5
    assert seen[0] == 1
    assert seen == sorted(seen, reverse=True)
    assert seen[4] < 0.03
    clock.now += 2
    assert controls.parameters().strength == pytest.approx(0, abs=1e-3)
    assert controls.target.strength == 0


def test_a_change_on_the_way_starts_from_where_it_is(
    controls: Controls, clock: shows.Clock
) -> None:
    controls.change({"strength": 0.0})
    clock.now += 0.5
    before = controls.parameters().strength
    controls.change({"strength": 2.0})
    assert 0.05 < before < 0.5
    assert controls.parameters().strength == before


def test_a_stream_of_changes_is_followed(controls: Controls, clock: shows.Clock) -> None:
    controls.change({"step_size": 0.1})
    for step in range(100):  # another fader moves all the time
        controls.change({"strength": 1 + 0.9 * (step % 2)})
        clock.now += 0.02
    assert controls.parameters().step_size == pytest.approx(0.1, rel=0.01)
    controls.change({"strength": 0.0})
    for _ in range(100):
        controls.change({"strength": min(2, controls.target.strength + 0.02)})
        clock.now += 0.02
    assert controls.parameters().strength == pytest.approx(2, abs=0.3)


def test_switches_and_counts_change_at_once(controls: Controls) -> None:
    controls.change({"mirror": True, "octaves": 3})
    assert controls.parameters().mirror
    assert controls.parameters().octaves == 3


def test_a_look_brings_its_parameters_and_fades_in(controls: Controls, clock: shows.Clock) -> None:
    controls.change({"strength": 0.3})
    controls.use("wild")
    assert controls.look == "wild"
    clock.now += 0.5
    assert 0.0095 < controls.parameters().step_size < 0.05
    clock.now += 2
    assert controls.parameters().step_size == pytest.approx(0.05, rel=1e-3)
    controls.use("wild")
    assert controls.look == "wild"
    assert controls.target.octaves == 3
    assert controls.target.strength == 0.3


@pytest.mark.parametrize(
    "values",
    [
        {"strength": 2.1},
        {"strength": -0.1},
        {"strength": math.nan},
        {"strength": math.inf},
        {"strength": "much"},
        {"strength": None},
        {"strength": [1]},
        {"jitter": 1.5},
        {"octaves": 99},
        {"mirror": "perhaps"},
        {"brightness": 1},
        {"strength": 0.5, "octaves": 0},
    ],
)
def test_changes_with_a_wrong_value_are_refused_as_a_whole(
    controls: Controls, values: dict[str, Any]
) -> None:
    before, revision = controls.target, controls.revision
    with pytest.raises(SettingsError, match="page: "):
        controls.change(values, origin="page")
    assert controls.target == before
    assert controls.revision == revision


def test_unknown_looks_and_actions_are_refused(controls: Controls) -> None:
    with pytest.raises(SettingsError, match="no look 'mad' at hand: choose calm, wild"):
        controls.use("mad")
    with pytest.raises(SettingsError, match="no action 'explode'"):
        controls.press("explode")


def test_what_operators_move_is_theirs_until_the_reset(controls: Controls) -> None:
    controls.change({"strength": 1.0})  # as it was: it is asked for all the same
    controls.change({"jitter": 3})
    with contextlib.suppress(SettingsError):
        controls.change({"persistence": 9})
    controls.use("wild")
    assert controls.touched == {"strength", "jitter"}
    controls.press("freeze")
    assert controls.touched == {"strength", "jitter"}
    controls.press("reset")
    assert controls.touched == frozenset()


def test_parameters_are_moved_on_their_way(controls: Controls, clock: shows.Clock) -> None:
    controls.automate = lambda now: now.model_copy(update={"strength": now.strength / 2})
    controls.change({"strength": 2.0})
    assert controls.parameters().strength == 0.5
    clock.now += 5
    assert controls.parameters().strength == pytest.approx(1)
    assert controls.target.strength == 2


def test_actions(controls: Controls) -> None:
    for action in ACTIONS:
        controls.press(action)
    assert controls.frozen
    assert controls.flash() == 1
    assert controls.resets == 1
    assert controls.pressed() == ["snapshot", "record"]
    assert controls.pressed() == []
    controls.press("freeze")
    assert not controls.frozen


def test_a_flood_of_presses_is_bounded(controls: Controls) -> None:
    for _ in range(1000):
        with contextlib.suppress(SettingsError):
            controls.press("snapshot")
    with pytest.raises(SettingsError, match="snapshot is left out"):
        controls.press("snapshot")
    assert len(controls.pressed()) <= 16


def test_every_change_counts(controls: Controls) -> None:
    seen = [controls.revision]
    actions: list[Callable[[], None]] = [
        lambda: controls.change({"strength": 0.5}),
        lambda: controls.use("wild"),
        lambda: controls.press("freeze"),
    ]
    for act in actions:
        act()
        seen.append(controls.revision)
    assert seen == sorted(set(seen))


def test_parameters_of_a_look_stay_within_those_of_a_show() -> None:
    wide = validated(DreamSettings, {"octaves": 12, "jitter": 512})
    assert parameters_of(wide).octaves == 4
    assert parameters_of(wide).jitter == 64


def test_hundreds_of_random_changes_leave_it_valid(controls: Controls, clock: shows.Clock) -> None:
    rng = random.Random(0)
    junk = [None, "", "1e309", -1, 1e300, math.nan, b"\xff", {}, [], True, "x" * 10_000, 0.5, 1]
    names = [*LiveParameters.model_fields, "", "__class__", "layer"]
    accepted = 0
    for _ in range(500):
        clock.now += rng.random()
        with contextlib.suppress(SettingsError):
            controls.change({rng.choice(names): rng.choice(junk)})
            accepted += 1
        LiveParameters.model_validate(controls.parameters().model_dump())
    assert accepted > 20


def test_decks_have_looks_and_parameters_of_their_own(controls: Controls) -> None:
    controls.change({"glide": 0})
    controls.use("wild", "b")
    assert (controls.look, controls.state.decks["b"].look) == ("calm", "wild")
    controls.change({"b/step_size": 0.1, "step_size": 0.02})
    assert controls.parameters().step_size == 0.02
    assert controls.parameters("b").step_size == 0.1
    controls.change({"fader": 0.25})
    assert controls.parameters().step_size == pytest.approx(0.04)
    assert controls.parameters().octaves == 4  # whole numbers are those of the deck in front
    controls.change({"fader": 0.75})
    assert controls.look == "wild"
    assert controls.parameters().octaves == 3
    controls.change({"step_size": 0.05})  # of the deck in front
    assert controls.state.decks["b"].step_size == 0.05
    assert controls.state.decks["a"].step_size == 0.02
    controls.change({"fader": 1.0})
    assert controls.parameters().step_size == 0.05


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"c/step_size": 0.1}, "no deck 'c'"),
        ({"a/strength": 0.1}, "strength is of the whole show"),
        ({"a/step_sise": 0.1}, "did you mean step_size"),
        ({"a/look": "wild"}, "no setting 'look'"),
        ({"b/octaves": 99}, "octaves cannot be 99"),
    ],
)
def test_wrong_parameters_of_decks_are_refused(
    controls: Controls, values: dict[str, Any], told: str
) -> None:
    before = controls.state
    with pytest.raises(SettingsError, match=told):
        controls.change(values)
    assert controls.state is before


def test_the_cross_fader_cuts_and_fades(controls: Controls, clock: shows.Clock) -> None:
    controls.change({"fade": 2.0})
    controls.press("cut")
    assert controls.parameters().fader == 1
    controls.press("auto_fade")
    seen = []
    for _ in range(5):
        seen.append(controls.parameters().fader)
        clock.now += 0.5
    assert seen == pytest.approx([1, 0.75, 0.5, 0.25, 0])
    controls.change({"fade_unit": "beats"})
    controls.tempo.set_bpm(60)
    controls.press("auto_fade")
    clock.now += 1
    assert controls.parameters().fader == pytest.approx(0.5)
    assert controls.is_fading
    controls.press("auto_fade")  # back, from where it is
    clock.now += 1
    assert controls.parameters().fader == pytest.approx(0.25)


def test_another_look_is_on_the_other_deck_from_the_start() -> None:
    looks = {"calm": DreamSettings(), "wild": validated(DreamSettings, {"octaves": 3})}
    parameters = LiveParameters(quantize="bar")
    controls = Controls(parameters, looks, "calm", other="wild")
    assert {name: deck.look for name, deck in controls.state.decks.items()} == {
        "a": "calm",
        "b": "wild",
    }
    assert controls.state.decks["b"].octaves == 3
    assert controls.waiting == {}
    assert not controls.can_undo


def test_fade_to_black_and_back(controls: Controls, clock: shows.Clock) -> None:
    controls.change({"fade": 1.0})
    controls.press("fade_to_black")
    clock.now += 0.5
    assert controls.parameters().light == pytest.approx(0.5)
    clock.now += 0.6
    assert controls.parameters().light == 0
    controls.press("fade_to_black")
    clock.now += 1.1
    assert controls.parameters().light == 1


def test_the_light_comes_back_as_it_was(controls: Controls, clock: shows.Clock) -> None:
    controls.change({"light": 0.3, "fade": 0})
    controls.press("fade_to_black")
    assert controls.target.light == 0
    controls.press("fade_to_black")
    assert controls.target.light == 0.3


def test_a_flash_fades_and_no_more_than_three_come_a_second(
    controls: Controls, clock: shows.Clock
) -> None:
    controls.press("flash")
    assert controls.flash() == 1
    clock.now += 0.2
    assert 0.2 < controls.flash() < 0.5
    with pytest.raises(SettingsError, match="three flashes"):
        controls.press("flash")
    clock.now += 0.8
    assert controls.flash() == 0
    controls.press("flash")
    assert controls.flash() == 1


def test_changes_wait_for_the_bar(controls: Controls) -> None:
    beat = 5.5
    controls.beats = lambda: beat
    controls.change({"quantize": "bar", "glide": 0, "fade": 0})
    controls.use("wild")
    controls.use("wild", "b")
    controls.press("cut")
    controls.modulate("strength", Lfo())
    assert controls.waiting == {"a": "wild", "b": "wild", "fader": "cut", "lfo strength": "LFO"}
    beat = 7.9
    assert controls.parameters().fader == 0
    assert controls.look == "calm"
    beat = 8.0
    assert controls.parameters().fader == 1
    assert controls.look == "wild"
    assert "strength" in controls.state.lfos
    assert controls.waiting == {}


@pytest.mark.parametrize(("quantize", "due"), [("beat", 6), ("bar", 8), ("4bars", 16)])
def test_the_last_wish_counts_at_its_beat(controls: Controls, quantize: str, due: int) -> None:
    beat = 5.0
    controls.beats = lambda: beat
    controls.change({"quantize": quantize})
    controls.use("wild")
    controls.use("calm")
    controls.use("wild")
    beat = due - 0.01
    controls.parameters()
    assert controls.look == "calm"
    beat = due
    controls.parameters()
    assert controls.look == "wild"


@pytest.mark.parametrize("quantize", ["bar", "off"])
def test_the_last_wish_counts_whatever_is_waited_for(controls: Controls, quantize: str) -> None:
    beat = 1.0
    controls.beats = lambda: beat
    controls.change({"quantize": "bar", "glide": 0})
    controls.use("wild")
    controls.modulate("strength", Lfo(every=2))
    controls.press("cut")
    controls.change({"quantize": quantize})
    controls.use("calm")
    controls.modulate("strength", Lfo(every=3))
    controls.change({"fader": 0.25})
    beat = 4.0
    assert controls.parameters().fader == 0.25
    assert controls.look == "calm"
    assert controls.state.lfos["strength"].every == 3
    assert controls.waiting == {}


def test_what_waits_is_done_in_the_order_of_the_last_wishes(controls: Controls) -> None:
    beat = 1.0
    controls.beats = lambda: beat
    controls.store("calm")
    controls.change({"quantize": "bar"})
    controls.use("wild")
    controls.recall("calm")
    controls.use("wild")
    beat = 4.0
    controls.parameters()
    assert controls.look == "wild"


def test_a_change_on_the_beat_takes_nothing_back(controls: Controls) -> None:
    beat = 1.0
    controls.beats = lambda: beat
    controls.change({"quantize": "bar"})
    controls.use("wild")
    beat = 4.0
    controls.change({"strength": 0.5})
    assert (controls.look, controls.target.strength) == ("wild", 0.5)
    assert controls.target.octaves == 3


def test_a_look_that_fails_while_it_waits_is_left_out(controls: Controls) -> None:
    beat = 1.0
    controls.beats = lambda: beat
    controls.use("wild")
    controls.store("wild")
    controls.use("calm")
    controls.change({"quantize": "bar"})
    controls.use("wild", "b")
    controls.recall("wild")
    controls.drop("wild")
    beat = 4.0
    controls.parameters()
    assert {deck.look for deck in controls.state.decks.values()} == {"calm"}
    controls.change({"quantize": "off"})
    for action in ("undo", "undo", "undo", "redo"):
        with contextlib.suppress(SettingsError):  # there may be nothing left to undo
            controls.press(action)
        assert {deck.look for deck in controls.state.decks.values()} == {"calm"}


def test_scenes_bring_everything_back_but_the_masters(
    controls: Controls, clock: shows.Clock
) -> None:
    controls.use("wild", "b")
    controls.change({"strength": 0.5, "fader": 0.3, "b/jitter": 5, "light": 0.4, "only": "dark"})
    controls.modulate("b/step_size", Lfo(shape="square"))
    controls.store("  intro ")
    stored = controls.state
    controls.use("calm", "b")
    controls.change({"strength": 2.0, "fader": 1.0, "light": 0.9, "blackout": True, "only": "all"})
    controls.modulate("b/step_size", Lfo(depth=0))
    clock.now += 5
    controls.recall("intro")
    assert controls.parameters().fader > 0.5
    clock.now += 5
    now = controls.parameters("b")
    assert (now.strength, now.fader, now.jitter, now.only) == (0.5, 0.3, 5, "dark")
    assert (now.light, now.blackout) == (0.9, True)
    assert controls.state.decks == stored.decks
    assert controls.state.lfos == stored.lfos
    controls.forget("intro")
    with pytest.raises(SettingsError, match="no scene 'intro': none is stored yet"):
        controls.recall("intro")


def test_what_a_recall_or_an_undo_changes_is_by_hand(controls: Controls) -> None:
    controls.change({"strength": 0.5})
    controls.store("it")
    controls.change({"strength": 1.0})
    controls.press("reset")
    assert controls.touched == frozenset()
    controls.recall("it")
    assert controls.touched == {"strength"}
    controls.press("reset")
    controls.press("undo")
    assert controls.touched == {"strength"}


@pytest.mark.parametrize("name", ["", "  ", "a/b", "x" * 61, "two\nlines"])
def test_scenes_need_a_name(controls: Controls, name: str) -> None:
    with pytest.raises(SettingsError, match="a scene cannot be called"):
        controls.store(name)
    assert controls.scenes == {}


def test_scenes_are_told_when_they_change_and_are_bounded(controls: Controls) -> None:
    told: list[int] = []
    controls.on_store = lambda: told.append(len(controls.scenes))
    for number in range(200):
        controls.store(str(number))
    controls.store("7")
    with pytest.raises(SettingsError, match="200 scenes already"):
        controls.store("one more")
    controls.forget("7")
    assert told == [*range(1, 201), 200, 199]


def test_a_scene_with_a_look_that_is_gone_is_refused(controls: Controls) -> None:
    controls.use("wild")
    controls.store("it")
    controls.use("calm")
    controls.drop("wild")
    with pytest.raises(SettingsError, match="scene 'it' needs the look wild: add it to --presets"):
        controls.recall("it")


def test_every_change_can_be_undone(controls: Controls, clock: shows.Clock) -> None:
    controls.store("start")
    states = [controls.state]
    acts: list[Callable[[], None]] = [
        lambda: controls.change({"strength": 0.5}),
        lambda: controls.use("wild"),
        lambda: controls.use("wild", "b"),
        lambda: controls.press("cut"),
        lambda: controls.modulate("strength", Lfo()),
        lambda: controls.change({"blackout": True}),
        lambda: controls.store("middle"),
        lambda: controls.press("fade_to_black"),
        lambda: controls.recall("start"),
        lambda: controls.forget("start"),
    ]
    for act in acts:
        act()
        states.append(controls.state)
    for state in states[-2::-1]:
        controls.press("undo")
        assert controls.state == state
    controls.press("undo")
    assert controls.scenes == {}
    with pytest.raises(SettingsError, match="nothing to undo"):
        controls.press("undo")
    controls.press("redo")
    for state in states[1:]:
        controls.press("redo")
        assert controls.state == state
    with pytest.raises(SettingsError, match="nothing to redo"):
        controls.press("redo")
    clock.now += 5
    assert controls.parameters() == controls.target


def test_what_waits_is_undone_first(controls: Controls) -> None:
    controls.change({"quantize": "bar"})
    controls.change({"strength": 0.5})
    controls.use("wild")
    assert controls.waiting == {"a": "wild"}
    controls.press("undo")
    assert controls.waiting == {}
    assert controls.target.strength == 0.5
    controls.press("undo")
    assert controls.target.strength == 1


def test_undo_leaves_what_timers_wait_for(controls: Controls) -> None:
    beat = 1.0
    controls.beats = lambda: beat
    controls.change({"quantize": "bar"})
    controls.change({"strength": 0.5})
    controls.use("wild", by_hand=False)
    controls.press("undo")
    assert controls.target.strength == 1
    beat = 4.0
    controls.parameters()
    assert controls.look == "wild"


def test_a_timer_does_not_take_the_place_of_what_somebody_waits_for(controls: Controls) -> None:
    beats = 1.0
    controls.beats = lambda: beats
    controls.change({"quantize": "bar"})
    controls.use("wild")
    controls.use("calm", by_hand=False)
    assert controls.waiting == {"a": "wild"}
    beats = 5.0
    controls.parameters()
    assert controls.look == "wild"
    controls.store("one")
    controls.use("calm")
    beats = 9.0
    controls.recall("one")
    controls.use("calm", by_hand=False)
    beats = 13.0
    controls.parameters()
    assert controls.look == "wild"


def test_undo_and_redo_skip_what_makes_no_difference(
    controls: Controls, clock: shows.Clock
) -> None:
    controls.change({"strength": 0.5})
    clock.now += 5
    controls.change({"a/jitter": 3})
    controls.change({"a/octaves": 2})
    controls.use("calm", by_hand=False)  # sets both
    controls.press("undo")
    assert controls.target.strength == 1
    controls.change({"strength": 1.0})
    assert controls.can_redo
    controls.press("redo")
    assert controls.target.strength == 0.5


def test_a_hand_on_the_fader_ends_a_fade(controls: Controls, clock: shows.Clock) -> None:
    controls.change({"fade": 10})
    controls.press("auto_fade")
    clock.now += 1
    assert controls.parameters().fader == pytest.approx(0.1)
    controls.change({"fader": 1.0})
    assert controls.parameters().fader == 1


def test_scenes_that_come_back_are_told(controls: Controls) -> None:
    told: list[list[str]] = []
    controls.on_store = lambda: told.append(list(controls.scenes))
    controls.store("it")
    controls.change({"strength": 0.5})
    controls.forget("it")
    controls.press("undo")
    controls.press("undo")
    assert told == [["it"], [], ["it"]]


def test_undo_passes_over_what_timers_do(controls: Controls) -> None:
    controls.use("wild", by_hand=False)
    assert not controls.can_undo
    controls.change({"strength": 0.5})
    controls.use("calm", by_hand=False)
    assert controls.state.decks["a"].octaves != 3
    controls.press("undo")
    assert (controls.look, controls.target.strength) == ("calm", 1.0)
    assert controls.target.octaves == controls.state.decks["a"].octaves != 3
    controls.press("redo")
    assert (controls.look, controls.target.strength) == ("calm", 0.5)


def test_lfos_move_parameters_around_their_value(controls: Controls, clock: shows.Clock) -> None:
    controls.modulate("strength", Lfo(every=2, unit="seconds", depth=0.5))
    seen = set()
    for _ in range(40):
        clock.now += 0.05
        seen.add(round(controls.parameters().strength, 3))
    assert min(seen) == pytest.approx(0.5, abs=0.05)
    assert max(seen) == pytest.approx(1.5, abs=0.05)
    assert controls.target.strength == 1
    beat = 0.0
    controls.beats = lambda: beat
    controls.modulate("strength", Lfo(every=4, unit="beats", shape="square", depth=1))
    assert controls.parameters().strength == 0
    beat = 2.0
    assert controls.parameters().strength == 2
    controls.modulate("strength", Lfo(depth=0))
    assert controls.parameters().strength == 1
    with pytest.raises(SettingsError, match="no LFO moves 'target_fps'"):
        controls.modulate("target_fps", Lfo())


def test_an_lfo_belongs_to_one_deck(controls: Controls) -> None:
    controls.change({"fader": 0.6})
    controls.modulate("step_size", Lfo(shape="square", unit="beats", depth=1))
    controls.beats = lambda: 3.0
    assert set(controls.state.lfos) == {"b/step_size"}
    assert controls.parameters("a").step_size == controls.target.step_size
    assert controls.parameters("b").step_size > controls.target.step_size
