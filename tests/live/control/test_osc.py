"""Valid messages move the controls; all others change nothing and end nothing."""

from __future__ import annotations

import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from waiting import SECONDS, wait_for

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.osc import OscControl
from stream_dream.live.control.surface import Surface
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
        self.server = OscControl("127.0.0.1", 0, Surface(self.controls))
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


def _played(desk: _Desk, address: str, *values: object, types: str = "") -> Controls:
    desk.send(packet(address, *values, types=types))
    desk.flush()
    return desk.controls


def test_all_of_the_surface_has_an_address(desk: _Desk) -> None:
    for prefix, strength in (("/", 0.5), ("/stream_dream/", 0.7), ("/stream-dream/", 0.9)):
        assert _played(desk, f"{prefix}strength", strength).target.strength == pytest.approx(
            strength, rel=1e-6
        )
    assert _played(desk, "/b/step-size", 0.02).state.decks["b"].step_size == pytest.approx(0.02)
    assert _played(desk, "/fader", 1.0).target.fader == 1
    assert _played(desk, "/fade_unit", "beats").target.fade_unit == "beats"
    assert _played(desk, "/bpm", 97).bpm() == 97
    assert _played(desk, "/lfo/strength/depth", 0.3).state.lfos["strength"].depth > 0.29
    assert "intro" in _played(desk, "/store", "intro").scenes
    desk.send(packet("/strength", 2.0))
    assert _played(desk, "/scene/intro").target.strength == pytest.approx(0.9)


def test_numbers_are_cut_and_rounded(desk: _Desk) -> None:
    assert _played(desk, "/stream_dream/step-size", 0.2).target.step_size == 0.2  # a float32 above
    assert _played(desk, "/strength", 99).target.strength == 2
    assert _played(desk, "/octaves", 2.5).target.octaves == 2
    assert _played(desk, "/octaves", -3.0).target.octaves == 1
    assert _played(desk, "/mirror", 0.4).target.mirror
    assert not _played(desk, "/mirror", 0).target.mirror
    assert _played(desk, "/strength", True).target.strength == 1


@pytest.mark.parametrize(
    ("address", "values"),
    [
        ("/preset", ["late-night"]),
        ("/preset", [2]),
        ("/preset", [2.0]),
        ("/preset/late-night", []),
        ("/preset/late-night", [1]),
        ("/preset/late-night", [0.7]),
        ("/preset/late%2dnight", [True]),
        ("/stream_dream/a/preset/late-night", [64]),
    ],
)
def test_looks_by_name_number_and_button(desk: _Desk, address: str, values: list[object]) -> None:
    assert _played(desk, address, *values).look == "late-night"


def test_a_released_button_does_nothing(desk: _Desk) -> None:
    for value in (0, 0.0, False):
        assert _played(desk, "/preset/late-night", value).look == "dogs"
        assert _played(desk, "/reset", value).resets == 0


@pytest.mark.parametrize(
    "data",
    [
        packet("/reset"),
        packet("/reset", 1),
        packet("/reset", 127),
        packet("/reset", 0.2),
        packet("/reset", True),
        packet("/reset", None, types="N"),
        b"/reset\0\0,I\0\0",
    ],
)
def test_any_value_and_a_bang_press_a_button(desk: _Desk, data: bytes) -> None:
    desk.send(data)
    desk.flush()
    assert desk.controls.resets == 1


def test_a_button_that_sends_all_the_time_is_pressed_once(desk: _Desk) -> None:
    for value in (0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0):
        desk.send(packet("/reset", value))
    desk.flush()
    assert desk.controls.resets == 2


def test_a_button_that_is_never_released_is_pressed_each_time(desk: _Desk) -> None:
    for _ in range(3):
        desk.send(packet("/reset", 1.0))
    desk.flush()
    assert desk.controls.resets == 3
    for values in ([0.0], [], [], [1.0], [0.5]):  # nothing is a press, and another velocity
        desk.send(packet("/reset", *values))
    desk.flush()
    assert desk.controls.resets == 7


@pytest.mark.slow
def test_a_release_that_is_lost_costs_no_press(desk: _Desk) -> None:
    for value in (0.0, 1.0):
        desk.send(packet("/reset", value))
    desk.flush()
    time.sleep(1.1)
    assert _played(desk, "/reset", 1.0).resets == 2


@pytest.mark.slow
def test_a_neighbour_on_the_port_does_not_fill_the_log(
    desk: _Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        for number in range(20):
            desk.send(packet(f"/composition/layers/{number}", 1.0))
        desk.flush()
        time.sleep(1.1)
    desk.flush()
    assert len(caplog.records) == 10


def test_freeze_follows_the_state_of_a_switch(desk: _Desk) -> None:
    assert _played(desk, "/freeze").frozen
    for value in (1.0, 1, True):  # already held
        assert _played(desk, "/stream_dream/freeze", value).frozen
    assert not _played(desk, "/freeze", 0.0).frozen


def test_shares_of_the_range(desk: _Desk) -> None:
    assert _played(desk, "/normal/strength", 0.75).target.strength == 1.5
    assert _played(desk, "/stream_dream/normal/persistence", 1.0).target.persistence == 0.995
    assert _played(desk, "/normal/preset", 0.9).look == "late-night"
    assert _played(desk, "/normal/b/octaves", -0.1).state.decks["b"].octaves == 1
    assert _played(desk, "/normal/strength", 1.5).target.strength == 2
    assert _played(desk, "/normal/reset").resets == 1


def test_hints_are_made_for_lines_that_are_logged_alone(
    desk: _Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []  # each takes milliseconds
    monkeypatch.setattr(
        "difflib.get_close_matches", lambda word, *_, **named: made.append(word) or []
    )
    wrong = [message(f"/strenght{number}", 1.0) for number in range(900)]
    desk.send(bytes(bundle(*wrong).dgram))
    desk.flush()
    assert 10 <= len(made) < 300


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
    strengths = [message("/stream_dream/strength", value) for value in ("much", 0.5)]
    desk.send(bytes(bundle(*strengths).dgram))
    desk.flush()
    assert desk.controls.target.strength == 0.5
    assert len(caplog.records) == 1


FREEZE = bytes(bundle(message("/freeze")).dgram)


BAD = {
    "no address": (packet("/stream_dream/strenght", 1.0), "did you mean /strength"),
    "a pattern": (packet("/stream_dream/*", 1.0), "there is nothing at"),
    "not finite": (packet("/stream_dream/strength", float("nan")), "give a number"),
    "a text": (packet("/stream_dream/strength", "much"), "give a number"),
    "no switch": (packet("/stream_dream/mirror", "on"), "give 1 or 0"),
    "no value": (packet("/stream_dream/strength"), "give a number"),
    "two values": (packet("/stream_dream/strength", 1.0, 1.0), "came with 2 values: give 1"),
    "a blob": (packet("/stream_dream/strength", b"1234", types="b"), "OSC type 'b'"),
    "a list": (packet("/stream_dream/strength", [1.0]), "OSC type"),
    "no look": (packet("/preset", "night"), "choose dogs, late-night"),
    "no number of a look": (packet("/preset", 3), "choose dogs, late-night"),
    "two presses": (packet("/freeze", 1, 1), "came with 2 values: give 1"),
    "no share": (packet("/normal/strength", "half"), "give 0 to 1"),
    "too many at once": (FREEZE[:16] + FREEZE[16:] * 1001, "a bundle of 1001 messages"),
    "no port": (packet("/subscribe", "me"), "give a port or nothing"),
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


def test_a_port_in_use_is_one_line(desk: _Desk) -> None:
    port = desk.server.port
    with pytest.raises(SettingsError, match=f"--osc .*:{port}: another program listens there"):
        OscControl("127.0.0.1", port, Surface(desk.controls))


def test_an_address_of_another_machine_is_one_line(desk: _Desk) -> None:
    with pytest.raises(SettingsError, match=r"--osc .*no such address"):
        OscControl("192.0.2.1", 0, Surface(desk.controls))


def test_without_a_host_only_this_machine_is_heard(desk: _Desk) -> None:
    server = OscControl("", 0, Surface(desk.controls))
    try:
        assert server._socket.getsockname()[0] in ("127.0.0.1", "::1")
    finally:
        server.close()


def test_a_missing_library_names_its_extra(desk: _Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythonosc.osc_message", None)
    with pytest.raises(SettingsError, match=r"stream-dream\[live\]"):
        OscControl("127.0.0.1", 0, Surface(desk.controls))


def test_others_are_locked_out(caplog: pytest.LogCaptureFixture) -> None:
    controls = Controls(START, {"dogs": DreamSettings()}, "dogs")
    for allow, heard in ((["10.0.0.0/8"], False), (["10.0.0.0/8", "127.0.0.1"], True)):
        server = OscControl("127.0.0.1", 0, Surface(controls), allow=allow)
        with closing(server), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(packet("/strength", 0.5), ("127.0.0.1", server.port))
            if heard:
                wait_for(lambda: controls.target.strength == 0.5)
            else:
                wait_for(lambda: "--osc-allow does not name it" in caplog.text)
                assert controls.target == START
    with pytest.raises(SettingsError, match="--osc-allow cannot be 'me'"):
        OscControl("127.0.0.1", 0, Surface(controls), allow=["me"])


def test_an_open_port_is_warned_of(desk: _Desk, caplog: pytest.LogCaptureFixture) -> None:
    OscControl("0.0.0.0", 0, Surface(desk.controls), allow=["10.0.0.1"]).close()
    assert not caplog.records
    OscControl("0.0.0.0", 0, Surface(desk.controls)).close()
    assert "lock it by --osc-allow" in caplog.text


class _Listener:
    """Receives feedback."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(SECONDS)
        self.address = self.socket.getsockname()

    def hear(self, address: str) -> object:
        """Wait for a message to an address; return its value."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            found = OscMessage(self.socket.recv(65535))
            if found.address == address:
                return found.params[0]
        raise AssertionError(f"nothing came to {address}")


@pytest.fixture
def listener() -> Iterator[_Listener]:
    listener = _Listener()
    with closing(listener.socket):
        yield listener


@pytest.mark.slow
def test_every_change_is_told(desk: _Desk, listener: _Listener) -> None:
    listener.socket.sendto(packet("/subscribe"), ("127.0.0.1", desk.server.port))
    assert listener.hear("/strength") == 1.0  # all is told at first
    desk.controls.change({"strength": 0.25})
    assert listener.hear("/strength") == 0.25
    desk.controls.use("late-night")
    assert listener.hear("/preset") == "late-night"
    desk.controls.press("freeze")
    assert listener.hear("/freeze") == 1
    desk.controls.change({"blackout": True})
    assert listener.hear("/blackout") == 1
    first, second = listener.hear("/beat"), listener.hear("/beat")
    assert isinstance(first, int)
    assert second == first + 1
    listener.socket.sendto(packet("/sync"), ("127.0.0.1", desk.server.port))
    assert listener.hear("/strength") == 0.25


def test_a_share_is_told_to_those_who_set_shares(desk: _Desk, listener: _Listener) -> None:
    for data in (packet("/subscribe"), packet("/normal/strength", 0.75)):
        listener.socket.sendto(data, ("127.0.0.1", desk.server.port))
    wait_for(lambda: desk.controls.target.strength == 1.5)
    desk.controls.change({"strength": 0.5})
    assert listener.hear("/normal/strength") == 0.25


def test_changes_are_told_to_a_fixed_address(desk: _Desk, listener: _Listener) -> None:
    server = OscControl("127.0.0.1", 0, Surface(desk.controls), reply=listener.address)
    with closing(server):
        assert listener.hear("/strength") == 1.0
        desk.controls.change({"strength": 0.25})
        assert listener.hear("/strength") == 0.25
    with pytest.raises(SettingsError, match="--osc-reply: there is no host"):
        OscControl("127.0.0.1", 0, Surface(desk.controls), reply=("no.such.host.invalid", 9))
