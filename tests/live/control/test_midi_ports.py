"""MIDI ports: controllers that come and go, ports that do not open, a library that aborts."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from waiting import wait_for

from stream_dream.errors import SettingsError, SourceError
from stream_dream.live.control import midi_ports
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.midi_ports import MidiPorts, listed_ports
from stream_dream.live.control.surface import Surface
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters

FAKE = Path(__file__).parents[2] / "fake_midi"
KNOBS, PADS = "knobs 20:0", "pads 24:0"


class _Machine:
    """A machine whose ports and messages are files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def plug(self, *names: str) -> None:
        new = self.folder / "new"
        new.write_text("".join(f"{name}\n" for name in names))
        new.replace(self.folder / "ports")

    def play(self, name: str, message: str) -> None:
        with (self.folder / "in").open("a") as file:
            file.write(f"{name} {message}\n")

    def shown(self) -> list[str]:
        path = self.folder / "out"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Machine:
    monkeypatch.setenv("FAKE_MIDI", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(FAKE))
    monkeypatch.syspath_prepend(FAKE)
    return _Machine(tmp_path)


@pytest.fixture
def midi() -> MidiMap:
    surface = Surface(Controls(LiveParameters(glide=0), {"dogs": DreamSettings()}, "dogs"))
    return MidiMap(surface, {"cc 1 7": "strength", "note 1 36": "blackout"})


@pytest.fixture
def opened(midi: MidiMap) -> Iterator[Callable[..., MidiPorts]]:
    ports: list[MidiPorts] = []

    def open_ports(wanted: str = "") -> MidiPorts:
        ports.append(MidiPorts(midi, wanted))
        return ports[-1]

    yield open_ports
    for one in ports:
        one.close()


def strength(midi: MidiMap) -> float:
    return float(midi._surface.controls.target.strength)


def test_a_controller_plays_and_shows(
    machine: _Machine, midi: MidiMap, opened: Callable[..., MidiPorts]
) -> None:
    machine.plug("Midi Through 14:0", "stream_dream:RtMidi Output 129:0", KNOBS)
    ports = opened()
    assert ports.open_ports == (KNOBS,)
    wait_for(lambda: f"{KNOBS} b00740" in machine.shown())
    wait_for(lambda: f"{KNOBS} 902400" in machine.shown())
    for message in ("b0073f", "b0077f", "902440"):
        machine.play(KNOBS, message)
    wait_for(lambda: strength(midi) == 2)
    wait_for(lambda: f"{KNOBS} 90247f" in machine.shown())
    ports.close()
    ports.close()


def test_what_a_port_sends_back_moves_nothing(
    machine: _Machine, midi: MidiMap, opened: Callable[..., MidiPorts]
) -> None:
    machine.plug("loop 20:0", KNOBS)
    opened()
    wait_for(lambda: "loop 20:0 902400" in machine.shown())
    midi._surface.controls.change({"blackout": True, "strength": 0.5})
    wait_for(lambda: "loop 20:0 90247f" in machine.shown())
    wait_for(lambda: "loop 20:0 b00720" in machine.shown())
    machine.play(KNOBS, "b0080a")
    midi.learn("light")
    machine.play(KNOBS, "b0080b")
    wait_for(lambda: midi.bindings.get("cc 1 8") == "light")
    assert midi._surface.value("blackout")
    assert strength(midi) == 0.5
    assert machine.shown().count("loop 20:0 90247f") == 1


def test_ticks_come_with_the_name_of_their_port(
    machine: _Machine, midi: MidiMap, opened: Callable[..., MidiPorts]
) -> None:
    heard = []
    midi._surface.controls.tempo.tick = heard.append  # type: ignore[method-assign]
    machine.plug(KNOBS, PADS)
    opened()
    machine.play(KNOBS, "f8")
    machine.play(PADS, "f8")
    wait_for(lambda: sorted(heard) == [KNOBS, PADS])


def test_lamps_go_on_after_an_unexpected_error(
    machine: _Machine,
    midi: MidiMap,
    opened: Callable[..., MidiPorts],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine.plug(KNOBS)
    opened()
    wait_for(lambda: f"{KNOBS} 902400" in machine.shown())
    with monkeypatch.context() as patched:
        patched.setattr(midi, "lamps", lambda: {}["boom"])
        wait_for(lambda: "lamps could not be lit" in caplog.text)
    midi._surface.controls.change({"blackout": True})
    wait_for(lambda: f"{KNOBS} 90247f" in machine.shown())


def test_ports_are_chosen_by_a_part_of_their_name(
    machine: _Machine, opened: Callable[..., MidiPorts]
) -> None:
    machine.plug(KNOBS, PADS, PADS, "Midi Through 14:0")
    assert listed_ports() == [KNOBS, PADS, f"{PADS} (2)", "Midi Through 14:0"]
    assert opened("PAD").open_ports == (PADS, f"{PADS} (2)")
    assert opened("through").open_ports == ("Midi Through 14:0",)


@pytest.mark.slow
def test_a_controller_that_is_plugged_in_again_is_found(
    machine: _Machine,
    midi: MidiMap,
    opened: Callable[..., MidiPorts],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    machine.plug(PADS)
    ports = opened("knobs")
    assert "no input called 'knobs' yet: it is waited for; there are: pads" in caplog.text
    machine.plug(PADS, KNOBS)
    wait_for(lambda: ports.open_ports == (KNOBS,))
    machine.plug(PADS)
    wait_for(lambda: ports.open_ports == ())
    wait_for(lambda: "knobs 20:0 is gone" in caplog.text)
    again = "knobs 28:0"
    machine.plug(PADS, again)
    wait_for(lambda: ports.open_ports == (again,))
    wait_for(lambda: f"{again} b00740" in machine.shown())
    machine.play(again, "b0073f")
    machine.play(again, "b00760")
    wait_for(lambda: strength(midi) > 1)


@pytest.mark.slow
def test_a_port_that_ends_the_library_leaves_the_others_alone(
    machine: _Machine,
    midi: MidiMap,
    opened: Callable[..., MidiPorts],
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine.plug("broken 20:0", "busy 22:0", PADS)
    ports = opened()
    wait_for(lambda: ports.open_ports == (PADS,))
    lines = [record.message for record in caplog.records if "does not open" in record.message]
    assert len(lines) == 2
    machine.play(PADS, "902440")
    wait_for(lambda: midi._surface.value("blackout"))
    machine.plug("busy 22:0", PADS)
    wait_for(lambda: ports._refused == {"busy 22:0"})  # the other may be plugged in again
    machine.plug("mended 20:0", "busy 22:0", PADS)
    wait_for(lambda: set(ports.open_ports) == {"mended 20:0", PADS})


@pytest.mark.slow
def test_the_program_is_started_again(
    machine: _Machine, midi: MidiMap, opened: Callable[..., MidiPorts]
) -> None:
    machine.plug(KNOBS)
    ports = opened()
    os.kill(ports._program._process.pid, signal.SIGKILL)
    wait_for(lambda: ports.open_ports == ())
    wait_for(lambda: ports.open_ports == (KNOBS,))


@pytest.mark.slow
def test_losing_all_midi_is_said_once(
    machine: _Machine,
    opened: Callable[..., MidiPorts],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(midi_ports, "_AGAIN_SECONDS", 0.01)
    machine.plug(KNOBS)
    ports = opened()
    (machine.folder / "ports").unlink()
    wait_for(lambda: "this machine has no MIDI" in caplog.text)
    program = ports._program
    wait_for(lambda: ports._program is not program)  # it was tried once more
    assert caplog.text.count("this machine has no MIDI") == 1
    machine.plug(KNOBS)
    wait_for(lambda: ports.open_ports == (KNOBS,))


def test_a_machine_without_midi_is_told_in_a_line(machine: _Machine, midi: MidiMap) -> None:
    for begin in (lambda: MidiPorts(midi), listed_ports):
        with pytest.raises(SourceError, match=r"^this machine has no MIDI \(MidiInAlsa.*\)") as got:
            begin()
        assert "\n" not in str(got.value)


def test_a_missing_library_is_named(midi: MidiMap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'stream-dream\[midi\]'"):
        MidiPorts(midi)


def test_the_real_library_has_what_is_called() -> None:
    rtmidi2 = pytest.importorskip("rtmidi2")
    assert isinstance(rtmidi2.API_LINUX_ALSA, int)
    assert isinstance(rtmidi2.API_UNSPECIFIED, int)
    for kind, names in (
        (rtmidi2.MidiIn, ("ports", "open_port", "close_port", "ignore_types", "get_message")),
        (rtmidi2.MidiOut, ("ports", "open_port", "close_port", "send_message")),
    ):
        assert all(hasattr(kind, name) for name in names)


@pytest.mark.skipif(not Path("/dev/snd/seq").exists(), reason="needs ALSA's sequencer")
def test_a_real_port_plays(midi: MidiMap) -> None:
    # In a process of its own, as a port that fails ends it.
    code = (
        "import rtmidi2, sys, time\n"
        "out = rtmidi2.MidiOut('test_knobs', rtmidi2.API_LINUX_ALSA)\n"
        "out.open_virtual_port('out')\n"
        "while True:\n"
        "    for value in range(128): out.send_message([176, 7, value])\n"
        "    time.sleep(0.05)\n"
    )
    player = subprocess.Popen([sys.executable, "-c", code])
    try:
        with closing(MidiPorts(midi, "test_knobs")):
            wait_for(lambda: strength(midi) == 2)
    finally:
        player.kill()
        player.wait()
