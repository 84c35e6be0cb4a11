"""Whole shows on the tiny network that follow what a real PulseAudio server plays."""

from __future__ import annotations

import importlib.util
import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sound_server
import sounds
import synthetic
from commands import one_line
from scipy.signal import resample_poly
from sound_server import PLAYED_RATE, SoundServer
from waiting import SECONDS, wait_for

from stream_dream.live.app import LiveApp, open_app
from stream_dream.live.engine.live_dream import for_live
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveSettings, ShowParameters

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sound_server.is_installed(), reason="needs Debian's pulseaudio"),
    pytest.mark.skipif(importlib.util.find_spec("soundcard") is None, reason="needs soundcard"),
]

Show = Callable[..., Any]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    with sound_server.running() as started:
        for name, value in started.variables.items():
            monkeypatch.setenv(name, value)
        yield started


@pytest.fixture
def show(tiny: Callable[..., DreamSettings], tmp_path: Path) -> Show:
    """Return a function that runs a show of the looks ``one`` and ``other`` that listens."""

    @contextmanager
    def run(settings: dict[str, Any], **automation: Any) -> Iterator[LiveApp]:
        made = {
            "one": tiny(step_size=0.02, dream_size=160),
            "other": tiny(layer=["conv1"], step_size=0.03, dream_size=160),
        }
        looks = {name: for_live(dream) for name, dream in made.items()}
        live = LiveSettings(source="test", listen="playing", recordings=tmp_path, **settings)
        changes = Automation(**automation)
        with open_app(live, ShowParameters(glide=0), looks, "one", changes) as app:
            failed: list[BaseException] = []

            def play() -> None:
                try:
                    app.show.run()
                except BaseException as error:
                    failed.append(error)

            thread = threading.Thread(target=play)
            thread.start()
            try:
                wait_for(lambda: app.show.status.dreamed > 2 or not thread.is_alive())
                yield app
                assert thread.is_alive()  # nothing has ended the show
            finally:
                app.show.ended.set()
                thread.join(SECONDS)
                app.looks.join(SECONDS)
            assert not failed

    return run


def hears(app: LiveApp, state: str) -> bool:
    sound = app.show.status.sound
    return sound is not None and sound.state == state


def tempo(app: LiveApp) -> float:
    sound = app.show.status.sound
    return 0.0 if sound is None else sound.tempo or 0.0


@contextmanager
def tone(server: SoundServer, hertz: float = 70) -> Iterator[None]:
    seconds = np.arange(120 * PLAYED_RATE) / PLAYED_RATE
    with playing(server, 0.3 * np.sin(2 * np.pi * hertz * seconds)):
        yield


@contextmanager
def playing(server: SoundServer, sound: sounds.Sound) -> Iterator[None]:
    player = server.play(sound.astype(np.float32))
    try:
        yield
    finally:
        player.kill()
        player.wait()


def drums(bpm: float) -> sounds.Sound:
    made = sounds.drums(bpm, 60)
    return np.asarray(resample_poly(made, PLAYED_RATE, sounds.RATE), np.float64)


def test_settings_follow_what_is_played_and_silence_gives_the_plain_look_back(
    server: SoundServer, show: Show
) -> None:
    react = "bass->strength+0.5, bass->evenness=0.3..0.3"
    with show({}, react=react) as app:
        controls = app.controls
        wait_for(lambda: hears(app, "silent"))
        assert controls.parameters() == controls.target
        for _ in range(2):
            with tone(server):
                wait_for(lambda: controls.parameters().strength > 1.4)
            wait_for(lambda: hears(app, "silent"))
            wait_for(lambda: controls.parameters() == controls.target)
        with tone(server):
            wait_for(lambda: controls.parameters().strength > 1.4)
            controls.change({"reactivity": 0})
            wait_for(lambda: controls.parameters() == controls.target)
            controls.change({"reactivity": 2})
            wait_for(lambda: controls.parameters().strength > 1.9)


@pytest.mark.stops
def test_a_server_that_dies_does_not_end_the_show_and_is_taken_back(
    server: SoundServer, show: Show
) -> None:
    with show({}, react="bass->strength+0.5") as app:
        controls = app.controls
        with tone(server):
            wait_for(lambda: controls.parameters().strength > 1.4)
            server.kill()
            wait_for(lambda: hears(app, "lost"))
        dreamed = app.show.status.dreamed
        wait_for(lambda: controls.parameters() == controls.target)
        wait_for(lambda: app.show.status.dreamed > dreamed + 30)
        server.start()
        wait_for(lambda: hears(app, "silent"))
        with tone(server):
            wait_for(lambda: controls.parameters().strength > 1.4)


def test_looks_change_with_the_bars_of_the_music(server: SoundServer, show: Show) -> None:
    cycle = {"cycle": ("one", "other"), "every": 86400}
    with show(cycle, react="bar->preset, beat->strength*0.5") as app:
        wait_for(lambda: {*app.show.status.ready} == {"one", "other"})
        with playing(server, drums(120)):
            wait_for(lambda: abs(tempo(app) - 120) < 3)
            for _ in range(2):
                wait_for(lambda: app.show.status.preset == "other")
                wait_for(lambda: app.show.status.preset == "one")
        wait_for(lambda: hears(app, "silent"))
        assert tempo(app) == 0


def test_a_given_tempo_is_kept(server: SoundServer, show: Show) -> None:
    with show({}, bpm=60, tracks={"jitter": "8*beat"}) as app, playing(server, drums(120)):
        wait_for(lambda: tempo(app))
        assert tempo(app) == pytest.approx(60, rel=0.03)
        wait_for(lambda: app.controls.parameters().jitter < 2)
        wait_for(lambda: app.controls.parameters().jitter > 6)


def test_the_command_names_the_cards(server: SoundServer, run: Callable[..., Any]) -> None:
    code, out, _ = run("live", "--listen", "list")
    assert code == 0
    assert "Monitor of Hall" in out
    assert "playing" in out
    code, out, err = run("live", "--source", "test", "--listen", "nosuchcard")
    assert (code, out) == (2, "")
    assert "--listen nosuchcard: there is no such sound card: " in one_line(err)


def test_without_a_server_or_the_library_there_is_one_line(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere/at/all")
    for listen in ("list", "playing"):
        code, out, err = run("live", "--source", "test", "--listen", listen)
        assert (code, out) == (2, "")
        assert "no sound server answers" in one_line(err)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for listen in ("list", "mic"):
        code, out, err = run("live", "--source", "test", "--listen", listen)
        assert (code, out) == (2, "")
        assert "--listen needs the extra music: pip install" in one_line(err)


def test_a_show_with_a_score_comes_back_from_its_config(
    server: SoundServer, run: Callable[..., Any], tmp_path: Path
) -> None:
    synthetic.register_tiny()
    score, first, second = (tmp_path / name for name in ("score.toml", "one.toml", "two.toml"))
    score.write_text(
        'preset = "0:eyes, 2b:dogs~1b"\nstrength = "0.5+0.5*bass"\n'
        'step_size = "0:(0.01), 1s:(0.02)"\nreact = "onset->jitter+4"\nbpm = 120\n'
    )
    small = ("--network", "tiny", "--dream-size", "160", "--presets", "dogs", "--duration", "2")
    given = ("--listen", "hall", "--score", str(score), "--reactivity", "1.5")
    code, out, err = run(
        *("live", "--source", "test", *small, *given, "--json", "--write-config", str(first))
    )
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    told = [line for line in lines if line["event"] == "status"]
    assert {line["sound"]["state"] for line in told} <= {"waiting", "silent"}
    assert told[-1]["preset"] == "dogs"
    assert not any(line["message"] for line in told)
    code, out, err = run("live", "--config", str(first), "--write-config", str(second))
    assert code == 0, err
    one, two = (tomllib.loads(path.read_text()) for path in (first, second))
    assert one == two
    assert (one["listen"], one["score"], one["reactivity"]) == ("hall", str(score), 1.5)
    assert not {"strength", "step_size", "preset", "bpm", "react"} & one.keys()
