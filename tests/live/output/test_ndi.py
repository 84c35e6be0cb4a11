"""Frames sent to an NDI source, with a fake cyndilib."""

from __future__ import annotations

import sys
import types
from fractions import Fraction
from typing import Any

import pytest
import shows
from waiting import wait_for

from stream_dream.errors import SettingsError
from stream_dream.live.output import frame_sender, reconnecting_view
from stream_dream.live.output.ndi import NdiOutput
from stream_dream.live.output.view import SendingView


class _Frame:
    def __init__(self) -> None:
        self.facts: list[Any] = []

    def set_resolution(self, width: int, height: int) -> None:
        self.facts += [width, height]

    def set_frame_rate(self, fps: Fraction) -> None:
        self.facts.append(fps)

    def set_fourcc(self, code: str) -> None:
        self.facts.append(code)


class _Sender:
    def __init__(self, name: str) -> None:
        self.name, self.open, self.sent = name, False, list[Any]()
        type(self).last = self

    last: _Sender

    def set_video_frame(self, frame: _Frame) -> None:
        self.frame = frame

    def __enter__(self) -> None:
        self.open = True

    def __exit__(self, *_: object) -> None:
        self.open = False

    def write_video(self, data: Any) -> None:
        self.sent.append(data)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    structs = types.SimpleNamespace(FourCC=types.SimpleNamespace(RGBX="RGBX"))
    parts = {
        "cyndilib": types.ModuleType("cyndilib"),
        "cyndilib.sender": types.SimpleNamespace(Sender=_Sender),
        "cyndilib.video_frame": types.SimpleNamespace(VideoSendFrame=_Frame),
        "cyndilib.wrapper": types.ModuleType("cyndilib.wrapper"),
        "cyndilib.wrapper.ndi_structs": structs,
    }
    parts["cyndilib"].sender = parts["cyndilib.sender"]  # type: ignore[attr-defined]
    for name, module in parts.items():
        monkeypatch.setitem(sys.modules, name, module)


def test_frames_are_sent_as_they_are(library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting_view, "_WORKS_AFTER", 0.0)
    monkeypatch.setattr(frame_sender, "_REPEAT_SECONDS", 0.02)
    output = NdiOutput("my dream")
    assert isinstance(output, SendingView)
    assert (output.name, output.state) == ("ndi:my dream", "connecting")
    output.show(shows.plain(1, shape=(49, 64)), shows.STATUS)
    wait_for(lambda: output.state == "sending" and _Sender.last.sent)
    sender = _Sender.last
    assert sender.name == "my dream"
    assert sender.frame.facts == [64, 48, 25, "RGBX"]
    assert list(sender.sent[0][:8]) == [128, 20, 200, 255] * 2
    assert len(sender.sent[0]) == 64 * 48 * 4
    output.close()
    assert not sender.open


def test_a_missing_library_or_name_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="--out ndi: has no name"):
        NdiOutput(" ")
    monkeypatch.setitem(sys.modules, "cyndilib.sender", None)
    with pytest.raises(SettingsError, match=r"stream-dream\[ndi\]"):
        NdiOutput("dream")
