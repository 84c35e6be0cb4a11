"""A show without camera or dream, for tests of views."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from waiting import SECONDS

from stream_dream.frame import Image8
from stream_dream.live.control.controls import Controls
from stream_dream.live.output.view import View
from stream_dream.live.status import HeardSound, LiveStatus
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters

STATUS = LiveStatus(
    fps=24.5,
    target_fps=25.0,
    dream_size=480,
    latency_ms=80.0,
    frame_ms=40.0,
    camera="ok",
    captured=120,
    dropped=20,
    dreamed=100,
    preset="dogs",
    ready=("dogs", "eyes"),
    uptime=4.0,
)


def make_controls() -> Controls:
    """Return controls with three looks whose changes take effect at once."""
    looks = {name: DreamSettings() for name in ("dogs", "eyes", "wild")}
    return Controls(LiveParameters(glide=0), looks, "dogs")


def plain(strength: float, *, shape: tuple[int, int] = (48, 64)) -> Image8:
    """Return a picture whose red, 0..255, is the strength, 0..2; green is 20, blue 200."""
    image = np.empty((*shape, 3), np.uint8)
    image[:] = round(strength * 127.5), 20, 200
    return image


class Clock:
    """A clock, and in place of the module ``time``; tests advance ``now``."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now

    monotonic = perf_counter = __call__


@contextmanager
def playing(
    view: View, controls: Controls, sound: Callable[[], HeardSound | None] = lambda: None
) -> Iterator[None]:
    """Show 50 frames a second from a thread, coloured by the strength."""
    ended = threading.Event()

    def play() -> None:
        number = 0
        while not ended.wait(0.02):
            number += 1
            look, frozen = controls.look, controls.frozen
            status = replace(STATUS, dreamed=number, preset=look, frozen=frozen, sound=sound())
            view.show(plain(controls.parameters().strength), status)

    thread = threading.Thread(target=play, name="play", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(SECONDS)
