"""Messages of the web page, through real sockets."""

from __future__ import annotations

import json
import logging
import random
import string
from typing import Any

import httpx
import pytest
import shows
from waiting import SECONDS, wait_for
from web_clients import talk, told
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from stream_dream.live.control.catalogue import LFO_PARTS
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import BESIDE_A_SOURCE, STEERING
from stream_dream.live.control.surface import Surface
from stream_dream.live.web import websocket
from stream_dream.live.web.page_state import form
from stream_dream.live.web.view import WebView
from stream_dream.settings.live import LiveParameters


@pytest.mark.slow
def test_changes_reach_every_page(view: WebView, controls: Controls) -> None:
    with shows.playing(view, controls), talk(view) as one, talk(view) as two:
        made = told(one, "form")["form"]
        assert [look["name"] for look in made["looks"]] == list(controls.looks)
        assert made["looks"][0]["description"].startswith("Dogs")
        one.send(json.dumps({"set": {"strength": 0.25}}))
        told(two, "parameters", lambda values: values["strength"] == 0.25)
        two.send(json.dumps({"preset": "wild"}))
        told(one, "look", lambda look: look == "wild")
        one.send(json.dumps({"press": "freeze"}))
        told(two, "frozen")
        status = told(two, "status", lambda status: status["frozen"])["status"]
        assert status["camera"] == "ok"
        assert status["ready"] == ["dogs", "eyes"]
        controls.change({"strength": 2})  # by another view
        told(one, "parameters", lambda values: values["strength"] == 2)
        told(one, "frames")
        controls.drop("wild")
        told(two, "form", lambda made: [look["name"] for look in made["looks"]] == ["dogs", "eyes"])
        told(two, "looks", lambda looks: looks == ["dogs", "eyes"])
    assert controls.look == "dogs"


def test_a_page_is_told_of_decks_scenes_tempo_and_what_is_under_way(
    view: WebView, controls: Controls
) -> None:
    with talk(view) as talking:
        first = told(talking, "values")
        assert first["decks"] == {"a": "dogs", "b": "dogs"}
        assert (first["front"], first["waiting"], first["lfos"]) == ("a", {}, {})
        assert first["age"] is None  # there was no frame yet
        assert first["now"] == {}
        assert first["midi"] is None
        assert not first["undo"]
        talking.send('{"preset": "eyes", "deck": "b"}')
        told(talking, "decks", lambda decks: decks == {"a": "dogs", "b": "eyes"})
        talking.send('{"press": "cut"}')
        told(talking, "front", lambda front: front == "b")
        talking.send('{"set": {"store": "intro"}}')
        told(talking, "scenes", lambda scenes: scenes == ["intro"])
        talking.send('{"set": {"a/jitter": 5, "bpm": 100}}')
        state = told(talking, "bpm", lambda bpm: bpm == 100)
        assert state["values"]["a/jitter"] == 5
        assert state["undo"]
        talking.send('{"set": {"lfo/b/jitter/every": 2, "lfo/b/jitter/depth": 0.5}}')
        talking.send('{"set": {"lfo/b/jitter/shape": "square"}}')
        told(talking, "now", lambda now: "b/jitter" in now)
        lfo = told(talking, "lfos", lambda lfos: lfos["b/jitter"]["shape"] == "square")["lfos"]
        assert lfo["b/jitter"] == {
            "shape": "square",
            "every": 2,
            "unit": "beats",
            "depth": 0.5,
        }
        controls.change({"quantize": "4bars"})
        talking.send('{"set": {"lfo/b/jitter/every": 3}}')
        state = told(talking, "waiting", lambda waiting: waiting == {"lfo b/jitter": "LFO"})
        assert state["lfos"]["b/jitter"]["every"] == 3  # what was asked for last
        controls.press("undo")
        talking.send('{"press": "scene/intro"}')
        told(talking, "waiting", lambda waiting: waiting == {"scene": "intro"})
        view.show(shows.plain(1), shows.STATUS)
        assert 0 <= told(talking, "age", lambda age: age is not None)["age"] < 60


def test_a_journey_has_controls_that_steer_it_and_none_of_a_source() -> None:
    controls = shows.make_controls()
    controls.journey = True
    stage = {entry["address"] for entry in form(Surface(controls))["stage"]}
    assert stage > STEERING
    assert not stage & BESIDE_A_SOURCE


def test_every_parameter_has_a_control() -> None:
    controls = shows.make_controls()
    surface = Surface(controls)
    assert "reactivity" not in {entry["address"] for entry in form(surface)["stage"]}
    controls.reacts = True
    made = form(surface, {"wild": "One line"})
    names = [entry["address"] for entry in made["stage"]]
    names += [entry["address"].removeprefix("b/") for entry in made["deck"]["b"]]
    assert sorted(names) == sorted(LiveParameters.model_fields.keys() - STEERING)
    for entry in (*made["stage"], *made["deck"]["a"]):
        assert entry["help"]
    assert made["looks"][2] == {"name": "wild", "description": "One line"}
    assert {"strength", "a/jitter", "b/jitter"} <= set(made["modulated"])
    assert [part["address"].rpartition("/")[2] for part in made["lfo"]] == list(LFO_PARTS)


HOSTILE = (
    "",
    "null",
    "[]",
    "{}",
    '"set"',
    "{",
    "NaN",
    "[" * 50000,
    '{"a":' * 10000,
    "1" * 60000,
    '{"set": null}',
    '{"set": []}',
    '{"set": {"strength": NaN}}',
    '{"set": {"strength": Infinity}}',
    '{"set": {"strength": 1e999}}',
    '{"set": {"strength": -1e308}}',
    '{"set": {"strength": 1' + "0" * 4000 + "}}",
    '{"set": {"jitter": 9' + "9" * 400 + "}}",
    '{"set": {"jitter": 1.5}}',
    '{"set": {"strength": true}}',
    '{"set": {"strength": "1"}}',
    '{"set": {"strength": [1]}}',
    '{"set": {"strength": {"a": 1}}}',
    '{"set": {"mirror": 1}}',
    '{"set": {"mirror": "yes"}}',
    '{"set": {"unknown": 1}}',
    '{"set": {"__class__": 1}}',
    '{"set": {"\\ud800": 1}}',
    '{"set": {"' + "x" * 60000 + '": 1}}',
    '{"set": {"strength": "' + "x" * 60000 + '"}}',
    '{"set": {"strength": 0.5, "persistence": 2}}',
    '{"set": {"strength": 1}, "press": "reset"}',
    '{"preset": "none"}',
    '{"preset": ["dogs"]}',
    '{"preset": {}}',
    '{"preset": "\\ud800\\n"}',
    '{"press": "explode"}',
    '{"press": 1}',
    '{"press": "strength"}',
    '{"preset": "dogs", "deck": "c"}',
    '{"preset": "dogs", "deck": 1}',
    '{"set": {"cut": true}}',
    '{"set": {"bpm": "fast"}}',
    '{"set": {"quantize": 1}}',
    '{"set": {"quantize": "never"}}',
    '{"set": {"store": 5}}',
    '{"set": {"store": "a/b"}}',
    '{"set": {"forget": "nothing"}}',
    '{"set": {"scene": "nothing"}}',
    '{"set": {"lfo/strength/every": 0}}',
    '{"set": {"lfo/strength/shape": "round"}}',
    '{"set": {"lfo/fade/depth": 1}}',
    '{"set": {"c/jitter": 1}}',
    '{"set": {"a/strength": 1}}',
    '{"key": 5}',
    '{"midi": [176, 7, 64]}',
    '{"midi": [256]}',
    '{"midi": [true]}',
    '{"midi": "a"}',
    '{"learn": "nothing"}',
    '{"learn": null}',
    '{"unbind": "strength"}',
    '{"jump": 1}',
    '{"\\n": 1}',
    b"\x00\xff",
    b'{"set": {"strength": 0.5}}',
)


def test_wrong_messages_are_refused_in_one_line(view: WebView, controls: Controls) -> None:
    before = controls.target
    with talk(view) as talking:
        for message in HOSTILE:
            talking.send(message)
            line = told(talking, "error")["error"]
            assert 5 < len(line) <= 300, message[:80]
            assert len(line.splitlines()) == 1
        assert controls.target == before
        assert controls.revision == 0
        talking.send('{"set": {"strength": 1.5}}')
        told(talking, "parameters", lambda values: values["strength"] == 1.5)


def any_json(chance: random.Random, depth: int = 0) -> Any:
    """Return a random JSON value, often similar to a message."""
    names = [*LiveParameters.model_fields, "set", "preset", "press", "dogs", "freeze", "", "x\n"]
    kind = chance.randrange(9 if depth < 4 else 7)
    if kind < 2:
        return chance.choice([0, -1, 0.5, 1, 2, 3.7, 60, 1e9, -1e300, 10**30, 1e-320])
    if kind < 5:
        return chance.choice(names)
    if kind < 7:
        return chance.choice([True, False, None, "".join(chance.choices(string.printable, k=9))])
    if kind == 7:
        return [any_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {
        chance.choice(names): any_json(chance, depth + 1) for _ in range(1 + chance.randrange(3))
    }


def test_random_messages_break_nothing(
    view: WebView,
    client: httpx.Client,
    controls: Controls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream_dream.live.web.websocket.MOST_MESSAGES", 10**6)
    chance = random.Random(7)
    with shows.playing(view, controls), talk(view) as talking:
        for _ in range(300):
            kind = chance.choice(["set", "set", "set", "preset", "press", "any"])
            value = any_json(chance)
            text = json.dumps(value if kind == "any" else {kind: value})
            if chance.random() < 0.2:  # lose or change a character
                at = chance.randrange(len(text))
                text = text[:at] + chance.choice(["", "\0", '"', "}"]) + text[at + 1 :]
            talking.send(text)
        for _ in range(100):
            answer = client.put("/settings", content=json.dumps(any_json(chance)).encode())
            assert answer.status_code in (200, 400)
            assert (answer.status_code == 400) == ("error" in answer.json())
        talking.send('{"the": "end"}')
        told(talking, "error", lambda line: "'the'" in line)
        LiveParameters.model_validate(controls.target.model_dump())
        LiveParameters.model_validate(controls.parameters().model_dump())
        assert controls.look in controls.looks
        talking.send('{"set": {"strength": 1.25}}')
        told(talking, "parameters", lambda values: values["strength"] == 1.25)
        assert client.get("/healthz").status_code == 200


@pytest.mark.stops
def test_too_many_messages_are_answered_once(
    view: WebView, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = shows.Clock()
    monkeypatch.setattr(websocket, "time", clock)
    take, asked = websocket.Allowance.take, []

    def counted(self: websocket.Allowance) -> bool:
        asked.append(1)
        return take(self)

    monkeypatch.setattr(websocket.Allowance, "take", counted)
    with talk(view) as talking:
        for _ in range(600):
            talking.send('{"set": {"strength": 0.75}}')
        told(talking, "error", lambda line: "a second" in line)
        wait_for(lambda: len(asked) == 600)
        clock.now += 0.5  # more messages are allowed again
        talking.send('{"preset": "nothing"}')
        told(talking, "error", lambda line: "'nothing'" in line)
    assert controls.revision < 600


def test_a_message_that_is_too_long_ends_that_page_alone(view: WebView) -> None:
    with talk(view) as other:
        with talk(view) as talking:
            talking.send("x" * 70000)
            with pytest.raises(Exception, match="1009"):
                told(talking, "never")
        told(other, "parameters")


def test_websockets_of_other_origins_are_refused(view: WebView) -> None:
    with pytest.raises(Exception, match="403"):
        connect(view.link.replace("http", "ws") + "control", origin=Origin("http://evil.com"))


def test_an_unexpected_error_ends_the_connection_which_can_be_opened_anew(
    view: WebView, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with talk(view) as page:
        told(page, "form")
        with monkeypatch.context() as patched:
            patched.setattr(websocket, "state", lambda *_: {}["boom"])
            with pytest.raises(ConnectionClosed):
                told(page, "nothing")
    wait_for(lambda: "boom" in caplog.text)
    with talk(view) as page:
        told(page, "values")


def test_sliders_are_not_built_anew_for_a_scene(view: WebView, controls: Controls) -> None:
    with talk(view) as page:
        told(page, "form")
        controls.store("intro")
        while (
            "values" not in (message := json.loads(page.recv(timeout=SECONDS)))
            or not message["scenes"]
        ):
            assert "form" not in message
        assert message["scenes"] == ["intro"]


def test_the_log_of_the_show_is_told(view: WebView) -> None:
    log = logging.getLogger("stream_dream.live")
    log.warning("camera: lost")
    with talk(view) as page:
        ((_, warns, line),) = told(page, "log")["log"]
        assert (warns, line) == (True, "camera: lost")
        log.warning("camera: connected")
        assert [line for *_, line in told(page, "log")["log"]] == ["camera: connected"]
