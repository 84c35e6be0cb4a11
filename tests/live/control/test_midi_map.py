"""The MIDI map: learning, take-over, buttons, the clock, junk, and what lamps show."""

from __future__ import annotations

import logging
import random

import pytest

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.midi_map import Lamps, MidiMap
from stream_dream.live.control.midi_source import check_source
from stream_dream.live.control.surface import Surface
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters, parameter_range

LOOKS = {name: DreamSettings() for name in ("dogs", "eyes", "stripes")}


class _Desk:
    """A map whose clock stands still, and a device that plays on it."""

    def __init__(self) -> None:
        self.time = 100.0
        self.controls = Controls(LiveParameters(glide=0), LOOKS, "dogs", clock=lambda: self.time)
        self.surface = Surface(self.controls)
        self.midi = MidiMap(self.surface, clock=lambda: self.time)

    def bind(self, **addresses: str) -> None:
        for source, address in addresses.items():
            self.midi.bindings = {**self.midi.bindings, source.replace("_", " "): address}

    def turn(self, *places: int, number: int = 7) -> None:
        for place in places:
            self.midi.receive(bytes([0xB0, number, place]))

    def strike(self, velocity: int = 100, number: int = 36) -> None:
        self.midi.receive(bytes([0x90, number, velocity]))
        self.midi.receive(bytes([0x80, number, 0]))

    @property
    def strength(self) -> float:
        return self.controls.target.strength


@pytest.fixture
def desk() -> _Desk:
    return _Desk()


def test_the_next_control_to_be_moved_is_learned_without_a_jump(desk: _Desk) -> None:
    stored = []
    desk.midi.on_change = lambda: stored.append(desk.midi.bindings)
    before = desk.midi.bindings
    desk.midi.learn("strength")
    assert desk.midi.learning == "strength"
    desk.midi.receive(bytes([0x80, 36, 0]))  # a key that was still held
    assert desk.midi.learning == "strength"
    desk.midi.receive(bytes([0xB2, 11, 100]))
    assert (desk.midi.learning, before) == (None, {})
    assert stored == [{"cc 3 11": "strength"}]
    assert desk.strength == 1
    assert desk.midi.message == "midi: cc 3 11 moves strength"
    desk.midi.learn("cut")
    desk.strike()
    assert desk.midi.bindings == {"cc 3 11": "strength", "note 1 36": "cut"}
    assert desk.controls.state.front == "a"  # it was learned, not pressed
    desk.midi.learn("light")
    desk.midi.learn(None)
    desk.turn(3)
    desk.midi.bindings = {**desk.midi.bindings, "cc 3 12": "strength"}
    desk.midi.unbind("cc 3 12")
    assert desk.midi.bindings["cc 3 11"] == "strength"
    desk.midi.unbind("cc 3 11")
    assert stored[-1] == desk.midi.bindings == {"note 1 36": "cut"}


def test_the_touch_of_a_fader_is_not_what_is_learned(desk: _Desk) -> None:
    desk.midi.learn("strength")
    desk.strike(127, number=110)  # X-Touch One: the cap is touched, then moved
    assert desk.midi.learning == "strength"
    desk.time += 0.2
    desk.turn(26, number=70)
    assert desk.midi.bindings == {"cc 1 70": "strength"}
    desk.midi.learn("light")
    desk.turn(127, number=102)  # a touch may be a control change too
    desk.turn(30, number=71)
    assert desk.midi.bindings == {"cc 1 70": "strength", "cc 1 71": "light"}
    desk.time += 10
    assert desk.midi.learning is None


@pytest.mark.parametrize(
    ("press", "source"), [(b"\x90\x24\x7f", "note 1 36"), (b"\xb0\x07\x7f", "cc 1 7")]
)
def test_a_pad_that_says_on_or_off_is_learned_after_a_moment(
    desk: _Desk, press: bytes, source: str
) -> None:
    stored = []
    desk.midi.on_change = lambda: stored.append(desk.midi.bindings)
    desk.midi.learn("blackout")
    desk.midi.receive(press)
    desk.time += 0.2
    assert (desk.midi.learning, stored) == ("blackout", [])
    desk.time += 0.4
    assert desk.midi.learning is None  # whoever asks: no message comes
    assert stored == [{source: "blackout"}]
    assert desk.midi.message == f"midi: {source} moves blackout"
    assert not desk.controls.state.stage.blackout
    desk.midi.learn("freeze")
    desk.midi.receive(press)
    desk.time += 0.6
    assert set(desk.midi.lamps()) == {source}
    assert stored[1:] == [{source: "freeze"}]


def test_a_learn_that_was_left_open_ends(desk: _Desk) -> None:
    desk.bind(cc_1_7="light")
    desk.midi.learn("strength")
    desk.time += 29
    assert desk.midi.learning == "strength"
    desk.time += 2
    desk.turn(64)
    assert desk.midi.bindings == {"cc 1 7": "light"}
    assert desk.midi.learning is None
    assert desk.midi.message == "midi: nothing was moved for strength: touch it once more"


def test_faders_that_send_pitch_bend(desk: _Desk) -> None:
    desk.midi.learn("strength")
    desk.strike(127, number=104)  # the touch of a Mackie fader
    desk.midi.receive(bytes([0xE3, 0, 0]))
    assert desk.midi.bindings == {"bend 4": "strength"}
    lamps = Lamps(desk.midi)
    desk.time += 1
    assert lamps.changed() == [bytes([0xE3, 0x40, 0x3F])]
    for high in range(0, 128, 2):
        desk.midi.receive(bytes([0xE3, 1, high]))
    assert desk.strength == pytest.approx(2 * (126 + 1 / 128) / 127, abs=0.011)
    desk.time += 0.1
    assert lamps.changed() == []  # not while a hand moves it
    # Many a fader has fewer bits: its top is the top.
    desk.midi.receive(bytes([0xE3, 0, 127]))
    assert desk.strength == 2
    desk.time += 1
    assert lamps.changed() == [bytes([0xE3, 0, 127])]


def test_a_motor_fader_that_was_carried_to_the_value_has_met_it(desk: _Desk) -> None:
    desk.bind(cc_1_7="strength")
    lamps = Lamps(desk.midi)
    desk.turn(64, 25)
    low = desk.strength
    desk.time += 1
    lamps.changed()
    desk.controls.change({"strength": 1.6})
    desk.turn(30)  # a hand that moves it on before the motor has been told
    assert desk.strength == 1.6
    desk.time += 1
    assert lamps.changed() == [bytes([0xB0, 7, 102])]
    desk.turn(96, 88, 75, 20)
    assert low / 2 < desk.strength < low
    # A knob without a motor is still where it was.
    desk.controls.change({"strength": 1.6})
    desk.time += 1
    lamps.changed()
    desk.turn(22, 30, 60, 80, 96)
    assert desk.strength == 1.6


def test_what_a_port_sends_back_is_known(desk: _Desk) -> None:
    desk.bind(cc_1_7="strength", note_1_36="blackout")
    lamps = Lamps(desk.midi)
    first = lamps.changed()
    desk.controls.change({"strength": 2, "blackout": True})
    second = lamps.changed()
    desk.time += 0.1
    assert all(lamps.sent_just_now(message) for message in (*first, *second))
    assert not lamps.sent_just_now(bytes([0x90, 36, 100]))
    desk.time += 0.15
    assert not any(lamps.sent_just_now(message) for message in (*first, *second))


def test_only_what_can_be_moved_is_learned(desk: _Desk) -> None:
    with pytest.raises(SettingsError, match="did you mean /strength"):
        desk.midi.learn("strenght")
    with pytest.raises(SettingsError, match="/store is a text"):
        desk.midi.learn("store")
    with pytest.raises(SettingsError, match="nothing is moved by 'cc 1 7'"):
        desk.midi.unbind("cc 1 7")
    assert desk.midi.learning is None


def test_a_knob_moves_a_number_once_it_has_met_it(desk: _Desk) -> None:
    desk.bind(cc_1_7="strength")
    desk.turn(0, 20, 40)
    assert desk.strength == 1
    desk.turn(62)  # two steps away
    assert desk.strength == pytest.approx(2 * 62 / 127, abs=0.05)
    desk.turn(10)
    low = desk.strength
    assert low < 0.3
    # Somebody else changes it: it is met anew.
    desk.controls.change({"strength": 1.5})
    desk.turn(20, 30)
    assert desk.strength == 1.5
    desk.turn(127)  # passed it
    assert desk.strength == 2
    desk.turn(0)
    assert desk.strength == 0


def test_a_knob_keeps_a_number_that_counts(desk: _Desk) -> None:
    desk.bind(cc_1_7="octaves")
    found = []
    for place in range(128):
        desk.turn(place)
        found.append(desk.controls.target.octaves)
    assert found == sorted(found)
    assert found[-1] == 4
    desk.turn(*range(127, -1, -1))
    assert desk.controls.target.octaves == 1


def test_pads_jump(desk: _Desk) -> None:
    desk.bind(note_1_36="strength", note_1_37="blackout", note_1_38="quantize", note_1_39="freeze")
    desk.strike(127)
    assert desk.strength == 2
    for expected in (True, False):
        desk.strike(number=37)
        assert desk.controls.state.stage.blackout is expected
        desk.strike(number=39)
        assert desk.controls.frozen is expected
    for words in ("beat", "bar", "4bars", "off", "beat"):
        desk.strike(number=38)
        assert desk.controls.target.quantize == words


def test_buttons_that_send_control_changes(desk: _Desk) -> None:
    desk.bind(cc_1_7="preset/eyes", cc_1_8="blackout", cc_1_9="freeze")
    desk.turn(10, 63)
    assert desk.controls.look == "dogs"
    desk.turn(64, 65, 127)
    assert desk.controls.look == "eyes"
    revision = desk.controls.revision
    desk.turn(100, 63)
    assert desk.controls.revision == revision
    desk.turn(127, number=8)
    assert desk.controls.state.stage.blackout
    desk.turn(0, number=8)
    assert not desk.controls.state.stage.blackout
    desk.turn(127, 0, number=9)
    assert desk.controls.frozen
    desk.turn(127, 0, number=9)
    assert not desk.controls.frozen


def test_a_knob_chooses_a_look_once(desk: _Desk) -> None:
    desk.bind(cc_1_7="b/preset")
    desk.turn(0)
    desk.controls.change({"b/jitter": 1})
    desk.turn(*range(1, 43))
    assert desk.controls.state.decks["b"].jitter == 1  # its look was not loaded again
    desk.turn(64)
    assert desk.controls.state.decks["b"].look == "eyes"
    desk.turn(127)
    assert desk.controls.state.decks["b"].look == "stripes"


def test_a_clock_gives_the_tempo(desk: _Desk) -> None:
    desk.midi.receive(b"\xfa")
    for _ in range(49):
        desk.time += 60 / 150 / 24
        desk.midi.receive(b"\xf8")
    desk.midi.receive(b"\xfb")
    desk.midi.receive(b"\xfc")
    assert desk.controls.tempo.tempo == pytest.approx(150)
    assert desk.controls.tempo.beats() == pytest.approx(2, abs=1e-6)


def test_one_clock_on_two_ports_is_one_clock(desk: _Desk) -> None:
    for message in (*[b"\xfa"], *[b"\xf8"] * 49):
        desk.midi.receive(message, "one")
        desk.time += 0.001
        desk.midi.receive(message, "two")
        desk.time += 60 / 120 / 24 - 0.001
    assert desk.controls.tempo.tempo == pytest.approx(120, rel=0.01)


def test_what_cannot_be_done_is_a_message_and_no_log(
    desk: _Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.bind(note_1_36="flash", note_1_37="scene/gone")
    for _ in range(100):
        desk.strike()
    assert desk.midi.message.startswith("midi: more than three flashes a second")
    desk.strike(number=37)
    assert desk.midi.message.startswith("midi: there is nothing at /scene/gone")
    desk.midi.learn("light")
    assert desk.midi.message == ""
    desk.midi.learn(None)
    assert len(desk.midi.lost()) == 1
    assert "note 1 37: there is nothing at /scene/gone" in desk.midi.lost()[0]
    assert not caplog.records
    assert set(desk.midi.lamps()) == {"note 1 36"}


def test_junk_is_ignored(desk: _Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    desk.bind(cc_1_7="strength", note_1_36="strength")
    for junk in (b"", b"\x07", b"\x07\x40", b"\xb0", b"\xb0\x07", b"\xb0\x07\xff", b"\x90\x24\x80"):
        desk.midi.receive(junk)
    desk.midi.receive(b"\xf0\x7e\x7f\x06\x01\xf7")
    desk.midi.receive(b"\xb0\x07\x40\xb0")
    assert desk.strength == 1
    rng = random.Random(0)
    for _ in range(3000):
        desk.midi.receive(rng.randbytes(rng.randrange(5)))
    assert not caplog.records


def test_lamps_show_the_state(desk: _Desk) -> None:
    desk.bind(cc_2_7="strength", note_10_36="blackout", note_1_1="preset/dogs")
    assert desk.midi.lamps() == {
        "cc 2 7": bytes([0xB1, 7, 64]),
        "note 10 36": bytes([0x99, 36, 0]),
        "note 1 1": bytes([0x90, 1, 127]),
    }
    desk.controls.change({"strength": 2, "blackout": True})
    desk.controls.use("eyes")
    assert list(desk.midi.lamps().values()) == [
        bytes([0xB1, 7, 127]),
        bytes([0x99, 36, 127]),
        bytes([0x90, 1, 0]),
    ]


def test_a_device_is_told_what_changes_but_not_while_it_is_moved(desk: _Desk) -> None:
    desk.bind(cc_1_7="strength", note_1_36="blackout")
    first, second = Lamps(desk.midi), Lamps(desk.midi)
    all_of_it = [bytes([0xB0, 7, 64]), bytes([0x90, 36, 0])]
    assert first.changed() == second.changed() == all_of_it
    desk.time += 1
    assert first.changed() == []
    desk.turn(64, 90)
    desk.strike()
    desk.time += 0.1
    assert first.changed() == [bytes([0x90, 36, 127])]
    assert first.changed() == []
    desk.time += 0.5
    assert first.changed() == [bytes([0xB0, 7, 90])]
    assert second.changed() == [bytes([0xB0, 7, 90]), bytes([0x90, 36, 127])]
    # A motor fader that was moved away from a value it does not hold goes back.
    desk.controls.change({"strength": 0.0})
    desk.time += 0.1
    assert first.changed() == [bytes([0xB0, 7, 0])]
    desk.turn(50)
    desk.time += 1
    assert first.changed() == [bytes([0xB0, 7, 0])]


@pytest.mark.parametrize("text", ["cc 1 0", "cc 16 127", "note 10 99", "note 9 100", "bend 16"])
def test_sources(text: str) -> None:
    assert check_source(text) == text


@pytest.mark.parametrize(
    "text", ["cc 0 1", "cc 17 1", "cc 1 128", "note 1", "CC 1 1", "cc 1 01", "bend 1 1"]
)
def test_wrong_sources(text: str) -> None:
    with pytest.raises(SettingsError, match="there is no MIDI control"):
        check_source(text)


def test_a_knob_steers_a_journey() -> None:
    desk = _Desk()
    desk.controls.journey = True
    desk.bind(cc_1_7="zoom", cc_1_8="turn")
    for number in (7, 8):
        desk.turn(0, 127, number=number)
    now = desk.controls.target
    assert (now.zoom, now.turn) == (parameter_range("zoom")[1], parameter_range("turn")[1])
