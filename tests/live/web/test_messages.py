"""Messages of a page: keys and MIDI."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from waiting import wait_for
from web_clients import talk, told

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.messages import Operator, midi_messages
from stream_dream.live.web.view import WebView


class FakeMidi:
    """Binds controls at once, and remembers what it received."""

    def __init__(self) -> None:
        """Start with a binding."""
        self.learning: str | None = None
        self.bindings: dict[str, str] = {"cc 1 7": "strength"}
        self.message = ""
        self.received: list[bytes] = []
        self.level = 0

    def learn(self, address: str | None) -> None:
        """Wait for a knob."""
        self.learning = address

    def unbind(self, address: str) -> None:
        """Forget a binding."""
        self.bindings = {source: at for source, at in self.bindings.items() if at != address}

    def receive(self, message: bytes) -> None:
        """Bind what is learned."""
        self.received.append(message)
        if self.learning is not None:
            self.bindings = {**self.bindings, "cc 1 8": self.learning}
            self.message, self.learning = f"{self.learning} learned", None

    def lamps(self) -> dict[str, bytes]:
        """Return one lamp."""
        return {"cc 1 7": bytes([0xB0, 7, self.level])}


@pytest.fixture
def midi() -> FakeMidi:
    return FakeMidi()


@pytest.fixture
def operator(controls: Controls, midi: FakeMidi) -> Operator:
    return Operator(Surface(controls), midi, lambda: False)


def test_keys_do_what_they_do_in_the_window(operator: Operator, controls: Controls) -> None:
    assert operator.obey({"key": "space"}) == {"notice": "held", "refused": False}
    assert controls.frozen
    answer = operator.obey({"key": "9"})
    assert answer == {"notice": "there is no look 9: there are 3", "refused": True}
    assert operator.obey({"key": "k"}) is None


def test_a_message_may_hold_several_of_midi(operator: Operator, midi: FakeMidi) -> None:
    operator.obey({"midi": [64, 0xB0, 7, 64, 0xF8, 0x90, 60, 100]})
    assert midi.received == [b"\xb0\x07\x40", b"\xf8", b"\x90\x3c\x64"]
    assert midi_messages(b"") == []


def test_controls_learn_and_forget_knobs(operator: Operator, midi: FakeMidi) -> None:
    operator.obey({"learn": "b/preset/eyes"})
    assert midi.learning == "b/preset/eyes"
    operator.obey({"learn": None})
    assert midi.learning is None
    with pytest.raises(SettingsError, match="there is nothing at /strenght"):
        operator.obey({"learn": "strenght"})
    operator.obey({"unbind": "strength"})
    assert midi.bindings == {}


def test_parameters_are_all_set_or_none(operator: Operator, controls: Controls) -> None:
    with pytest.raises(SettingsError):
        operator.obey({"set": {"strength": 0.5, "b/jitter": 1000}})
    assert controls.target.strength == 1
    assert controls.revision == 0
    operator.obey({"set": {"strength": 0.5, "b/jitter": 3, "blackout": True}})
    assert controls.target.blackout
    assert controls.state.decks["b"].jitter == 3


def test_parts_of_an_lfo_that_wait_for_the_bar_stay_together(
    operator: Operator, controls: Controls
) -> None:
    beats = 0.0
    controls.beats = lambda: beats
    controls.change({"quantize": "bar"})
    operator.obey({"set": {f"lfo/strength/{key}": at for key, at in LFO.items()}})
    assert controls.state.lfos == {}
    beats = 4.0
    controls.parameters()
    assert controls.state.lfos["strength"].model_dump() == LFO
    operator.obey({"set": {"lfo/strength/depth": 0}})
    beats = 8.0
    controls.parameters()
    assert controls.state.lfos["strength"].model_dump() == {**LFO, "depth": 0}


def test_messages_of_parts_of_an_lfo_add_up(operator: Operator, controls: Controls) -> None:
    beats = 0.0
    controls.beats = lambda: beats
    controls.change({"quantize": "bar"})
    for key, at in LFO.items():
        operator.obey({"set": {f"lfo/step_size/{key}": at}})
    beats = 4.0
    controls.parameters()
    assert controls.state.lfos["a/step_size"].model_dump() == LFO
    operator.obey({"set": {"lfo/step_size/every": 5}})
    beats = 8.0
    controls.parameters()
    assert controls.state.lfos["a/step_size"].model_dump() == {**LFO, "every": 5}


def test_a_refused_lfo_changes_nothing_else(operator: Operator, controls: Controls) -> None:
    for every in (1e-320, 0.01, 1e8):
        with pytest.raises(SettingsError, match="LFO of light"):
            operator.obey({"set": {"strength": 0.5, "lfo/light/every": every}})
    assert controls.target.strength == 1
    assert controls.state.lfos == {}


LFO = {"shape": "square", "every": 3, "unit": "seconds", "depth": 0.25}


def test_lamps_go_to_pages_with_midi_alone(
    controls: Controls, midi: FakeMidi, tmp_path: Path
) -> None:
    view = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path, midi=midi)
    try:
        with talk(view) as playing, talk(view) as other:
            playing.send('{"midi": []}')
            assert told(playing, "lamps")["lamps"] == {"cc 1 7": [0xB0, 7, 0]}
            midi.level = 99
            assert told(playing, "lamps")["lamps"] == {"cc 1 7": [0xB0, 7, 99]}
            other.send('{"learn": "strength"}')
            told(playing, "midi", lambda state: state["learning"] == "strength")
            playing.send(json.dumps({"midi": [0xB0, 8, 1]}))
            state = told(other, "midi", lambda state: bool(state["message"]))["midi"]
            assert state["bindings"] == {"cc 1 7": "strength", "cc 1 8": "strength"}
            assert state["message"] == "strength learned"
            controls.press("reset")
            for _ in range(5):
                assert "lamps" not in json.loads(other.recv(timeout=60))
        wait_for(lambda: view._site.sockets == 0)
        assert httpx.get(f"{view.link}settings").status_code == 200
    finally:
        view.close()
