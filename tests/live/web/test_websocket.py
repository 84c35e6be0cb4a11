"""Messages of the web page, through real sockets."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import httpx
import pytest
import shows
from waiting import wait_for
from web_clients import talk, told
from websockets.sync.client import connect
from websockets.typing import Origin

from stream_dream.live.control.controls import Controls
from stream_dream.live.web import websocket
from stream_dream.live.web.messages import form
from stream_dream.live.web.view import WebView
from stream_dream.settings.live import LiveParameters, parameter_range


@pytest.mark.slow
def test_changes_reach_every_page(view: WebView, controls: Controls) -> None:
    with shows.playing(view, controls), talk(view) as one, talk(view) as two:
        made = told(one, "form")["form"]
        assert made["looks"] == list(controls.looks)
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
        told(two, "looks", lambda looks: looks == ["dogs", "eyes"])
    assert controls.look == "dogs"


def test_every_parameter_has_a_control() -> None:
    controls = shows.make_controls()
    assert "reactivity" not in {entry["name"] for entry in form(controls)["parameters"]}
    controls.reacts = True
    inputs = {entry["name"]: entry for entry in form(controls)["parameters"]}
    assert list(inputs) == list(LiveParameters.model_fields)
    assert inputs["mirror"]["kind"] == "switch"
    assert parameter_range("persistence") == (0, 0.995)
    assert inputs["persistence"]["step"] <= 0.001
    assert inputs["octaves"]["step"] == 1
    for name, entry in inputs.items():
        assert entry["help"]
        if entry["kind"] == "slider":
            for end in (entry["low"], entry["high"]):
                LiveParameters.model_validate({name: end})
            steps = (entry["default"] - entry["low"]) / entry["step"]
            assert steps == pytest.approx(round(steps))


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
