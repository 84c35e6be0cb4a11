"""Looks that fade into each other, and settings adapted to a show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shows

from stream_dream.frame import ImageF
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import parameters_of
from stream_dream.live.engine.live_dream import LiveDream, for_live, lasting, step_factor
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.presets import load_preset

SHAPE = (8, 8)
LOOKS = {
    "eyes": DreamSettings(octaves=2, limit=0.6, evenness=1.0),
    "wild": DreamSettings(octaves=4, limit=0.2, evenness=0.5, keep_colours=True),
}


class _Ascent:
    """Records which look dreamed."""

    def __init__(self, name: str, given: list[tuple[str, DreamSettings]]) -> None:
        self.name, self.given = name, given

    def __call__(
        self, source: ImageF, carried: ImageF, *, settings: DreamSettings, **_: Any
    ) -> tuple[ImageF, float]:
        self.given.append((self.name, settings))
        return carried, 1.0


class _Looks:
    """Looks that are ready up to a number of octaves."""

    def __init__(self, **octaves: int) -> None:
        self.octaves: dict[str, int] = octaves
        self.given: list[tuple[str, DreamSettings]] = []
        self.settings, self.first = LOOKS, "eyes"
        self.wanted: list[tuple[str, int]] = []

    @property
    def log(self) -> list[str]:
        return [name for name, _ in self.given]

    def want(self, looks: list[tuple[str, int]], shape: tuple[int, int]) -> None:
        self.wanted = looks

    def ready(self, look: str, shape: tuple[int, int], octaves: int) -> _Ascent | None:
        enough = octaves <= self.octaves.get(look, 0)
        return _Ascent(look, self.given) if enough else None


def frames(dream: LiveDream, clock: shows.Clock, count: int) -> None:
    image = np.zeros((*SHAPE, 3), np.float32)
    for index in range(count):
        ascend(dream, image, index)
        clock.now += 0.04


def ascend(dream: LiveDream, image: ImageF, index: int = 0) -> tuple[ImageF, float]:
    rng = np.random.default_rng(0)
    return dream(image, image, index=index, rng=rng, settings=LOOKS["eyes"])


def controls_of(clock: shows.Clock) -> Controls:
    return Controls(parameters_of(LOOKS["eyes"]), LOOKS, "eyes", clock=clock)


def test_looks_fade_over_whatever_their_octaves() -> None:
    clock, looks = shows.Clock(), _Looks(eyes=2, wild=4)
    controls = controls_of(clock)
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    frames(dream, clock, 5)
    controls.use("wild")
    frames(dream, clock, 50)
    fading = looks.log[5:30]
    assert looks.log[:5] == ["eyes"] * 5
    assert 8 < fading.count("wild") < 17
    assert fading[:8].count("wild") < fading[-8:].count("wild")
    assert looks.log[31:] == ["wild"] * len(looks.log[31:])


def test_growth_and_room_glide_with_a_look() -> None:
    clock, looks = shows.Clock(), _Looks(eyes=2)
    controls = controls_of(clock)
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    source = np.full((*SHAPE, 3), 0.5, np.float32)

    def now() -> tuple[float, float]:
        room = dream.fade().room(source)
        assert room is not None
        return dream.fade().growth().evenness, float(room.up.max())

    frames(dream, clock, 3)
    controls.use("wild")
    frames(dream, clock, 3)  # not ready: nothing changes
    assert now() == (1.0, pytest.approx(0.45, abs=0.02))
    before = [now()]
    looks.octaves["wild"] = 4
    for _ in range(40):
        frames(dream, clock, 1)
        before.append(now())
    for values in zip(*before, strict=True):
        assert values[0] > values[-1]
        assert max(np.diff(values)) <= 1e-6
        assert min(np.diff(values)) > 0.1 * (values[-1] - values[0])
    assert before[-1] == (0.5, pytest.approx(0.2))


def test_octaves_that_a_score_or_an_lfo_asks_for_are_traced() -> None:
    clock, looks = shows.Clock(), _Looks(eyes=4, wild=4)
    controls = controls_of(clock)
    moved = 4
    controls.automate = lambda base: base.model_copy(update={"octaves": moved})
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    frames(dream, clock, 1)
    assert looks.wanted == [("eyes", 4)]
    assert looks.given[-1][1].octaves == 4
    moved = 1
    frames(dream, clock, 1)
    assert looks.wanted == [("eyes", 1), ("eyes", 4)]  # it may go up again at once
    assert looks.given[-1][1].octaves == 1
    controls.use("wild")
    frames(dream, clock, 1)
    assert looks.wanted == [("wild", 1)]


def test_a_size_at_which_the_moved_octaves_are_traced_can_be_dreamed() -> None:
    looks, controls = _Looks(), controls_of(shows.Clock())
    looks.ready = lambda look, shape, octaves: object() if octaves == 4 else None  # type: ignore
    dream = LiveDream(looks, controls)  # type: ignore[arg-type]
    assert not dream.can_dream(SHAPE)
    controls.automate = lambda base: base.model_copy(update={"octaves": 4})
    assert dream.can_dream(SHAPE)


def test_a_look_that_gets_ready_late_fades_in_then() -> None:
    clock, looks = shows.Clock(), _Looks(eyes=2)
    controls = controls_of(clock)
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    controls.use("wild")
    frames(dream, clock, 50)
    assert set(looks.log) == {"eyes"}
    looks.octaves["wild"] = 4
    frames(dream, clock, 25)
    assert 8 < looks.log[50:].count("wild") < 17


def test_the_carried_dream_is_kept_while_no_look_is_ready() -> None:
    clock = shows.Clock()
    dream = LiveDream(_Looks(), controls_of(clock), clock=clock)  # type: ignore[arg-type]
    image = np.full((*SHAPE, 3), 0.5, np.float32)
    residual, loss = ascend(dream, image)
    assert residual is image
    assert loss == 0
    assert not dream.can_dream(SHAPE)


@pytest.mark.parametrize("fader", [0.0, 0.3, 0.5, 1.0])
def test_ascents_alternate_between_the_decks(fader: float) -> None:
    clock, looks = shows.Clock(), _Looks(eyes=2, wild=4)
    controls = controls_of(clock)
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    controls.change({"glide": 0, "fader": fader})
    controls.use("wild", "b")
    frames(dream, clock, 400)
    assert looks.log[-300:].count("wild") == pytest.approx(300 * fader, abs=3)


def test_a_deck_dreams_with_its_own_parameters() -> None:
    clock, looks = shows.Clock(), _Looks(eyes=2, wild=4)
    controls = controls_of(clock)
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    controls.change({"glide": 0, "fader": 0.5})
    controls.use("wild", "b")
    controls.change({"a/step_size": 0.1, "b/step_size": 0.2, "a/octaves": 1, "b/octaves": 3})
    frames(dream, clock, 50)
    seen = {(name, settings.step_size, settings.octaves) for name, settings in looks.given[5:]}
    assert seen == {("eyes", 0.1, 1), ("wild", 0.2, 3)}


def test_growth_and_room_lie_between_the_decks() -> None:
    clock, looks = shows.Clock(), _Looks(eyes=2, wild=4)
    controls = controls_of(clock)
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    source = np.full((*SHAPE, 3), 0.5, np.float32)
    controls.change({"glide": 0, "fader": 0.5})
    controls.use("wild", "b")
    frames(dream, clock, 5)
    room = dream.fade().room(source)
    assert room is not None
    assert dream.fade().growth().evenness == 0.75
    assert float(room.up.max()) == pytest.approx((0.45 + 0.2) / 2, abs=0.02)


def test_the_other_deck_dreams_while_one_is_not_ready() -> None:
    clock, looks = shows.Clock(), _Looks(eyes=2)
    controls = controls_of(clock)
    dream = LiveDream(looks, controls, clock=clock)  # type: ignore[arg-type]
    controls.use("wild", "b")
    controls.change({"fader": 0.9})
    frames(dream, clock, 20)
    assert looks.log == ["eyes"] * 20
    looks.octaves["wild"] = 4
    frames(dream, clock, 100)
    assert looks.log[-40:].count("wild") > 30


def test_a_look_that_failed_is_removed() -> None:
    controls = controls_of(shows.Clock())
    controls.use("wild")
    controls.drop("wild")
    assert controls.looks == ("eyes",)
    assert controls.look == "eyes"
    controls.drop("eyes")  # the last one stays
    assert controls.looks == ("eyes",)


def test_three_ascents_fade_as_much_as_one_film_frame() -> None:
    assert lasting(0.98) ** 3 == pytest.approx(0.98)
    assert (lasting(0), lasting(1)) == (0, 1)


@pytest.mark.parametrize("name", ["dogs", "wild", "keras_example"])
def test_settings_become_those_of_a_show(name: str) -> None:
    film = load_preset(name).dream
    show = for_live(film)
    assert show.octaves <= 4
    assert (show.warm_up, show.cadence) == (0, 1)
    assert show.catch_up >= film.catch_up
    assert show.step_size == pytest.approx(film.step_size * step_factor(film))
    assert (show.schedule == "rotate") == (film.schedule == "together")
