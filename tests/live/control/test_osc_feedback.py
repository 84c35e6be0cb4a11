"""Feedback: what is sent to whom, and what is not."""

from __future__ import annotations

import errno
import socket
from contextlib import closing
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.osc_feedback import TOLD_ONLY, OscFeedback
from stream_dream.live.control.osc_query import namespace
from stream_dream.live.control.surface import Surface
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters
from stream_dream.settings.scenes import Lfo

DESK = ("192.0.2.7", 9000)


class _Network:
    """Replaces a socket, and the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.broken = False
        self.sent: list[tuple[tuple[str, int], str, Any]] = []

    def sendto(self, data: bytes, whom: tuple[str, int]) -> None:
        if self.broken:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        message = OscMessage(data)
        self.sent.append((whom, message.address, message.params[0]))

    def taken(self) -> dict[str, Any]:
        taken, self.sent = {address: value for _, address, value in self.sent}, []
        return taken


class _Stage:
    def __init__(self) -> None:
        self.network = _Network()
        looks = {name: DreamSettings() for name in ("dogs", "eyes")}
        self.controls = Controls(LiveParameters(), looks, "dogs", clock=lambda: 0.0)
        self.surface = surface = Surface(self.controls)
        network: Any = self.network
        self.feedback = OscFeedback(surface, network, clock=lambda: self.network.now)

    def tell(self, seconds: float = 0.1) -> dict[str, Any]:
        for _ in range(max(1, round(seconds / 0.02))):
            self.network.now += 0.021
            self.feedback.tell()
        return self.network.taken()


@pytest.fixture
def stage() -> _Stage:
    stage = _Stage()
    assert stage.feedback.obey("subscribe", None, DESK)
    return stage


def test_all_is_sent_once_and_then_what_changes(stage: _Stage) -> None:
    everything = stage.tell(1.0)
    assert {"strength", "b/octaves", "preset", "freeze", "beat", "lfo/strength/depth"} <= {
        address.removeprefix("/") for address in everything
    }
    assert "/cut" not in everything  # it has no value
    assert stage.tell() == {}
    stage.controls.change({"fader": 0.25})
    assert stage.tell() == {"/fader": 0.25}


def test_no_more_messages_than_a_network_takes(stage: _Stage) -> None:
    stage.network.now += 1
    stage.feedback.tell()
    assert len(stage.network.sent) == 50
    stage.feedback.obey("subscribe", 9001, DESK)
    stage.network.sent.clear()
    for _ in range(3):
        stage.network.now += 0.021
        stage.feedback.tell()
    assert {whom[1] for whom, _, _ in stage.network.sent} == {9000, 9001}
    assert len(stage.network.sent) == 150


def test_a_hand_on_a_fader_is_left_alone(stage: _Stage) -> None:
    stage.tell(1.0)
    for value in (0.5, 0.6, 0.7):
        stage.controls.change({"strength": value})
        stage.feedback.heard("strength", 9.0, DESK)
        assert "/strength" not in stage.tell()
    assert stage.tell(1.0) == {"/strength": pytest.approx(0.7)}  # where it is in the end


def test_what_a_machine_has_set_is_not_sent_back_to_it(stage: _Stage) -> None:
    stage.tell(1.0)
    stage.controls.change({"strength": 0.1})
    stage.feedback.heard("strength", 0.10000000149011612, DESK)
    assert stage.tell(2.0) == {}


def test_a_program_hears_what_another_of_its_machine_has_set(stage: _Stage) -> None:
    neighbour = DESK[0], 50000
    stage.feedback.obey("subscribe", 9001, (DESK[0], 9100))
    stage.tell(2.0)
    for _ in range(40):  # the neighbour sends all the time
        stage.controls.change({"strength": 0.25})
        stage.feedback.heard("strength", 0.25, neighbour)
        stage.network.now += 0.021
        stage.feedback.tell()
    told = [(whom, value) for whom, address, value in stage.network.sent if address == "/strength"]
    assert told == [(DESK, 0.25), ((DESK[0], 9001), 0.25)]


def test_a_program_that_subscribes_another_port_is_known_by_its_own(stage: _Stage) -> None:
    sender = DESK[0], 9100
    stage.feedback.obey("unsubscribe", None, DESK)
    stage.feedback.obey("subscribe", 9001, sender)
    stage.tell(1.0)
    stage.controls.change({"strength": 0.25})
    stage.feedback.heard("strength", 0.25, sender)
    assert stage.tell(2.0) == {}


def test_a_desk_that_is_heard_by_ipv6_is_the_same(stage: _Stage) -> None:
    stage.feedback.obey("subscribe", 9001, DESK)
    stage.feedback.obey("unsubscribe", None, DESK)
    stage.tell(1.0)
    stage.controls.change({"strength": 0.25})
    stage.feedback.heard("strength", 0.25, (f"::ffff:{DESK[0]}", 50000))
    assert stage.tell(0.4) == {}  # a hand may be on the fader


def test_a_program_that_shows_another_value_is_corrected(stage: _Stage) -> None:
    stage.tell(1.0)
    for value in (1.0, 0.0):  # pressed and released
        stage.surface.set("preset/eyes", value)
        stage.feedback.heard("preset/eyes", value, DESK)
    assert "/preset/eyes" not in stage.tell(0.4)
    assert stage.tell(1.0)["/preset/eyes"] == 1
    stage.controls.change({"fader": 1.0})
    stage.tell(1.0)
    stage.surface.set("fader", 2.0)
    stage.feedback.heard("fader", 2.0, DESK)
    assert stage.tell(1.0) == {"/fader": 1.0}


def test_what_waits_for_the_beat_is_not_taken_back(stage: _Stage) -> None:
    stage.controls.tempo.set_bpm(60)
    stage.controls.change({"quantize": "bar"})
    stage.tell(1.0)
    stage.surface.set("preset", "eyes")
    stage.feedback.heard("preset", "eyes", DESK)
    assert stage.controls.waiting
    assert stage.tell(1.0) == {}


def test_a_fader_of_shares_is_told_where_it_is(stage: _Stage) -> None:
    stage.tell(1.0)
    stage.surface.set_share("strength", 0.8)
    stage.feedback.heard("strength", 0.800000011920929, DESK, by_share=True)
    assert stage.tell(0.4) == {}
    assert stage.tell(1.0) == {"/strength": pytest.approx(1.6)}
    stage.controls.change({"strength": 0.5})
    assert stage.tell() == {"/strength": 0.5, "/normal/strength": 0.25}
    other = "192.0.2.8", 9000
    stage.feedback.obey("subscribe", None, other)
    stage.tell(2.0)
    stage.controls.change({"strength": 1.5})
    stage.network.now += 0.021
    stage.feedback.tell()
    assert [address for whom, address, _ in stage.network.sent if whom == other] == ["/strength"]


def test_a_released_button_does_not_subscribe(stage: _Stage) -> None:
    stage.tell(1.0)
    for released in (0, 0.0, False):
        for address in ("subscribe", "sync", "unsubscribe"):
            assert stage.feedback.obey(address, released, DESK)
    assert stage.tell() == {}
    stage.controls.change({"strength": 0.5})
    assert stage.tell() == {"/strength": 0.5}


def test_a_failed_send_is_logged_once_and_made_up_for(
    stage: _Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.network.broken = True
    stage.tell(1.0)
    assert [record.getMessage() for record in caplog.records] == [
        "osc: cannot send to 192.0.2.7:9000: Network is unreachable"
    ]
    stage.network.broken = False
    assert "/strength" in stage.tell(1.0)
    assert len(caplog.records) == 1


def test_a_fixed_address_is_of_the_family_that_is_listened_at(
    stage: _Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    udp = socket.SOCK_DGRAM
    found = [
        (socket.AF_INET6, udp, 0, "", ("::1", 9000, 0, 0)),
        (socket.AF_INET, udp, 0, "", ("127.0.0.1", 9000)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with socket.socket(socket.AF_INET, udp) as listener:
        feedback = OscFeedback(stage.surface, listener, ("desk.local", 9000))
        with closing(feedback):
            assert list(feedback._subscribers) == [("127.0.0.1", 9000)]


def test_a_whole_network_can_be_told(stage: _Stage) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        feedback = OscFeedback(stage.surface, listener, ("127.255.255.255", 9))
        with closing(feedback):
            assert feedback._reply is not None
            assert feedback._reply.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST)


def test_looks_are_sent_before_the_parameters_that_they_set(stage: _Stage) -> None:
    stage.tell(1.0)
    stage.controls.use("eyes")
    stage.controls.change({"step_size": 0.05})
    sent = list(stage.tell(1.0))
    assert sent.index("/a/preset") < sent.index("/a/step_size")
    assert sent.index("/preset/eyes") < sent.index("/step_size")


def test_no_button_is_pressed_on_a_show_that_mirrors_this_one(stage: _Stage) -> None:
    stage.tell(1.0)
    stage.controls.change({"strength": 0.3})
    stage.controls.press("fade_to_black")
    stage.controls.press("undo")
    assert not {"/undo", "/redo", "/record", "/fade_to_black"} & stage.tell(1.0).keys()


@pytest.mark.slow
@pytest.mark.parametrize("sender", [DESK, (DESK[0], 50000)])
def test_two_shows_that_tell_each_other_all_agree_and_come_to_rest(
    sender: tuple[str, int],
) -> None:
    one, other = _Stage(), _Stage()
    for stage in (one, other):
        stage.feedback.obey("subscribe", DESK[1], (DESK[0], 9100))
    one.controls.store("intro")
    other.controls.store("intro")
    one.controls.tempo.set_bpm(90)
    one.controls.modulate("a/step_size", Lfo(shape="square", every=2, depth=0.2))
    one.controls.change({"strength": 0.3, "b/jitter": 7, "only": "dark", "mirror": True})
    one.controls.use("eyes", "b")
    for _ in range(20):
        for told, hearing in ((one, other), (other, one)):
            for address, value in told.tell(1.0).items():
                asked = address.removeprefix("/")
                if asked not in TOLD_ONLY:
                    hearing.surface.set(asked, value)
                    hearing.feedback.heard(asked, value, sender)
    assert other.controls.tempo.tempo is None
    assert other.controls.state.stage.strength == pytest.approx(0.3)
    assert one.controls.state.flat() == pytest.approx(other.controls.state.flat())
    moving = [
        {name: lfo for name, lfo in s.controls.state.lfos.items() if lfo.depth}
        for s in (one, other)
    ]
    assert moving[0].keys() == moving[1].keys() == {"a/step_size"}
    for stage in (one, other):
        assert stage.tell(2.0).keys() <= {"/beat"}


def test_subscriptions_end_and_are_renewed(stage: _Stage) -> None:
    stage.tell(1.0)
    stage.network.now += 50
    stage.feedback.obey("subscribe", None, DESK)
    stage.network.now += 50
    stage.controls.change({"strength": 0.5})
    assert "/strength" in stage.tell()
    stage.network.now += 61
    stage.controls.change({"strength": 0.6})
    assert stage.tell() == {}


def test_subscribers_are_bounded_and_can_leave(stage: _Stage) -> None:
    for number in range(15):
        stage.feedback.obey("subscribe", 9001 + number, DESK)
    with pytest.raises(SettingsError, match="16 are subscribed"):
        stage.feedback.obey("subscribe", 99, DESK)
    stage.feedback.obey("subscribe", True, DESK)  # a button: it renews
    for number in range(15):
        stage.feedback.obey("unsubscribe", 9001 + number, DESK)
    stage.feedback.obey("unsubscribe", None, DESK)
    assert stage.tell() == {}
    assert not stage.feedback.obey("strength", 1.0, DESK)


def test_the_surface_is_an_osc_query_namespace(stage: _Stage) -> None:
    contents = namespace(Surface(stage.controls))["CONTENTS"]
    assert contents["strength"] == {
        "FULL_PATH": "/strength",
        "ACCESS": 3,
        "DESCRIPTION": contents["strength"]["DESCRIPTION"],
        "TYPE": "f",
        "RANGE": [{"MIN": 0.0, "MAX": 2.0}],
        "VALUE": [1.0],
    }
    assert contents["b"]["CONTENTS"]["octaves"]["TYPE"] == "i"
    assert contents["preset"]["RANGE"] == [{"VALS": ["dogs", "eyes"]}]
    assert contents["preset"]["CONTENTS"]["eyes"]["FULL_PATH"] == "/preset/eyes"
    assert contents["cut"]["ACCESS"] == 2
    assert contents["cut"]["TYPE"] == "N"  # a toggle would send what presses nothing
    assert contents["freeze"]["TYPE"] == "F"
