"""The page that sends a phone's camera, in a real browser."""

from __future__ import annotations

import time
from pathlib import Path

from browsers import browsing, needs_a_browser
from waiting import wait_for

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.view import WebView

pytestmark = needs_a_browser


def test_a_camera_that_lost_its_connection_returns_by_itself(
    controls: Controls, tmp_path: Path
) -> None:
    pushed: list[bytes] = []
    view = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path, push=pushed.append)
    try:
        with browsing() as browse:
            page = browse(f"{view.link}camera")
            page.get_by_role("button", name="Start").click()
            wait_for(lambda: pushed)
            # The place is taken, as by a connection that broke unnoticed.
            camera = view._site._camera
            camera._device, camera._heard_at = object(), time.monotonic()  # type: ignore[assignment]
            page.get_by_text("trying again").wait_for()
            before = len(pushed)
            wait_for(lambda: len(pushed) > before)
            page.get_by_text("The show sees what this camera sees").wait_for()
            # To a device that was not the camera, the place is another's.
            other = browse(f"{view.link}camera")
            other.get_by_role("button", name="Start").click()
            other.get_by_text("another device is the camera already").wait_for()
            other.get_by_role("button", name="Start").wait_for()
    finally:
        view.close()
