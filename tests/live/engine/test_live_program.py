"""Parameters and settings that a score and sound move, whatever happens to either."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shows
from live_sound import NAMES, FakeSound

from stream_dream.automation.reaction import SHOW_REACTION
from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import parameters_of
from stream_dream.live.engine.live_program import LiveProgram
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters, parameter_range
from stream_dream.settings.validation import validated

LOOKS = {
    "calm": validated(DreamSettings, {"layer": ["block10", "block5=0.5"]}),
    "wild": validated(
        DreamSettings,
        {"layer": ["block12"], "step_size": 0.05, "evenness": 0.3, "limit": "none"},
    ),
}


class _Stage:
    """A program with its controls, sound and clock; ``sound=False`` for a show without."""

    def __init__(self, *, sound: bool = True, begun: bool = True, **automation: Any) -> None:
        self.clock = shows.Clock()
        self.sound = FakeSound() if sound else None
        self.controls = Controls(parameters_of(LOOKS["calm"]), LOOKS, "calm", clock=self.clock)
        made = Automation(**automation)
        self.program = LiveProgram(made, LOOKS, self.controls, self.sound, clock=self.clock)
        self.controls.automate = self.program.parameters
        if begun:
            self.program.begin()

    def hear(self, **values: float) -> FakeSound:
        assert self.sound is not None
        self.sound.values = values
        return self.sound

    def play(self, seconds: float) -> LiveParameters:
        """Let time pass in frames, as a show does; return the parameters at its end."""
        for _ in range(round(seconds * 25)):
            self.clock.now += 0.04
            for look in LOOKS.values():
                self.program.dream(look)
            self.controls.parameters()
        return self.controls.parameters()


def test_a_score_moves_parameters_and_settings_of_looks() -> None:
    stage = _Stage(
        sound=False,
        tracks={
            "strength": "0:(0), 2s:(1), 4s:(0.5)@smooth",
            "octaves": "1+2*square(2s)",
            "evenness": "0:(0), 10s:(1)",
            "layer.block5": "sec",
        },
    )
    assert stage.controls.parameters().strength == 0
    assert stage.play(1).strength == pytest.approx(0.5)
    assert stage.controls.parameters().octaves == 3
    assert stage.play(1.04).strength == pytest.approx(0.99)
    assert stage.controls.parameters().octaves == 1
    stage.play(2.96)
    calm, wild = (stage.program.dream(look) for look in LOOKS.values())
    assert calm.evenness == wild.evenness == pytest.approx(0.5)
    assert [target.weight for target in calm.layer] == [1, pytest.approx(5)]
    assert [target.weight for target in wild.layer] == [1]  # it has no such layer
    assert calm.step_size == LOOKS["calm"].step_size
    assert stage.program.varying == {"evenness", "weights"}
    assert stage.controls.target.strength == 1  # what the operators ask for stays


def test_a_look_without_a_limit_gets_that_of_the_score() -> None:
    assert LOOKS["wild"].limit is None
    stage = _Stage(sound=False, tracks={"limit": "0:(0.1), 2s:(0.3)"})
    stage.play(1)
    assert stage.program.dream(LOOKS["wild"]).limit == pytest.approx(0.2)
    reacting = _Stage(react="bass->limit*2")
    reacting.hear(bass=1)
    reacting.play(2)
    assert reacting.program.dream(LOOKS["wild"]).limit is None  # twice no limit is none
    assert reacting.program.problem is None


def test_time_begins_with_the_first_frame() -> None:
    stage = _Stage(sound=False, begun=False, tracks={"strength": "0:(0), 2s:(2)"})
    base = stage.controls.target
    stage.clock.now += 60  # the first look is being prepared
    assert stage.controls.parameters() == base
    assert stage.program.dream(LOOKS["calm"]) is LOOKS["calm"]
    stage.program.begin()
    assert stage.controls.parameters().strength == 0
    assert stage.play(1).strength == pytest.approx(1)


def test_frames_of_a_score_count_at_the_first_rate_whatever_becomes_of_it() -> None:
    stage = _Stage(sound=False, tracks={"strength": "0:(0), 100:(2)"})
    assert stage.play(2).strength == pytest.approx(1)
    stage.controls.change({"target_fps": 100})
    assert stage.play(0.04).strength == pytest.approx(1.02)


def test_an_operator_takes_a_parameter_from_the_score_until_the_reset() -> None:
    stage = _Stage(sound=False, tracks={"strength": "0.2", "jitter": "7"})
    stage.controls.change({"strength": 1.5})
    on_the_way = [stage.play(0.2).strength for _ in range(5)]
    assert on_the_way == sorted(on_the_way)  # glides, from where it was
    assert 0.2 < on_the_way[0] < 0.7
    assert stage.play(1).strength == pytest.approx(1.5, abs=0.01)
    assert stage.controls.parameters().jitter == 7  # is still the score's
    stage.controls.use("wild")
    assert stage.play(3).strength == 1.5
    stage.controls.press("reset")
    back = [stage.play(0.2).strength for _ in range(5)]
    assert back == sorted(back, reverse=True)
    assert back[0] > 1
    assert stage.play(1).strength == 0.2
    stage.controls.change({"glide": 0, "strength": 1.0})
    assert stage.play(0.04).strength == 1


def test_a_change_of_look_takes_nothing_from_the_score() -> None:
    stage = _Stage(sound=False, tracks={"step_size": "0.03"})
    stage.controls.use("wild")
    assert stage.controls.touched == frozenset()
    assert stage.play(2).step_size == 0.03


def test_settings_follow_sound_as_much_as_reactivity_says() -> None:
    stage = _Stage(react="bass->step_size*2, onset->strength+0.3, high->evenness=0.2..0.8")
    plain = stage.play(2)
    base = stage.controls.target.step_size
    assert plain.step_size == base
    stage.hear(bass=1, onset=0.5, high=1)
    moved = stage.play(2)
    assert moved.step_size == pytest.approx(2 * base)
    assert moved.strength == pytest.approx(1.15)
    assert stage.program.dream(LOOKS["calm"]).evenness == pytest.approx(0.8)
    stage.controls.change({"reactivity": 2.0})
    moved = stage.play(3)
    assert moved.step_size == pytest.approx(3 * base, rel=0.01)
    assert moved.strength == pytest.approx(1.3, rel=0.01)
    stage.controls.change({"reactivity": 0.0})
    glides = stage.play(0.2).step_size
    assert base < glides < 3 * base
    plain = stage.play(4)
    assert plain == stage.controls.target
    assert stage.program.dream(LOOKS["calm"]) == LOOKS["calm"]


def test_a_slider_still_works_while_a_parameter_follows_sound() -> None:
    stage = _Stage(react=SHOW_REACTION)
    stage.hear(bass=1)
    loud = stage.play(3)
    stage.controls.change({"strength": 0.5})
    assert stage.play(3).strength == pytest.approx(loud.strength / 2, rel=0.01)
    assert loud.strength == pytest.approx(1.3)
    stage.hear(bass=0)
    assert stage.play(1).strength == pytest.approx(0.25, rel=0.01)
    assert stage.program.look_length is not None


@pytest.mark.parametrize("state", ["silent", "lost", "waiting"])
def test_without_sound_the_plain_look_returns_evenly(state: str) -> None:
    stage = _Stage(react="1->strength=2..2, 1->evenness=0..0")
    plain = stage.controls.target
    stage.play(2)
    assert stage.controls.parameters().strength == 2
    sound = stage.hear()
    sound.state = state
    seen = [stage.play(0.04).strength for _ in range(25)]
    assert max(np.abs(np.diff(seen))) < 0.05
    stage.play(0.2)
    assert stage.controls.parameters() == plain
    assert stage.program.dream(LOOKS["calm"]) == LOOKS["calm"]
    sound.state = "ok"
    assert 1 < stage.play(0.4).strength < 1.6
    assert stage.play(1).strength == 2


def test_a_reaction_needs_no_sound_if_its_formulas_do_not() -> None:
    stage = _Stage(sound=False, react="sine(2s)->strength*0")
    assert stage.program.reacts
    assert stage.play(1).strength == pytest.approx(0, abs=1e-6)
    assert stage.program.heard() is None


def test_everything_stays_in_its_range_whatever_is_heard() -> None:
    names = ("strength", "step_size", "persistence", "jitter", "octaves")
    react = ", ".join(f"{curve}->{name}*99" for curve, name in zip(NAMES, names, strict=False))
    stage = _Stage(react=f"{react}, onset->strength-99, kick->momentum+9, mid->layer.block10*999")
    stage.controls.change({"reactivity": 2.0})
    rng = np.random.default_rng(0)
    for _ in range(100):
        stage.hear(**{name: float(rng.choice([0, rng.random(), 1])) for name in NAMES})
        stage.hear().state = str(rng.choice(["ok", "ok", "ok", "silent", "lost"]))
        if rng.random() < 0.1:
            values = {name: float(rng.uniform(*parameter_range(name))) for name in names[:3]}
            stage.controls.change(values)
        moved = stage.play(0.08)
        LiveParameters.model_validate(moved.model_dump())
        dream = stage.program.dream(LOOKS["calm"])
        DreamSettings.model_validate(dream.model_dump(exclude={"layer"}))
        assert abs(dream.layer[0].weight) <= 100
        assert isinstance(moved.octaves, int)
        assert isinstance(moved.jitter, int)


def test_a_value_that_cannot_be_computed_stays_as_it_was_and_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Strength has no number between 2 and 3 seconds, evenness none before 3.
    tracks = {"strength": "0:(0.3)@step, 2s:(sqrt(sec-3)+1.5)", "evenness": "1/(sec>3)"}
    stage = _Stage(sound=False, tracks={**tracks, "jitter": "round(t)"})
    with caplog.at_level(logging.WARNING, "stream_dream.live"):
        assert stage.play(2.5).strength == 0.3
        moved = stage.controls.parameters()
        assert moved.jitter == 62
        assert stage.program.dream(LOOKS["wild"]).evenness == LOOKS["wild"].evenness
        told = stage.program.problem
        assert told is not None
        assert "stays as it was: " in told
        assert stage.play(1.5).strength == 2  # it goes on
        assert stage.program.dream(LOOKS["wild"]).evenness == 1
        assert stage.program.problem == told
    assert len(caplog.records) == 2
    assert all(record.exc_info is None for record in caplog.records)


def test_a_value_that_never_can_be_computed_is_that_of_the_look() -> None:
    stage = _Stage(sound=False, tracks={"step_size": "log(-1)", "evenness": "0/0"})
    assert stage.play(5).step_size == stage.controls.target.step_size
    assert stage.program.dream(LOOKS["wild"]).evenness == LOOKS["wild"].evenness


def test_sound_that_fails_is_none(caplog: pytest.LogCaptureFixture) -> None:
    stage = _Stage(react="bass->strength*2")
    stage.hear(bass=1)
    stage.play(2)

    class _Broken(FakeSound):
        def curves(self) -> dict[str, float]:
            raise OSError("the driver is gone")

    stage.program._sound = _Broken()
    with caplog.at_level(logging.WARNING, "stream_dream.live"):
        for _ in range(5):
            assert 0 <= stage.play(1).strength <= 2
        told = stage.program.heard()
        assert told is not None
        assert told.state == "lost"
        assert stage.controls.parameters() == stage.controls.target
    assert len(caplog.records) == 1
    assert "the driver is gone" in (stage.program.problem or "")


def test_threads_may_ask_at_once() -> None:
    stage = _Stage(
        react="bass->step_size*2", tracks={"strength": "0.5+0.5*sine(1s)", "evenness": "beat"}
    )
    stage.hear(bass=0.5)
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(300):
                stage.controls.parameters()
                stage.program.dream(LOOKS["calm"])
                stage.program.now()
                stage.program.beats()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for step in range(300):
        stage.clock.now += 0.013
        stage.controls.change({"step_size": 0.01 + 0.0001 * step})
    for thread in threads:
        thread.join()
    assert not failed
    assert stage.program.problem is None


def test_beats_are_those_heard_or_given() -> None:
    stage = _Stage(tracks={"strength": "where(beats%2 < 1, 0, 2)"})
    assert stage.program.beats() is None
    sound = stage.hear()
    sound.tempo = 60.0
    for _ in range(200):
        sound.number = stage.clock.now % 16
        stage.play(0.04)
    sound.number = stage.clock.now % 16
    beats = stage.program.beats()
    assert beats is not None
    assert (beats - sound.number + 2) % 4 == pytest.approx(2, abs=0.05)
    assert stage.controls.parameters().strength == (0 if beats % 2 < 1 else 2)
    given = _Stage(sound=False, bpm=120, offset=1, tracks={"strength": "0:(0), 2b:(2)@step"})
    assert given.play(1.9).strength < 2
    assert given.play(0.2).strength == 2


def test_curves_of_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "pulse.csv"
    file.write_text("0,0\n10,2\n")
    stage = _Stage(sound=False, curves={"pulse": file}, tracks={"strength": "pulse"})
    assert stage.play(5).strength == pytest.approx(1)


@pytest.mark.parametrize(
    ("automation", "message"),
    [
        ({"tracks": {"cadence": "2"}}, "cadence cannot change over time here"),
        ({"tracks": {"mask_strength": "0.5"}}, "mask_strength cannot change over time here"),
        ({"tracks": {"target_fps": "10"}}, "target_fps cannot change over time here"),
        ({"tracks": {"mirror": "1"}}, "mirror cannot change over time here"),
        ({"tracks": {"strenght": "1"}}, "did you mean strength"),
        ({"tracks": {"layer.block99": "1"}}, "no look dreams that layer: those are block10"),
        ({"tracks": {"strength": "50%:(1)"}}, "strength: a show has no length and no shots"),
        ({"tracks": {"strength": "t/max_f"}}, "a show has no length and no shots"),
        ({"tracks": {"strength": "shot 2:(1)"}}, "a show has no length and no shots"),
        ({"look_track": "0:calm, 50%:wild"}, "preset: a show has no length and no shots"),
        ({"react": "sine(50%)->strength+1"}, "react: a show has no length and no shots"),
        ({"tracks": {"strength": "bass"}}, "settings that follow sound need --listen"),
        ({"tracks": {"strength": "beat"}}, "follow beats need --bpm or --listen"),
        ({"react": "bass->strength+1"}, "settings that follow sound need --listen"),
        ({"react": "onset->zoom+0.06"}, "zoom cannot change over time here"),
        ({"tracks": {"strength": "1 +"}}, "--strength: "),
    ],
)
def test_what_a_show_cannot_do_is_refused(automation: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as refused:
        _Stage(sound=False, **automation)
    assert "\n" not in str(refused.value)


def test_days_need_no_memory() -> None:
    stage = _Stage(
        react="onset(0.5, 1b)->strength+1, bass->step_size*2",
        tracks={"evenness": "0:(0), 4b:(1), 8b:(noise(1s))"},
    )
    sound = stage.hear(onset=0.2)
    rng = np.random.default_rng(0)
    for number in range(400):
        sound.tempo, sound.number = float(rng.uniform(60, 180)), float(rng.uniform(0, 999))
        stage.hear(onset=float(rng.random()))
        stage.clock.now += 1000 * rng.random()
        stage.play(0.04)
        if number == 20:
            kept = {name: _size(value) for name, value in vars(stage.program).items()}
    grown = {name: _size(value) for name, value in vars(stage.program).items()}
    grown.pop("_hearing"), kept.pop("_hearing")  # is tested by itself
    assert grown == kept


def _size(value: object) -> int:
    return len(value) if isinstance(value, dict | set | list) else 0
