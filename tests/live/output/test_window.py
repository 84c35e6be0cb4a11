"""The window: its loop with a fake highgui, its refusals, and a real one under Xvfb."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from displays import display
from waiting import SECONDS

from stream_dream.errors import SettingsError
from stream_dream.frame import Image8
from stream_dream.live.control.controls import Controls
from stream_dream.live.output import display_probe, window
from stream_dream.live.output.window import Window
from stream_dream.live.status import LiveStatus
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters

KEY_UP = 65362
STATUS = LiveStatus(fps=25, target_fps=25, camera="ok", preset="dogs", ready=("dogs", "eyes"))


class _Screen:
    """Replaces highgui: each wait presses the next key of a list."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.shown: list[Image8] = []
        self.fullscreen: list[bool] = []
        self.moved: tuple[int, int] | None = None
        self.size = (640, 480)
        self.visible = True
        self.open = False
        self.on_wait: Callable[[], None] = lambda: None

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        replaced = {
            "namedWindow": lambda *_: setattr(self, "open", True),
            "destroyWindow": lambda *_: setattr(self, "open", False),
            "moveWindow": lambda _, x, y: setattr(self, "moved", (x, y)),
            "resizeWindow": lambda _, x, y: None,
            "setWindowProperty": lambda _, __, value: self.fullscreen.append(bool(value)),
            "getWindowProperty": lambda *_: float(self.visible),
            "getWindowImageRect": lambda _: (0, 0, *self.size),
            "imshow": lambda _, image: self.shown.append(image[..., ::-1]),
            "waitKeyEx": self._wait,
        }
        for name, function in replaced.items():
            monkeypatch.setattr(cv2, name, function)

    def _wait(self, milliseconds: int) -> int:
        if not self.open:
            return -1
        self.on_wait()
        return self.keys.pop(0) if self.keys else ord("q")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> _Screen:
    screen = _Screen()
    screen.install(monkeypatch)
    monkeypatch.setattr(window, "check_display", lambda: None)
    return screen


@pytest.fixture
def controls() -> Controls:
    looks = {"dogs": DreamSettings(), "eyes": DreamSettings(octaves=3)}
    return Controls(LiveParameters(glide=0), looks, "dogs")


def image(level: int = 128, size: tuple[int, int] = (640, 480)) -> Image8:
    return np.full((size[1], size[0], 3), level, np.uint8)


def loop(view: Window, stopped: threading.Event | None = None) -> None:
    view.loop(stopped or threading.Event())


def test_keys_change_the_controls_and_say_so(screen: _Screen, controls: Controls) -> None:
    view = Window(controls)
    view.show(image(), STATUS)
    screen.keys = [-1, KEY_UP, ord("2"), ord(" "), -1, ord("9")]
    loop(view)
    assert controls.target.strength == 1.05
    assert controls.look == "eyes"
    assert controls.frozen
    assert (screen.shown[0] == 128).all()
    assert not (screen.shown[1] == 128).all()  # the answer
    assert not screen.open
    assert view.problem is None


def test_a_key_that_is_held_acts_once_but_steps_go_on(screen: _Screen, controls: Controls) -> None:
    now = 100.0
    view = Window(controls, clock=lambda: now)

    def tick() -> None:
        nonlocal now
        now += 0.03

    screen.on_wait = tick
    screen.keys = [*[ord("b")] * 5, *[KEY_UP] * 3]
    loop(view)
    assert controls.target.blackout
    assert controls.target.strength == pytest.approx(1.15)
    view = Window(controls, clock=lambda: now)
    screen.keys = [ord("b"), *[-1] * 4, ord("b"), *[-1] * 4, ord("b")]  # struck
    loop(view)
    assert not controls.target.blackout


def test_an_answer_goes_after_two_seconds(screen: _Screen, controls: Controls) -> None:
    now = 100.0
    view = Window(controls, clock=lambda: now)
    view.show(image(), STATUS)
    screen.keys = [KEY_UP, *[-1] * 22]

    def tick() -> None:
        nonlocal now
        now += 0.1

    screen.on_wait = tick
    loop(view)
    assert [bool((shown == 128).all()) for shown in screen.shown] == [True, False, True]


def test_help_shows_figures_that_follow_the_show(screen: _Screen, controls: Controls) -> None:
    now = 100.0
    view = Window(controls, clock=lambda: now)
    view.show(image(), STATUS)
    screen.keys = [ord("h"), *[-1] * 9, ord("h"), -1]

    def tick() -> None:
        nonlocal now
        now += 0.1
        view.show(image(), LiveStatus(fps=now))

    screen.on_wait = tick
    loop(view)
    plain = [bool((shown == 128).all()) for shown in screen.shown]
    assert plain == [True, *[False] * 10, True, True]
    # Figures are read every quarter of a second.
    assert 3 <= len({shown.tobytes() for shown in screen.shown if not (shown == 128).all()}) <= 5


def test_escape_leaves_the_full_screen_before_it_ends(screen: _Screen, controls: Controls) -> None:
    screen.keys = [ord("f"), ord("f"), 27, KEY_UP]
    loop(Window(controls, fullscreen=True))
    assert screen.fullscreen == [True, False, True, False]
    assert controls.target.strength == 1.05
    screen.keys = [27, KEY_UP]
    loop(Window(controls))
    assert screen.keys == [KEY_UP]  # without having waited for it


def test_the_newest_frame_is_shown_once(screen: _Screen, controls: Controls) -> None:
    view = Window(controls)
    for level in range(10):
        view.show(image(level), STATUS)
    screen.keys = [-1] * 5
    loop(view)
    assert [int(shown[0, 0, 0]) for shown in screen.shown] == [9]


def test_black_bars_follow_the_window(screen: _Screen, controls: Controls) -> None:
    view = Window(controls)
    view.show(image(size=(320, 180)), STATUS)
    screen.keys = [-1, -1]
    screen.on_wait = lambda: setattr(screen, "size", (640, 360))
    loop(view)
    assert [shown.shape for shown in screen.shown] == [(480, 640, 3), (360, 640, 3)]
    assert [int((shown == 0).all((1, 2)).sum()) for shown in screen.shown] == [120, 0]


def test_colours_and_the_first_wait(screen: _Screen, controls: Controls) -> None:
    view = Window(controls)
    red = image(0)
    red[..., 0] = 200
    screen.keys = [-1, -1]
    screen.on_wait = lambda: view.show(red, STATUS)
    loop(view)
    assert screen.shown[0].max() > 200  # a text says that it waits
    assert screen.shown[-1][0, 0].tolist() == [200, 0, 0]


@pytest.mark.parametrize("how", ["stopped", "close", "closed by the user", "gone", "broken"])
def test_every_way_to_close_the_window(
    screen: _Screen, controls: Controls, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    view = Window(controls)
    view.show(image(), STATUS)
    stopped = threading.Event()
    screen.keys = [-1] * 3

    def fail(*_: object) -> float:
        raise cv2.error("NULL guiReceiver")

    def end() -> None:
        match how:
            case "stopped":
                stopped.set()
            case "close":
                view.close()
            case "closed by the user":
                screen.visible = False
            case "gone":
                monkeypatch.setattr(cv2, "getWindowProperty", fail)
            case "broken":
                monkeypatch.setattr(cv2, "getWindowImageRect", fail)

    screen.on_wait = end
    loop(view, stopped)
    assert not screen.open
    assert len(screen.keys) >= 1
    assert (view.problem is not None) == (how == "broken")
    view.show(image(), STATUS)
    view.close()
    view.close()


def _monitors(count: int) -> types.ModuleType:
    module: Any = types.ModuleType("screeninfo")
    module.ScreenInfoError = type("ScreenInfoError", (Exception,), {})
    screens = [types.SimpleNamespace(x=1920 * number, y=10 * number) for number in range(count)]
    module.get_monitors = lambda: screens
    return module


def test_another_screen(
    screen: _Screen, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "screeninfo", _monitors(2))
    loop(Window(controls, screen=1))
    assert screen.moved == (1920, 10)
    with pytest.raises(SettingsError, match="there is no --screen 2: there are 2, from 0 on"):
        Window(controls, screen=2)
    monkeypatch.setitem(sys.modules, "screeninfo", None)
    with pytest.raises(SettingsError, match=r"--screen 1 needs .* pip install screeninfo"):
        Window(controls, screen=1)
    Window(controls)  # the key needs no library


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="screens of X11")


@linux_only
@pytest.mark.parametrize("wayland", [None, "wayland-0"])
def test_no_screen_is_one_line(
    controls: Controls, monkeypatch: pytest.MonkeyPatch, wayland: str | None
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if wayland:
        monkeypatch.setenv("WAYLAND_DISPLAY", wayland)
    with pytest.raises(SettingsError, match="--window needs a screen: DISPLAY is not set") as error:
        Window(controls)
    assert ("XWayland" in str(error.value)) == (wayland is not None)


@linux_only
def test_a_wrong_screen_is_one_line_and_no_core_dump(
    controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(SettingsError, match=r"at DISPLAY=:987 \(.+\); ") as error:
        Window(controls)
    assert "\n" not in str(error.value)


def test_an_opencv_without_windows_is_one_line(
    controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display_probe.cv2, "currentUIFramework", lambda: "")
    with pytest.raises(SettingsError, match="--window needs an OpenCV with windows"):
        Window(controls)


_SHOW = """
import json, sys, threading
import numpy as np
from stream_dream.live.control.controls import Controls
from stream_dream.live.status import LiveStatus
from stream_dream.live.output.window import Window
from stream_dream.settings.live import LiveParameters
from stream_dream.settings.dream import DreamSettings

looks = {"dogs": DreamSettings(), "eyes": DreamSettings()}
controls = Controls(LiveParameters(glide=0), looks, "dogs")
view = Window(controls)
stopped = threading.Event()

def dream():
    count = 0
    while not stopped.wait(0.04):
        image = np.full((360, 640, 3), 40 + count % 100, np.uint8)
        status = LiveStatus(fps=25, camera="ok", preset=controls.look, captured=count)
        view.show(image, status)
        state = [controls.target.strength, controls.look, controls.frozen]
        print(json.dumps(state), flush=True)
        count += 1

thread = threading.Thread(target=dream)
thread.start()
view.loop(stopped)
stopped.set()
thread.join()
print(json.dumps(["end", view.problem]), flush=True)
"""


@pytest.fixture
def xvfb() -> Iterator[dict[str, str]]:
    if not shutil.which("xdotool"):
        pytest.skip("needs xdotool")
    with display("1280x800") as name:
        yield {**os.environ, "DISPLAY": name}


@linux_only
@pytest.mark.slow
def test_keys_in_a_real_window(xvfb: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _SHOW],
        env=xvfb,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as show:
        assert show.stdout is not None
        assert show.stderr is not None

        def xdotool(*arguments: str) -> str:
            command = ["timeout", str(SECONDS), "xdotool", *arguments]
            return subprocess.run(command, env=xvfb, capture_output=True, text=True).stdout

        def wait_for(line: str) -> None:
            assert show.stdout is not None
            assert show.stderr is not None
            deadline = time.monotonic() + SECONDS
            while (got := show.stdout.readline().strip()) != line:
                assert got, f"the show ended: {show.stderr.read()}"
                assert time.monotonic() < deadline, got

        try:
            wait_for('[1.0, "dogs", false]')
            window_id = xdotool("search", "--sync", "--name", "^stream_dream$").split()[0]
            # Without a window manager keys go to the window under the pointer.
            xdotool("mousemove", "50", "50")
            for key, state in (
                ("Up", '[1.05, "dogs", false]'),
                ("2", '[1.05, "eyes", false]'),
                ("h", '[1.05, "eyes", false]'),
                ("space", '[1.05, "eyes", true]'),
                ("q", '["end", null]'),
            ):
                if key == "q":
                    assert "640x360" in xdotool("getwindowgeometry", window_id)
                xdotool("key", key)
                wait_for(state)
            assert show.wait(SECONDS) == 0
            assert show.stderr.read() == ""
        finally:
            show.kill()
