"""Frames sent to a virtual camera, with a fake pyvirtualcam."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from waiting import SECONDS, wait_for

from stream_dream.errors import SettingsError
from stream_dream.frame import Image8
from stream_dream.live.output import frame_sender, reconnecting_view
from stream_dream.live.output.view import SendingView, View
from stream_dream.live.output.virtual_camera import VirtualCamera
from stream_dream.live.status import LiveStatus

STATUS = LiveStatus(target_fps=24)


class _Camera:
    """Accepts frames only while ``free`` is set."""

    def __init__(self, width: int, height: int, fps: float) -> None:
        self.opened = (width, height, fps)
        self.sent: list[Image8] = []
        self.closed = False
        self.free = threading.Event()
        self.free.set()
        self.told = threading.Condition()
        self.failing = False
        type(self).last = self

    last: _Camera

    def __enter__(self) -> _Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def send(self, image: Image8) -> None:
        with self.told:
            self.sent.append(image)
            self.told.notify_all()
        assert self.free.wait(SECONDS)
        if self.failing:
            raise RuntimeError("write failed\nbecause")

    def wait_for(self, level: int) -> None:
        with self.told:
            assert self.told.wait_for(lambda: any(i[0, 0, 0] == level for i in self.sent), SECONDS)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FIRST_PAUSE", "_LONGEST_PAUSE", "_WORKS_AFTER", "_WORKS_AGAIN_AFTER"):
        monkeypatch.setattr(reconnecting_view, name, 0.01)
    monkeypatch.setattr(frame_sender, "_REPEAT_SECONDS", 0.02)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module = types.ModuleType("pyvirtualcam")
    module.Camera = _Camera  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    return module


@pytest.fixture
def view(module: types.ModuleType) -> Iterator[VirtualCamera]:
    view = VirtualCamera()
    yield view
    view.close()
    view.close()
    assert "to virtual camera" not in {thread.name for thread in threading.enumerate()}


def image(level: int, size: tuple[int, int] = (64, 48)) -> Image8:
    return np.full((size[1], size[0], 3), level, np.uint8)


def begin(view: View, first: Image8) -> _Camera:
    opened = threading.Event()

    class Opened(_Camera):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            _Camera.last = self
            opened.set()

    sys.modules["pyvirtualcam"].Camera = Opened  # type: ignore[attr-defined]
    view.show(first, STATUS)
    assert opened.wait(SECONDS)
    return _Camera.last


def test_the_first_frame_fixes_the_size_made_even(view: VirtualCamera) -> None:
    camera = begin(view, image(10, (65, 49)))
    assert camera.opened == (64, 48, 24)
    camera.wait_for(10)
    view.show(image(20, (128, 96)), STATUS)
    camera.wait_for(20)
    assert {sent.shape for sent in camera.sent} == {(48, 64, 3)}
    assert view.problem is None
    view.close()
    assert camera.closed


@pytest.mark.stops
def test_the_newest_frame_wins_while_the_camera_is_busy(view: VirtualCamera) -> None:
    camera = begin(view, image(0))
    camera.wait_for(0)
    camera.free.clear()
    view.show(image(1), STATUS)
    camera.wait_for(1)
    for level in range(2, 100):
        view.show(image(level), STATUS)
    camera.free.set()
    camera.wait_for(99)
    assert not {sent[0, 0, 0] for sent in camera.sent} & set(range(2, 99))


def test_the_last_frame_is_repeated_while_none_comes(
    view: VirtualCamera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_dream.live.output.frame_sender._REPEAT_SECONDS", 0.01)
    camera = begin(view, image(7))
    with camera.told:
        assert camera.told.wait_for(lambda: len(camera.sent) >= 3, SECONDS)
    assert {int(sent[0, 0, 0]) for sent in camera.sent} == {7}


@pytest.mark.parametrize(
    ("platform", "remedy"),
    [("linux", "sudo modprobe v4l2loopback"), ("win32", "OBS"), ("darwin", "OBS")],
)
def test_a_system_without_one_is_told_what_to_do(
    module: types.ModuleType, monkeypatch: pytest.MonkeyPatch, platform: str, remedy: str
) -> None:
    def none(*_: object) -> None:
        raise RuntimeError("'some' backend: no devices\nand more")

    module.Camera = none  # type: ignore[attr-defined]
    monkeypatch.setattr("stream_dream.live.output.virtual_camera.sys.platform", platform)
    view = VirtualCamera()
    assert isinstance(view, SendingView)
    view.show(image(0), STATUS)
    wait_for(lambda: view.message)
    assert view.message.startswith("virtual camera: there is no virtual camera: ")
    assert remedy in view.message
    assert "\n" not in view.message
    assert (view.problem, view.state) == (None, "waiting")
    begin(view, image(0)).wait_for(0)  # its driver is there now
    wait_for(lambda: view.state == "sending")
    assert view.message == ""
    view.close()


def test_a_camera_that_breaks_is_opened_again(view: VirtualCamera) -> None:
    camera = begin(view, image(8, (65, 49)))
    camera.wait_for(8)
    camera.failing = True
    wait_for(lambda: view.message)
    assert view.message == "virtual camera: write failed"
    assert camera.closed
    again = begin(view, image(1, (128, 96)))
    again.wait_for(1)
    assert again.opened == (64, 48, 24)  # other programs cannot follow a change
    assert view.problem is None


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SettingsError, match=r"stream-dream\[virtual-camera\]"):
        VirtualCamera()
