"""The web page in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shows
from live_sound import FakeSound
from waiting import SECONDS, wait_for

from stream_dream.live.control.controls import Controls
from stream_dream.live.engine.hearing import heard
from stream_dream.live.web.view import WebView

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# The colour in the middle of the picture in the browser.
RED = """() => {
  const canvas = document.createElement('canvas'), pen = canvas.getContext('2d');
  canvas.width = canvas.height = 1;
  pen.drawImage(document.getElementById('picture'), 0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data[0];
}"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
]


@pytest.fixture
def controls() -> Controls:
    return shows.make_controls()


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    (tmp_path / "show & tell.mkv").write_bytes(b"a film")
    return tmp_path


@pytest.fixture
def sound() -> FakeSound:
    """What the show hears, if it reacts at all."""
    return FakeSound(state="waiting")


@pytest.fixture
def view(controls: Controls, recordings: Path, sound: FakeSound) -> Iterator[WebView]:
    view = WebView(("127.0.0.1", 0), controls, token="a long secret", recordings=recordings)
    with shows.playing(view, controls, lambda: heard(sound) if controls.reacts else None):
        yield view
    view.close()
    assert view.problem is None


@pytest.fixture
def visit(view: WebView) -> Iterator[Callable[[], Any]]:
    """Return a function that opens the page; an error in the browser fails the test."""
    complaints: list[str] = []
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport={"width": 390, "height": 844})
        context.set_default_timeout(1000 * SECONDS)

        def open_page() -> Any:
            page = context.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(view.link, wait_until="domcontentloaded")
            page.wait_for_selector("#veil", state="hidden")
            return page

        yield open_page
        browser.close()
    assert not complaints


def red_becomes(page: Any, least: int, most: int) -> None:
    page.wait_for_function(
        f"() => {{const red = ({RED})(); return red >= {least} && red <= {most}}}"
    )


def test_a_moved_slider_moves_on_every_page(visit: Callable[[], Any], controls: Controls) -> None:
    here, there = visit(), visit()
    assert "token" not in here.url
    red_becomes(here, 120, 135)  # strength 1
    slider = here.get_by_label("Strength")
    slider.fill("1.8")
    red_becomes(here, 220, 240)
    red_becomes(there, 220, 240)
    other = there.get_by_label("Strength")
    there.wait_for_function("() => document.getElementById('parameter-strength').value === '1.8'")
    other.press("Home")  # the page can be used from the keyboard
    red_becomes(here, 0, 10)
    here.wait_for_function("() => document.getElementById('parameter-strength').value === '0'")
    assert controls.target.strength == 0


def test_a_slider_that_is_held_stays_under_the_finger(
    visit: Callable[[], Any], controls: Controls
) -> None:
    page = visit()
    slider = page.get_by_label("Persistence")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    held = slider.input_value()
    assert float(held) == pytest.approx(0.5, abs=0.02)
    # Pressing has moved the slider, which sends a message.
    while controls.target.persistence != float(held):
        page.wait_for_timeout(20)
    controls.change({"persistence": 0.1, "strength": 0.3})
    page.wait_for_function("() => document.getElementById('parameter-strength').value === '0.3'")
    assert slider.input_value() == held
    page.mouse.up()
    page.wait_for_function("() => document.getElementById('parameter-persistence').value === '0.1'")


def test_buttons_show_their_state(visit: Callable[[], Any], controls: Controls) -> None:
    page = visit()
    page.get_by_role("button", name="eyes", pressed=False).click()
    page.get_by_role("button", name="eyes", pressed=True).wait_for()
    assert controls.look == "eyes"
    assert page.get_by_role("button", name="wild preparing").count() == 1
    controls.drop("wild")
    page.get_by_role("button", name="wild preparing").wait_for(state="hidden")
    page.get_by_role("button", name="Freeze", pressed=False).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Freeze", pressed=True).wait_for()
    assert controls.frozen
    assert "Frozen" in page.locator("[aria-live=polite]").inner_text()
    page.get_by_role("switch", name="Mirror").check()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Snapshot").click()
    page.get_by_role("button", name="Record").click()
    # A later change arrives the same way.
    page.get_by_label("Jitter").fill("9")
    page.wait_for_function(
        "() => document.querySelector('output[for=parameter-jitter]').value === '9'"
    )
    wait_for(lambda: controls.target.jitter == 9)
    assert controls.target.mirror
    assert controls.resets == 1
    assert controls.pressed() == ["snapshot", "record"]


def test_the_sound_is_shown_where_a_show_hears_any(
    visit: Callable[[], Any], controls: Controls, sound: FakeSound
) -> None:
    page = visit()
    assert page.get_by_role("region", name="Sound").count() == 0
    assert page.get_by_label("Reactivity").count() == 0
    page.close()
    controls.reacts = True
    page = visit()
    page.set_viewport_size({"width": 320, "height": 568})
    region, state = page.get_by_role("region", name="Sound"), page.locator("[aria-live=polite]")
    region.get_by_text("Waiting for sound").wait_for()
    assert region.get_by_role("img").get_attribute("aria-label") == "Curves of the sound"
    page.get_by_label("Reactivity").fill("0.3")
    wait_for(lambda: controls.target.reactivity == 0.3)

    def shows_bars(*heights: float) -> None:
        page.wait_for_function(
            f"""() => [...document.querySelectorAll('#bars i')].every((bar, place) => {{
              const level = getComputedStyle(bar, '::after').transform.match(/[0-9.]+/g)[3];
              return Math.abs(level - {list(heights)}[place]) < 0.01}})"""
        )

    shows_bars(0, 0, 0, 0, 0, 0)
    sound.state, sound.values = "ok", {"level": 0.5, "bass": 1.0, "mid": 0.25, "beat": 0.75}
    shows_bars(0.5, 1, 0.25, 0, 0, 0.75)
    region.get_by_text("No clear beat").wait_for()
    sound.tempo = 127.6
    region.get_by_text("128 beats a minute").wait_for()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 320
    sound.state, sound.values = "silent", {}
    region.get_by_text("Silence").wait_for()
    shows_bars(0, 0, 0, 0, 0, 0)
    assert "Sound" not in state.inner_text()
    sound.state = "lost"
    region.get_by_text("The sound card is gone: trying again").wait_for()
    page.wait_for_function("() => document.getElementById('state').textContent.includes('Sound')")
    sound.state = "ok"
    region.get_by_text("128 beats a minute").wait_for()


def test_recordings_can_be_fetched_and_nothing_is_without_a_name(
    visit: Callable[[], Any], recordings: Path
) -> None:
    page = visit()
    with page.expect_download() as fetching:
        page.get_by_role("link", name="show & tell.mkv").click()
    assert fetching.value.suggested_filename == "show & tell.mkv"
    assert Path(fetching.value.path()).read_bytes() == b"a film"
    for role in ("button", "slider", "switch", "link", "img"):
        names = page.get_by_role(role).evaluate_all(
            "found => found.map(one => one.alt || one.ariaLabel || one.labels?.[0]?.textContent"
            " || one.textContent.trim())"
        )
        assert names
        assert all(names), role
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390  # a phone needs no horizontal scrolling
