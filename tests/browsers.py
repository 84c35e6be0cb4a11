"""Pages of a show in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from waiting import SECONDS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A camera that shows a moving picture, and the permission to use it.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
PHONE, TABLET, DESKTOP = (390, 844), (820, 1180), (1440, 900)

# Chromium reports what it could not fetch; a show that is gone, or wants another token, is meant to
# be.
_EXPECTED = (
    "net::ERR_",
    "WebSocket connection to",
    "the server responded with a status of 401",
    "the server responded with a status of 503",
)

# The colour in the middle of the picture in the browser.
RED = """() => {
  const canvas = document.createElement('canvas'), pen = canvas.getContext('2d');
  canvas.width = canvas.height = 1;
  pen.drawImage(document.getElementById('picture'), 0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data[0];
}"""

needs_a_browser = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]


@contextmanager
def browsing(*arguments: str) -> Iterator[Callable[..., Any]]:
    """Yield a function that opens an address; an error in the browser fails the test.

    It takes the address, the size of the viewport, a script to run before those of the page, and
    options of Playwright's context.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    complaints: list[str] = []
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=[*_ARGUMENTS, *arguments])

        def complain(text: str) -> None:
            if not any(expected in text for expected in _EXPECTED):
                complaints.append(text)

        def open_page(
            address: str, size: tuple[int, int] = PHONE, script: str = "", **options: Any
        ) -> Any:
            width, height = size
            context = browser.new_context(viewport={"width": width, "height": height}, **options)
            context.set_default_timeout(1000 * SECONDS)
            page = context.new_page()
            page.add_init_script(script or "0")
            page.on("console", lambda message: complain(message.text))
            page.on("pageerror", lambda error: complain(str(error)))
            page.goto(address, wait_until="domcontentloaded")
            return page

        yield open_page
        browser.close()
    assert not complaints


def red_becomes(page: Any, least: int, most: int) -> None:
    """Wait until the picture has a red within bounds."""
    page.wait_for_function(
        f"() => {{const red = ({RED})(); return red >= {least} && red <= {most}}}"
    )


def set_share(slider: Any, share: float) -> None:
    """Move a slider to a share of its length, as a hand does."""
    slider.evaluate(
        "(input, share) => {input.value = share; input.dispatchEvent(new Event('input'));"
        " input.dispatchEvent(new Event('change'));}",
        share,
    )


def value_becomes(page: Any, address: str, value: str) -> None:
    """Wait until a slider says that it is at a value."""
    page.wait_for_function(
        "([id, value]) => document.getElementById(id).getAttribute('aria-valuetext') === value",
        arg=[f"control-{address.replace('/', '-')}", value],
    )
