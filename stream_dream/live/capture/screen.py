"""The screen of this machine as a source."""

from __future__ import annotations

import re
import time
from typing import Any

import cv2
import numpy as np

from stream_dream.errors import SettingsError, SourceError, first_line
from stream_dream.frame import Image8
from stream_dream.live.capture.pace import Pace

_FPS = 30.0
_LOOK_SECONDS = 3.0  # from one look at the sizes of the monitors to the next
_AREA = re.compile(r"screen(?::(?:(\d{1,2})|(\d{1,5})x(\d{1,5})\+(\d{1,5})\+(\d{1,5})))?")


class ScreenFeed:
    """A monitor, or a part of the desktop, 30 times a second."""

    def __init__(self, source: str) -> None:
        """Open the screen; it is read in the same thread.

        Args:
            source: ``screen`` for the first monitor, ``screen:2`` for the second, or
                ``screen:WIDTHxHEIGHT+X+Y`` for a part of the desktop, in pixels.

        Raises:
            SettingsError: The library is not installed.
            SourceError: There is no screen, or not this part of it.
        """
        match = _AREA.fullmatch(source)
        if match is None:
            raise SourceError(
                f"--source cannot be {source!r}: give screen, screen:2 for the second monitor, or "
                "screen:WIDTHxHEIGHT+X+Y"
            )
        self._source, self._match = source, match
        self._screen, monitors = _opened(source)
        try:
            self._area = _area(source, match, monitors)
        except SourceError:
            self._screen.close()
            raise
        self._looked_at = time.monotonic()
        self._pace = Pace()

    def read(self) -> Image8 | None:
        """Wait until the next frame is due, and take a picture of the screen.

        Returns None once a monitor has another size or place.

        Raises:
            SourceError: There is no screen any more, or not this part of it.
        """
        self._pace.wait(1 / _FPS)
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = time.monotonic()
            screen, monitors = _opened(self._source)
            screen.close()
            if _area(self._source, self._match, monitors) != self._area:
                return None
        shot = np.asarray(self._screen.grab(self._area), np.uint8)
        return np.asarray(cv2.cvtColor(shot, cv2.COLOR_BGRA2RGB), np.uint8)

    def close(self) -> None:
        """Release the screen."""
        self._screen.close()


def _opened(source: str) -> tuple[Any, Any]:
    """Return a new connection to the screen, and its monitors, which it reads only once."""
    try:
        import mss
    except ModuleNotFoundError:
        raise SettingsError(
            "--source screen needs the extra live: pip install 'stream-dream[live]'"
        ) from None
    try:
        screen = mss.MSS()
        return screen, screen.monitors
    except Exception as error:  # each system has errors of its own
        raise SourceError(
            f"--source {source} needs a screen, and none can be read ({first_line(error)}): "
            "start the show within a desktop (X11, Windows or macOS)"
        ) from error


def _area(source: str, match: re.Match[str], monitors: Any) -> dict[str, int]:
    """Return what to read, in pixels of the desktop; ``monitors`` are all and each of them."""
    desktop, *each = monitors
    number, *numbers = match.groups()
    if numbers[0] is None:
        wanted = int(number or 1)
        if not 1 <= wanted <= len(each):
            raise SourceError(f"--source {source}: there are {len(each)} monitors, from 1")
        return {key: each[wanted - 1][key] for key in ("left", "top", "width", "height")}
    width, height, left, top = map(int, numbers)
    whole = desktop["width"], desktop["height"]
    if not (width and height and left + width <= whole[0] and top + height <= whole[1]):
        raise SourceError(f"--source {source} is not within the screen of {whole[0]}x{whole[1]}")
    left, top = desktop["left"] + left, desktop["top"] + top
    return {"left": left, "top": top, "width": width, "height": height}
