"""Check whether a window can be opened: a failed attempt would end the process."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2

from stream_dream.errors import SettingsError, first_line
from stream_dream.runtime.quiet import debugging

# The window is never shown. Without a screen, Qt ends the process with a core dump, not an error.
_PROBE = """
import os, resource, cv2
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
cv2.namedWindow("probe", cv2.WINDOW_NORMAL)
os._exit(0)
"""
_PROBE_SECONDS = 30.0


def check_display() -> None:
    """Check that a window can be opened; takes about a second.

    Raises ``SettingsError`` if OpenCV has no windows, or there is no screen for them.
    """
    if not cv2.currentUIFramework():
        raise SettingsError(
            "--window needs an OpenCV with windows: "
            "pip uninstall opencv-python-headless, pip install --force-reinstall opencv-python"
        )
    if not debugging():
        rules = "*.debug=false;*.info=false;*.warning=false"
        os.environ.setdefault("QT_LOGGING_RULES", rules)
    if sys.platform != "linux":
        return
    display = os.environ.get("DISPLAY")
    if not display:
        where = "X11 (on Wayland: XWayland)" if os.environ.get("WAYLAND_DISPLAY") else "a desktop"
        raise SettingsError(
            f"--window needs a screen: DISPLAY is not set; start it within {where}, or use --web"
        )
    reason = _probe()
    if reason is not None:
        raise SettingsError(
            f"--window needs a screen: none can be opened at DISPLAY={display} ({reason}); "
            "start it within a desktop, or use --web"
        )


def _probe() -> str | None:
    """Open a window in a process of its own; return why that fails, None if it works."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, "QT_LOGGING_RULES": ""},  # its output is the reason
        )
    except subprocess.TimeoutExpired:
        return "it does not answer"
    except OSError as error:
        return first_line(error)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[0].removeprefix("qt.qpa.xcb: ") if lines else "it cannot be said why"


def screen_origin(screen: int) -> tuple[int, int] | None:
    """Return a screen's origin on the desktop, in pixels; None for the first screen.

    OpenCV has no notion of screens; the library screeninfo has. On Wayland the desktop may place
    the window elsewhere all the same.

    Raises:
        SettingsError: There is no such screen, or its origin cannot be determined.
    """
    if screen == 0:
        return None
    try:
        import screeninfo
    except ImportError:
        raise SettingsError(
            f"--screen {screen} needs to know where the screens are: pip install screeninfo; or "
            "move the window there and press f"
        ) from None
    try:
        found = screeninfo.get_monitors()
    except screeninfo.ScreenInfoError as error:
        raise SettingsError(
            f"--screen {screen}: where the screens are cannot be known here "
            f"({first_line(error)}); move the window there and press f"
        ) from None
    if screen >= len(found):
        raise SettingsError(f"there is no --screen {screen}: there are {len(found)}, from 0 on")
    return int(found[screen].x), int(found[screen].y)
