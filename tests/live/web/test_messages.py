"""Messages of a page: keys and MIDI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from waiting import SECONDS, wait_for
from web_clients import talk, told

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.messages import Operator, midi_messages
from stream_dream.live.web.view import WebView


class _Clock:
    """A clock that hardly moves by itself."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds; two readings are never equal."""
        self.now += 1e-6
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def midi(controls: Controls, clock: _Clock) -> MidiMap:
    bindings = {"cc 1 7": "strength", "note 1 36": "blackout"}
    return MidiMap(Surface(controls), bindings, clock=clock)


@pytest.fixture
def view(controls: Controls, midi: MidiMap, tmp_path: Path) -> Iterator[WebView]:
    view = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path, midi=midi)
    yield view
    view.close()


@pytest.fixture
def operator(controls: Controls, midi: MidiMap) -> Operator:
    return Operator(Surface(controls), midi)


def test_keys_do_what_they_do_in_the_window(operator: Operator, controls: Controls) -> None:
    assert operator.obey({"key": "space"}) == {"notice": "held", "refused": False}
    assert controls.frozen
    answer = operator.obey({"key": "9"})
    assert answer == {"notice": "there is no look 9: there are 3", "refused": True}
    assert operator.obey({"key": "k"}) is None
    assert operator.obey({"key": "9" * 5000}) is None


def test_a_message_may_hold_several_of_midi(operator: Operator, controls: Controls) -> None:
    several = [64, 0xB0, 7, 64, 0xF8, 0x90, 36, 100]
    assert midi_messages(bytes(several)) == [b"\xb0\x07\x40", b"\xf8", b"\x90\x24\x64"]
    assert midi_messages(b"") == []
    operator.obey({"midi": several})
    assert controls.target.strength == pytest.approx(2 * 64 / 127, abs=0.01)
    assert controls.target.blackout


def test_controls_learn_and_forget_knobs(operator: Operator, midi: MidiMap) -> None:
    operator.obey({"learn": "b/preset/eyes"})
    assert midi.learning == "b/preset/eyes"
    operator.obey({"learn": None})
    assert midi.learning is None
    with pytest.raises(SettingsError, match="there is nothing at /strenght"):
        operator.obey({"learn": "strenght"})
    operator.obey({"unbind": "cc 1 7"})
    assert midi.bindings == {"note 1 36": "blackout"}


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


@pytest.mark.slow
def test_lamps_go_to_pages_with_midi_alone(
    controls: Controls, midi: MidiMap, view: WebView
) -> None:
    with talk(view) as playing, talk(view) as other:
        playing.send('{"midi": []}')
        assert told(playing, "lamps")["lamps"] == [[0xB0, 7, 64], [0x90, 36, 0]]
        controls.change({"strength": 2})
        assert told(playing, "lamps")["lamps"] == [[0xB0, 7, 127]]
        other.send('{"learn": "light"}')
        told(playing, "midi", lambda state: state["learning"] == "light")
        playing.send(json.dumps({"midi": [0xB0, 8, 1]}))
        state = told(other, "midi", lambda state: bool(state["message"]))["midi"]
        assert state["bindings"] == {**midi.bindings, "cc 1 8": "light"}
        assert state["message"] == "midi: cc 1 8 moves light"
        controls.press("reset")
        for _ in range(5):
            assert "lamps" not in json.loads(other.recv(timeout=SECONDS))
    wait_for(lambda: view._site.sockets == 0)
    assert httpx.get(f"{view.link}settings").status_code == 200


def test_a_fader_of_a_page_is_not_moved_against_the_hand(
    controls: Controls, clock: _Clock, view: WebView
) -> None:
    with talk(view) as playing:
        playing.send('{"midi": [176, 7, 64, 176, 7, 90]}')
        playing.send('{"midi": []}')
        assert told(playing, "lamps")["lamps"] == [[0x90, 36, 0]]
        controls.change({"blackout": True})
        assert told(playing, "lamps")["lamps"] == [[0x90, 36, 127]]
        clock.now += 0.6  # the hand has let go
        assert told(playing, "lamps")["lamps"] == [[0xB0, 7, 90]]


def test_a_pad_of_a_page_that_lights_by_itself_is_told_anew(view: WebView) -> None:
    with talk(view) as playing:
        playing.send('{"midi": []}')
        playing.send('{"midi": [144, 36, 100]}')
        told(playing, "lamps", lambda lamps: [0x90, 36, 127] in lamps)
        playing.send('{"midi": [128, 36, 0]}')  # changes nothing, but has darkened the pad
        assert told(playing, "lamps")["lamps"] == [[0x90, 36, 127]]
