"""Valid messages move the controls; all others change nothing and end nothing."""

from __future__ import annotations

import logging
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from waiting import wait_for

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.osc import OscControl, Refusals
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters

START = LiveParameters(glide=0)


def packet(address: str, *values: object, types: str = "") -> bytes:
    builder = OscMessageBuilder(address)
    for value, kind in zip(values, types or " " * len(values), strict=True):
        builder.add_arg(value, kind.strip() or None)
    return bytes(builder.build().dgram)


class _Desk:
    """A server and a sender."""

    def __init__(self) -> None:
        looks = {"dogs": DreamSettings(), "late-night": DreamSettings(octaves=3)}
        self.controls = Controls(START, looks, "dogs")
        self.server = OscControl("127.0.0.1", 0, self.controls)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.connect(("127.0.0.1", self.server.port))

    def send(self, data: bytes) -> None:
        self._sender.send(data)

    def flush(self) -> None:
        """Wait until everything sent is handled, which happens in order."""
        for target_fps in (50.0, 60.0):
            self.send(packet("/stream_dream/target_fps", target_fps))
            wait_for(lambda expected=target_fps: self.controls.target.target_fps == expected)

    def state(self) -> tuple[object, ...]:
        controls = self.controls
        target = controls.target.model_dump(exclude={"target_fps"})
        return target, controls.look, controls.frozen, controls.pressed()

    def close(self) -> None:
        self._sender.close()
        self.server.close()


@pytest.fixture
def desk() -> Iterator[_Desk]:
    desk = _Desk()
    yield desk
    desk.close()
    desk.server.close()
    assert "osc" not in {thread.name for thread in threading.enumerate()}


def test_every_parameter_has_an_address(desk: _Desk) -> None:
    values = {
        "strength": 0.5,
        "step_size": 0.02,
        "persistence": 0.9,
        "jitter": 7,
        "octaves": 3,
        "target_fps": 30.0,
        "glide": 2.5,
        "mirror": True,
        "reactivity": 1.5,
    }
    assert set(values) == set(LiveParameters.model_fields)
    for name, value in values.items():
        desk.send(packet(f"/stream_dream/{name}", value))
        wait_for(lambda name=name, value=value: _is(desk.controls, name, value))


def _is(controls: Controls, name: str, value: float) -> bool:
    return bool(getattr(controls.target, name) == pytest.approx(value, rel=1e-6))


def test_numbers_are_taken_as_senders_have_them(desk: _Desk) -> None:
    desk.send(packet("/stream-dream/step-size", 0.2))  # a float32 above 0.2
    desk.send(packet("/stream_dream/persistence", 0.995))
    desk.send(packet("/stream_dream/jitter", 8.0))
    desk.send(packet("/stream_dream/strength", 1))
    desk.send(packet("/stream_dream/mirror", 1.0))
    desk.flush()
    target = desk.controls.target
    assert (target.step_size, target.persistence, target.jitter) == (0.2, 0.995, 8)
    assert (target.strength, target.mirror) == (1.0, True)
    assert isinstance(target.jitter, int)


def test_looks_change_by_name(desk: _Desk) -> None:
    desk.send(packet("/stream_dream/preset", "late-night"))
    desk.flush()
    assert desk.controls.look == "late-night"
    desk.send(packet("/preset", "dogs"))
    desk.flush()
    assert desk.controls.look == "dogs"


def test_actions_and_their_buttons(desk: _Desk) -> None:
    desk.send(packet("/freeze"))
    desk.flush()
    assert desk.controls.frozen
    for value in (1.0, 1, True):  # already held
        desk.send(packet("/stream_dream/freeze", value))
    desk.flush()
    assert desk.controls.frozen
    desk.send(packet("/freeze", 0.0))
    desk.send(packet("/reset"))
    for action in ("snapshot", "record"):
        desk.send(packet(f"/stream_dream/{action}", 1.0))
        desk.send(packet(f"/{action}", 0.0))  # the button is released
    desk.flush()
    assert not desk.controls.frozen
    assert desk.controls.resets == 1
    assert desk.controls.pressed() == ["snapshot", "record"]


def bundle(*contents: OscBundle | OscMessage, time: float = IMMEDIATELY) -> OscBundle:
    builder = OscBundleBuilder(time)
    for content in contents:
        builder.add_content(content)
    return builder.build()


def message(address: str, *values: object) -> OscMessage:
    return OscMessage(packet(address, *values))


def test_a_bundle_is_played_in_its_order_and_at_once(desk: _Desk) -> None:
    later = time.time() + 3600
    inner = bundle(message("/stream_dream/strength", 0.5), message("/preset", "late-night"))
    outer = bundle(
        message("/stream_dream/strength", 0.25), inner, message("/freeze", 1), time=later
    )
    desk.send(bytes(outer.dgram))
    desk.flush()
    assert desk.controls.target.strength == 0.5
    assert desk.controls.look == "late-night"
    assert desk.controls.frozen
    desk.send(bytes(bundle(message("/freeze", 0), time=1.0).dgram))  # long ago
    desk.flush()
    assert not desk.controls.frozen


def test_a_wrong_message_in_a_bundle_leaves_the_rest(
    desk: _Desk, caplog: pytest.LogCaptureFixture
) -> None:
    strengths = [message("/stream_dream/strength", value) for value in (9.0, 0.5)]
    desk.send(bytes(bundle(*strengths).dgram))
    desk.flush()
    assert desk.controls.target.strength == 0.5
    assert len(caplog.records) == 1


FREEZE = bytes(bundle(message("/freeze")).dgram)


BAD = {
    "no address": (packet("/stream_dream/strenght", 1.0), "did you mean /stream_dream/strength"),
    "a pattern": (packet("/stream_dream/*", 1.0), "there is nothing at"),
    "too great": (packet("/stream_dream/strength", 2.01), "give at most 2"),
    "not finite": (packet("/stream_dream/strength", float("nan")), "finite"),
    "a fraction": (packet("/stream_dream/octaves", 2.5), "octaves"),
    "a text": (packet("/stream_dream/strength", "1"), "give a number"),
    "a switch": (packet("/stream_dream/strength", True), "give a number"),
    "no switch": (packet("/stream_dream/mirror", 0.5), "mirror"),
    "no value": (packet("/stream_dream/strength"), "came with 0 values: give 1"),
    "two values": (packet("/stream_dream/strength", 1.0, 1.0), "came with 2 values: give 1"),
    "a blob": (packet("/stream_dream/strength", b"1234", types="b"), "OSC type 'b'"),
    "a list": (packet("/stream_dream/strength", [1.0]), "OSC type"),
    "no look": (packet("/preset", "night"), "choose dogs, late-night"),
    "a look by number": (packet("/preset", 1), "give the name of a look"),
    "half a press": (packet("/reset", 0.5), "give 1, 0 or nothing"),
    "two presses": (packet("/freeze", 1, 1), "give 1, 0 or nothing"),
    "a bundle cut off": (FREEZE[:-4], "a bundle is broken"),
    "a bundle with more behind it": (FREEZE + b"\1\2\3", "a bundle is broken"),
    "a bundle that steps back": (FREEZE + struct.pack(">i", -4), "a bundle is broken"),
    "a bundle of nothing": (FREEZE[:16] + bytes(4), "no OSC message"),
    "many asterisks": (packet("/" + "*" * 40 + "!"), "there is nothing at"),
    "cut off": (packet("/stream_dream/strength", 1.0)[:-6], "broken OSC message"),
    "no text": (b"/\xff\xfe\0,f\0\0\0\0\0\0", "broken OSC message"),
    "nothing": (b"", "no OSC message"),
    "a web browser": (b"GET / HTTP/1.1\r\n\r\n", "no OSC message"),
    "two lines": (packet("/a\nERROR all is lost"), "there is nothing at"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_a_wrong_message_is_one_line_and_changes_nothing(
    desk: _Desk, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    data, reason = BAD[name]
    before = desk.state()
    desk.send(data)
    desk.flush()
    assert desk.state() == before
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    line = caplog.records[0].getMessage()
    assert line.startswith("osc from 127.0.0.1: ")
    assert reason in line
    assert line.isprintable()
    assert len(line) <= 240


def _hostile(rng: random.Random) -> bytes:
    addresses = [f"/stream_dream/{name}" for name in LiveParameters.model_fields]
    address = rng.choice([*addresses, "/preset", "/freeze", "/reset", "/stream_dream/", "/"])
    if address == "/stream_dream/target_fps":  # flush() waits for this one
        address = "/stream_dream/target_fps/"
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    types = "".join(rng.choices("ifhdsbTFNIrmt[]x", k=rng.randrange(6)))
    body = _padded(address.encode()) + _padded(b"," + types.encode()) + rng.randbytes(64)
    if kind == 1:
        return body[: rng.randrange(len(body))]
    if kind == 2:
        size = rng.choice([len(body), rng.randrange(-9, 99)])
        return b"#bundle\0" + rng.randbytes(8) + struct.pack(">i", size) + body
    if kind == 3:
        return packet(address, rng.choice([-1e30, 1e30, float("inf"), float("nan"), 0.3]))
    return _padded(address.encode()) + _padded(b",s") + _padded(b"x" * rng.randrange(9000))


def _padded(text: bytes) -> bytes:
    return text + b"\0" * (4 - len(text) % 4)


def test_hostile_packets_leave_a_valid_state_and_a_server_that_answers(
    desk: _Desk, caplog: pytest.LogCaptureFixture
) -> None:
    rng = random.Random(0)
    for number in range(600):
        desk.send(_hostile(rng))
        if number % 20 == 19:
            desk.flush()  # a full socket would drop messages
    LiveParameters.model_validate(desk.controls.target.model_dump())
    assert desk.controls.look in desk.controls.looks
    desk.send(packet("/stream_dream/strength", 0.125))
    wait_for(lambda: desk.controls.target.strength == 0.125)
    assert caplog.records
    assert not [record for record in caplog.records if record.exc_info]


def test_a_flood_of_errors_is_counted_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    refusals = Refusals(logging.getLogger("stream_dream.live"), clock=lambda: now)
    for number in range(1000):
        refusals.say(f"line {number}")
    assert len(caplog.records) == 10
    now = 1.0
    refusals.sum_up()
    refusals.sum_up()
    assert [record.getMessage() for record in caplog.records[10:]] == [
        "osc: 990 more messages were refused"
    ]
    refusals.say("again")
    assert caplog.records[-1].getMessage() == "again"


def test_a_port_in_use_is_one_line(desk: _Desk) -> None:
    port = desk.server.port
    with pytest.raises(SettingsError, match=f"--osc .*:{port}: another program listens there"):
        OscControl("127.0.0.1", port, desk.controls)


def test_an_address_of_another_machine_is_one_line(desk: _Desk) -> None:
    with pytest.raises(SettingsError, match=r"--osc .*no such address"):
        OscControl("192.0.2.1", 0, desk.controls)


def test_without_a_host_only_this_machine_is_heard(desk: _Desk) -> None:
    server = OscControl("", 0, desk.controls)
    try:
        assert server._socket.getsockname()[0] in ("127.0.0.1", "::1")
    finally:
        server.close()


def test_a_missing_library_names_its_extra(desk: _Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythonosc.osc_message", None)
    with pytest.raises(SettingsError, match=r"stream-dream\[live\]"):
        OscControl("127.0.0.1", 0, desk.controls)
