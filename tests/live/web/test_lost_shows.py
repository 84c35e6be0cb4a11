"""Shows that hang, end and come back, as their pages show them in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import shows
from browsers import browsing, needs_a_browser, red_becomes, set_share
from waiting import wait_for
from web_clients import address

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.view import WebView

pytestmark = needs_a_browser

STOPPABLE_CLOCK = """const now = performance.now.bind(performance);
performance.now = () => window.stopped ?? now();
const date = Date.now.bind(Date);
Date.now = () => window.date ?? date();"""


def veil_says(page: Any, text: str) -> None:
    page.locator("#veil").get_by_text(text).wait_for()


def test_a_show_that_hangs_is_veiled_and_its_controls_rest(
    view: WebView, controls: Controls
) -> None:
    with browsing() as browse:
        page = browse(view.link)
        veil_says(page, "Waiting for the first picture")
        with shows.playing(view, controls):
            page.wait_for_selector("#veil", state="hidden")
            page.get_by_role("button", name="Reset").focus()
        veil_says(page, "The show hangs")
        assert page.locator("#controls").get_attribute("inert") is not None
        page.keyboard.press("Space")
        page.keyboard.press("b")
        with shows.playing(view, controls):
            page.wait_for_selector("#veil", state="hidden")
            assert page.locator("#controls").get_attribute("inert") is None
            assert page.evaluate("document.activeElement.dataset.press") == "reset"
        assert not controls.target.blackout
        assert controls.resets == 0


@pytest.mark.parametrize("slept", [False, True])
def test_what_was_moved_before_a_show_was_lost_is_sent_to_the_next(
    controls: Controls, tmp_path: Path, slept: bool
) -> None:
    first = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path)
    host_and_port = address(first)
    with browsing() as browse:
        with shows.playing(first, controls):
            page = browse(first.link, script=STOPPABLE_CLOCK)
            page.wait_for_selector("#veil", state="hidden")
            # However long this machine takes, the move is one of the last seconds.
            page.evaluate("window.stopped = performance.now(), window.date = Date.now()")
            strength = page.get_by_role("slider", name="Strength")
            set_share(strength, 0.1)
            set_share(strength, 0.9)
            wait_for(lambda: controls.target.strength == 1.8)
            first.close()
        page.evaluate("window.stopped = undefined")
        veil_says(page, "The show does not answer")
        assert page.locator("#controls").get_attribute("inert") is not None
        if slept:
            page.evaluate("window.date += 3600e3")
        later = shows.make_controls()
        second = WebView(host_and_port, Surface(later), recordings=tmp_path)
        with shows.playing(second, later):
            page.wait_for_selector("#veil", state="hidden")
            page.get_by_role("button", name="Freeze").click()
            wait_for(lambda: later.frozen)  # what is sent again comes before
            assert later.target.strength == (1 if slept else 1.8)
        second.close()


@pytest.mark.parametrize("path", ["", "view"])
def test_the_picture_comes_back_by_itself(controls: Controls, tmp_path: Path, path: str) -> None:
    first = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path)
    host_and_port = address(first)
    with browsing() as browse:
        with shows.playing(first, controls):
            page = browse(first.link + path)
            red_becomes(page, 120, 135)
            first.close()
        controls.change({"strength": 1.8})
        second = WebView(host_and_port, Surface(controls), recordings=tmp_path)
        with shows.playing(second, controls):
            red_becomes(page, 220, 240)
        second.close()


def test_the_bare_picture_has_nothing_but_the_picture(controls: Controls, tmp_path: Path) -> None:
    view = WebView(("127.0.0.1", 0), Surface(controls), token="a long secret", recordings=tmp_path)
    with shows.playing(view, controls), browsing() as browse:
        page = browse(view.link.replace("?", "view?"))
        red_becomes(page, 120, 135)
        assert "token" not in page.url
        assert page.locator("main").inner_text().strip() in ("", "Picture of the show")
        box = page.locator("#picture").bounding_box()
        assert (box["width"], box["height"]) == (390, 844)
        page.wait_for_function("() => getComputedStyle(document.body).cursor === 'none'")
        page.mouse.move(50, 50)
        page.mouse.move(60, 60)
        page.wait_for_function("() => getComputedStyle(document.body).cursor !== 'none'")
    view.close()


def test_pages_whose_token_is_no_longer_valid_stop_asking(
    controls: Controls, tmp_path: Path
) -> None:
    first = WebView(
        ("127.0.0.1", 0),
        Surface(controls),
        token="a secret",
        recordings=tmp_path,
        push=lambda jpeg: None,
    )
    host_and_port = address(first)
    asked: list[str] = []
    with browsing() as browse:
        pages = [browse(first.link.replace("?", f"{path}?")) for path in ("", "view", "camera")]
        page, _, phone = pages
        for one in pages:
            # Its timers fire when the test says so.
            one.clock.install()
            one.reload()
            one.on("websocket", lambda socket: asked.append(socket.url))
            one.on("response", lambda answer: asked.append(f"{answer.status} {answer.url}"))
        with shows.playing(first, controls):
            page.wait_for_selector("#veil", state="hidden")
            phone.get_by_role("button", name="Start").click()
            phone.get_by_text("The show sees what this camera sees.").wait_for()
            first.close()
        second = WebView(host_and_port, Surface(controls), token="another", recordings=tmp_path)
        for one in pages:
            one.get_by_text("This page's token is no longer valid").wait_for()
        # Of the page and of the bare picture.
        while sum(one.startswith("401") and one.endswith("stream.mjpeg") for one in asked) < 2:
            page.wait_for_timeout(20)
        asked.clear()
        for one in pages:
            one.clock.fast_forward(60000)
            one.clock.fast_forward(60000)
        for one in pages:
            one.get_by_text("This page's token is no longer valid").wait_for()
        assert asked == []
    second.close()


def test_a_phone_is_the_camera(controls: Controls, tmp_path: Path) -> None:
    pushed: list[bytes] = []
    view = WebView(
        ("127.0.0.1", 0),
        Surface(controls),
        token="a long secret",
        recordings=tmp_path,
        push=pushed.append,
    )
    link = view.link.replace("?", "camera?")
    with browsing() as browse:
        phone = browse(link)
        phone.get_by_role("button", name="Start").click()
        phone.get_by_text("The show sees what this camera sees.").wait_for()
        wait_for(lambda: len(pushed) >= 30)
        assert all(jpeg.startswith(b"\xff\xd8\xff") for jpeg in pushed)
        phone.get_by_text("pictures a second, 640 by 360").wait_for()
        other = browse(link)
        other.get_by_role("button", name="Start").click()
        other.get_by_text("another device is the camera already").wait_for()
        phone.get_by_role("button", name="Front camera").click()
        phone.get_by_role("button", name="Back camera").wait_for()
        phone.get_by_label("Longer side").select_option("480")
        phone.get_by_text("480 by 270").wait_for()
        phone.get_by_role("button", name="Stop").click()
        wait_for(lambda: pushed[-1] == b"")  # it has left
        other.get_by_role("button", name="Start").click()
        other.get_by_text("The show sees what this camera sees.").wait_for()
        page = browse(view.link)
        page.locator("summary", has_text="Use a phone").click()
        page.get_by_text("for a phone, start the show with").wait_for()  # this one has no https
        assert page.locator("#phone-code").is_hidden()
        assert page.evaluate("() => fetch('camera.svg').then((answer) => answer.status)") == 200
        assert page.locator("#phone-link").get_attribute("href") == link
        insecure = browse(
            link, script="Object.defineProperty(navigator, 'mediaDevices', {value: undefined})"
        )
        insecure.get_by_text("Start the show with --https").wait_for()
    view.close()


def test_a_show_without_a_phone_says_so(view: WebView, controls: Controls) -> None:
    with browsing() as browse:
        phone = browse(view.link + "camera")
        phone.get_by_role("button", name="Start").click()
        phone.get_by_text("this show takes no phone as its camera").wait_for()
        with shows.playing(view, controls):
            page = browse(view.link)
            page.wait_for_selector("#veil", state="hidden")
            assert page.locator("summary", has_text="Use a phone").is_hidden()
