"""Window that shows the dream and handles keys, on OpenCV's highgui."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import cv2
import numpy as np

from stream_dream.errors import first_line
from stream_dream.frame import Image8
from stream_dream.image import fit_size
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.keys import Answer, name_of, play, steps
from stream_dream.live.output.display_probe import check_display, screen_origin
from stream_dream.live.output.overlay import Overlay, Panel, build_panel, fitted
from stream_dream.live.status import LiveStatus

_NAME = "stream_dream"
# ``fitted`` scales the picture to the window: there is no ratio to keep.
_FLAGS = cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
_LARGEST = 1280
_WAIT_MS = 10
_ANSWER_SECONDS = 2.0
# A key that is held comes 25 to 40 times a second; nobody strikes one as fast.
_REPEATED_SECONDS = 0.08
# Figures that change with every frame are unreadable.
_PANEL_SECONDS = 0.25


class Window:
    """A view in a window.

    ``show`` may be called by any thread and only keeps the newest frame; ``loop`` does the rest, in
    the main thread, to which windows belong.

    Attributes:
        problem: One line on why there is no window any more; None while all is well.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        fullscreen: bool = False,
        screen: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check that a window can be opened; ``loop`` opens it.

        Args:
            controls: Controls that the keys change.
            fullscreen: True to start in full screen.
            screen: Number of the screen that it opens on, from 0.
            clock: Returns the time in seconds.

        Raises:
            SettingsError: There is no screen, or not that one.
        """
        check_display()
        self._origin = screen_origin(screen)
        self._controls = controls
        self._clock = clock
        self._newest: tuple[Image8, LiveStatus] | None = None
        self._closed = threading.Event()
        self.problem: str | None = None
        self._fullscreen = fullscreen
        self._sized = False
        self._with_panel = False
        self._answer: Answer | None = None
        self._answered = 0.0
        self._pressed = "", 0.0
        self._overlay = Overlay()
        self._panel: Panel | None = None
        self._panel_built = 0.0
        self._image: Image8 | None = None
        self._shown: tuple[object, ...] = ()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), in place of one that was not shown yet."""
        self._newest = (image, status)

    def close(self) -> None:
        """Stop ``loop``, which closes the window; calling it again does nothing."""
        self._closed.set()

    def loop(self, stopped: threading.Event) -> None:
        """Show frames and handle keys until the end; only for the main thread.

        Returns when the window is closed, q or Esc is pressed, ``stopped`` is set or ``close``
        called. If the window fails, ``problem`` says why.
        """
        try:
            self._open()
            while not (stopped.is_set() or self._closed.is_set()):
                self._refresh()
                key = name_of(cv2.waitKeyEx(_WAIT_MS))
                if (key and self._ends(key)) or not _visible():
                    break
        except cv2.error as error:
            self.problem = f"--window: the window failed: {first_line(error)}"
        finally:
            self._closed.set()
            _destroy()

    def _open(self) -> None:
        cv2.namedWindow(_NAME, _FLAGS)
        if self._origin is not None:
            cv2.moveWindow(_NAME, *self._origin)
        self._fill(self._fullscreen)

    def _fill(self, fullscreen: bool) -> None:
        """Enter or leave full screen."""
        self._fullscreen = fullscreen
        mode = cv2.WINDOW_FULLSCREEN if fullscreen else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(_NAME, cv2.WND_PROP_FULLSCREEN, mode)

    def _ends(self, key: str) -> bool:
        """Handle a key; return True if it closes the window."""
        if key == "q" or (key == "esc" and not self._fullscreen):
            return True
        if key in ("f", "esc"):
            self._fill(not self._fullscreen)
        elif key == "h":
            self._with_panel = not self._with_panel
        elif not self._is_held(key):
            newest = self._newest
            recording = newest is not None and newest[1].recording is not None
            answer = play(key, self._controls, recording=recording)
            if answer is not None:
                self._answer, self._answered = answer, self._clock()
        return False

    def _is_held(self, key: str) -> bool:
        """Return whether a key that acts once has come by the keyboard's repeat."""
        last, self._pressed = self._pressed, (key, self._clock())
        again = key == last[0] and self._pressed[1] - last[1] < _REPEATED_SECONDS
        return again and key not in steps(self._controls)

    def _refresh(self) -> None:
        """Redraw the window if anything has changed."""
        newest = self._newest
        image, status = newest or (_NOTHING, LiveStatus())
        panel, answer = self._panel_now(status), self._answer_now()
        if newest is None and answer is None:
            answer = Answer("waiting for the first picture")
        if newest is not None and not (self._sized or self._fullscreen):
            self._sized = True
            height, width = image.shape[:2]
            cv2.resizeWindow(_NAME, *fit_size((width, height), _LARGEST))
        _, _, across, down = cv2.getWindowImageRect(_NAME)
        shown = (panel, answer, across, down)
        # Images are never modified: the same object is the same image.
        if image is self._image and shown == self._shown:
            return
        self._image, self._shown = image, shown
        picture = self._overlay.draw(fitted(image, (across, down)), panel, answer)
        cv2.imshow(_NAME, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def _panel_now(self, status: LiveStatus) -> Panel | None:
        """Return the panel, if shown; the same object while it does not change."""
        if not self._with_panel:
            self._panel = None
        elif self._panel is None or self._clock() - self._panel_built >= _PANEL_SECONDS:
            controls = self._controls
            self._panel = build_panel(status, controls)
            self._panel_built = self._clock()
        return self._panel

    def _answer_now(self) -> Answer | None:
        if self._clock() - self._answered >= _ANSWER_SECONDS:
            self._answer = None
        return self._answer


_NOTHING: Image8 = np.zeros((360, 640, 3), np.uint8)


def _visible() -> bool:
    try:
        return cv2.getWindowProperty(_NAME, cv2.WND_PROP_VISIBLE) >= 1
    except cv2.error:  # Qt raises if there is no window at all
        return False


def _destroy() -> None:
    with suppress(cv2.error):  # it is gone already
        cv2.destroyWindow(_NAME)
        cv2.waitKeyEx(1)  # the window closes with the next events
