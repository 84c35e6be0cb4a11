"""Cards of a real PulseAudio server."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import sound_server
from sound_server import PLAYED_RATE, SoundServer
from waiting import wait_for

from stream_dream.errors import SettingsError, SourceError
from stream_dream.live.sound.card_listener import Listener
from stream_dream.live.sound.sound_cards import SystemCard, installed_cards

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
    pytest.mark.skipif(not sound_server.is_installed(), reason="needs Debian's pulseaudio"),
    pytest.mark.skipif(importlib.util.find_spec("soundcard") is None, reason="needs soundcard"),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with sound_server.running() as started:
        for name, value in started.variables.items():
            monkeypatch.setenv(name, value)
        yield started


@contextmanager
def listening(wanted: str) -> Iterator[Listener]:
    listener = Listener(SystemCard(wanted))
    try:
        wait_for(lambda: listener.state == "silent")
        yield listener
    finally:
        listener.close()


@contextmanager
def tone(server: SoundServer, hertz: float, speaker: str = "hall") -> Iterator[None]:
    """Play a minute of a tone; leaving the block stops it."""
    seconds = np.arange(60 * PLAYED_RATE) / PLAYED_RATE
    sound = (0.3 * np.sin(2 * np.pi * hertz * seconds)).astype(np.float32)
    player = server.play(sound, speaker)
    try:
        yield
    finally:
        player.kill()
        player.wait()


def hears(listener: Listener, name: str) -> bool:
    curves = listener.curves()
    others = {"bass", "mid", "high"} - {name}
    return curves[name] > 0.8 and all(curves[other] < 0.7 for other in others)


def test_all_cards_are_listed(server: SoundServer) -> None:
    cards = {card.id: card for card in installed_cards()}
    assert set(cards) == {"hall.monitor", "booth.monitor", "stage"}
    assert {card.id for card in cards.values() if card.loopback} == {
        "hall.monitor",
        "booth.monitor",
    }
    assert {card.id for card in cards.values() if card.default} == {"hall.monitor", "stage"}
    for wanted, id_ in (("playing", "hall.monitor"), ("mic", "stage"), ("booth", "booth.monitor")):
        assert SystemCard(wanted).find() == cards[id_]
    with pytest.raises(SettingsError, match="did you mean 'Monitor of Booth'"):
        SystemCard("boothe").find()


def test_without_a_server_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere/at/all")
    with pytest.raises(SourceError, match="no sound server answers: start PulseAudio or PipeWire"):
        installed_cards()


def test_a_tone_is_heard_while_it_plays(server: SoundServer) -> None:
    with listening("playing") as listener:
        assert listener.name == "Monitor of Hall"
        assert not any(listener.curves().values())
        for hertz, name in ((70, "bass"), (700, "mid")):
            with tone(server, hertz):
                wait_for(lambda name=name: hears(listener, name))  # type: ignore[misc]
            wait_for(lambda: listener.state == "silent")
            assert not any(listener.curves().values())
        assert listener.problem is None


def test_what_is_playing_follows_the_default_speaker(server: SoundServer) -> None:
    with listening("playing") as listener, tone(server, 700, "booth"):
        server.control("set-default-sink", "booth")
        wait_for(lambda: listener.name == "Monitor of Booth" and hears(listener, "mid"))


@pytest.mark.stops
def test_a_server_that_dies_is_taken_back(server: SoundServer) -> None:
    with listening("hall") as listener:
        with tone(server, 700):
            wait_for(lambda: hears(listener, "mid"))
            server.kill()
            wait_for(lambda: listener.state == "lost")
        assert not any(listener.curves().values())
        wait_for(lambda: "no sound server" in (listener.problem or ""))
        server.start()
        wait_for(lambda: listener.state == "silent")
        with tone(server, 700):
            wait_for(lambda: hears(listener, "mid"))
        assert listener.problem is None


@pytest.mark.stops
def test_a_card_that_is_pulled_out_is_taken_back(server: SoundServer) -> None:
    with listening("booth") as listener:
        server.control("unload-module", "module-null-sink")  # both speakers
        wait_for(lambda: listener.state == "lost")
        wait_for(lambda: "no such sound card" in (listener.problem or ""))
        server.control("load-module", *sound_server.speaker("booth"))
        wait_for(lambda: listener.state == "silent")


@pytest.mark.stops
@pytest.mark.parametrize("what", ["server", "program"])
def test_what_freezes_is_given_up(server: SoundServer, what: str) -> None:
    with listening("hall") as listener:
        program = _children()
        frozen = server.pid if what == "server" else program.pop()
        os.kill(frozen, signal.SIGSTOP)
        wait_for(lambda: listener.state == "lost")
        if what == "server":
            wait_for(lambda: program.isdisjoint(_children()))
            os.kill(frozen, signal.SIGCONT)
        wait_for(lambda: listener.state == "silent")


@pytest.mark.stops
def test_nothing_outlives_the_listener_or_its_process(server: SoundServer) -> None:
    with listening("hall"):
        assert _children()
    assert not _children()
    code = (
        "import time; from stream_dream.live.sound.sound_cards import SystemCard;"
        "reader = SystemCard('hall').open(); print(reader._program._process.pid, flush=True);"
        "time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    wait_for(lambda: not _is_running(pid))


def _children() -> set[int]:
    """Return the processes of the program for sound cards that this process has started."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/cmdline") as command:
                parent = int(stat.read().rpartition(")")[2].split()[1])
                if parent == os.getpid() and "card_program" in command.read():
                    found.add(int(pid))
        except OSError:
            continue
    return found


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
