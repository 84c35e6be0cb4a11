"""The web page in a real browser: one deck, its meters and files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shows
from browsers import TABLET, browsing, needs_a_browser, red_becomes, set_share, value_becomes
from live_sound import FakeSound
from waiting import wait_for

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.engine.hearing import heard
from stream_dream.live.web.view import WebView

pytestmark = needs_a_browser


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
    view = WebView(
        ("127.0.0.1", 0), Surface(controls), token="a long secret", recordings=recordings
    )
    with shows.playing(view, controls, lambda: heard(sound) if controls.reacts else None):
        yield view
    view.close()
    assert view.problem is None


@pytest.fixture
def visit(view: WebView) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the page and waits for its picture."""
    with browsing() as browse:

        def open_page(**options: Any) -> Any:
            page = browse(view.link, **options)
            page.wait_for_selector("#veil", state="hidden")
            return page

        yield open_page


def test_a_moved_slider_moves_on_every_page(visit: Callable[..., Any], controls: Controls) -> None:
    here, there = visit(), visit()
    assert "token" not in here.url
    red_becomes(here, 120, 135)  # strength 1
    set_share(here.get_by_role("slider", name="Strength"), 0.9)
    red_becomes(here, 220, 240)
    red_becomes(there, 220, 240)
    value_becomes(there, "strength", "1.8")
    there.get_by_role("slider", name="Strength").press("Home")  # works from the keyboard
    red_becomes(here, 0, 10)
    value_becomes(here, "strength", "0")
    assert controls.target.strength == 0


def test_a_slider_that_is_held_stays_under_the_finger(
    visit: Callable[..., Any], controls: Controls
) -> None:
    page = visit()
    slider = page.get_by_role("slider", name="Persistence")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    held = slider.get_attribute("aria-valuetext")
    # Pressing has moved the slider, which sends a message.
    while controls.target.persistence != float(held):
        page.wait_for_timeout(20)
    controls.change({"persistence": 0.1, "strength": 0.3})
    value_becomes(page, "strength", "0.3")
    assert slider.get_attribute("aria-valuetext") == held
    page.mouse.up()
    value_becomes(page, "a/persistence", "0.1")


def test_most_of_a_slider_is_for_useful_values(
    visit: Callable[..., Any], controls: Controls
) -> None:
    page = visit()
    default = controls.state.decks["a"].step_size
    controls.change({"step_size": 0.1})
    slider = page.get_by_role("slider", name="Step size")
    slider.dblclick()
    wait_for(lambda: controls.target.step_size == default)
    assert 0.4 < float(slider.input_value()) < 0.6
    slider.press("ArrowRight")
    wait_for(lambda: default < controls.target.step_size < 1.1 * default)
    octaves = page.get_by_role("slider", name="Octaves")
    octaves.press("Home")
    octaves.press("ArrowUp")
    wait_for(lambda: controls.target.octaves == 2)


def test_numbers_are_typed_and_cut_to_their_range(
    visit: Callable[..., Any], controls: Controls
) -> None:
    page = visit()
    number = page.get_by_label("Strength, as a number")
    number.fill("0,75")
    number.press("Enter")
    wait_for(lambda: controls.target.strength == 0.75)
    number.fill("7")
    number.press("Enter")
    wait_for(lambda: controls.target.strength == 2)
    status = page.locator("#notice-text")
    status.get_by_text("Strength goes from 0 to 2: set to 2").wait_for()
    number.fill("much")
    number.press("Enter")
    status.get_by_text("is no number").wait_for()
    assert number.get_attribute("aria-invalid") == "true"
    number.press("Escape")
    assert number.input_value() == "2"
    assert controls.target.strength == 2


def test_buttons_show_their_state(visit: Callable[..., Any], controls: Controls) -> None:
    page = visit()
    page.get_by_role("button", name="eyes", pressed=False).click()
    page.get_by_role("button", name="eyes", pressed=True).wait_for()
    assert controls.look == "eyes"
    page.get_by_text("Eyes open on a patchwork of tiles").wait_for()
    assert page.get_by_role("button", name="wild preparing").count() == 1
    controls.drop("wild")
    page.get_by_role("button", name="wild preparing").wait_for(state="hidden")
    page.get_by_role("button", name="Freeze", pressed=False).focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Freeze", pressed=True).wait_for()
    assert controls.frozen
    page.locator("#state").get_by_text("Frozen").wait_for(state="attached")
    page.get_by_role("switch", name="Mirror").check()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Snapshot").click()
    page.get_by_role("button", name="Record").click()
    wait_for(lambda: controls.target.mirror)
    wait_for(lambda: controls.resets == 1)
    wait_for(lambda: controls._pressed == ["snapshot", "record"])
    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: not controls.target.mirror)


def test_refusals_are_shown_over_the_picture_and_kept_in_the_log(
    visit: Callable[..., Any], controls: Controls
) -> None:
    page = visit(size=TABLET)
    page.get_by_role("button", name="Redo").click(force=True)
    text = "there is nothing to redo"
    page.get_by_role("status").get_by_text(text).wait_for()
    notice, stage = (page.locator(name).bounding_box() for name in ("#notice", "#stage"))
    assert notice["y"] + notice["height"] <= stage["y"] + stage["height"]  # covers no control
    page.get_by_role("button", name="Dismiss the notice").click()
    page.get_by_role("status").get_by_text(text).wait_for(state="hidden")
    page.locator("summary", has_text="Log").click()
    page.get_by_role("listitem").get_by_text(text).wait_for()
    page.reload()
    page.wait_for_selector("#veil", state="hidden")
    page.get_by_text("Nothing has happened yet").wait_for()
    assert page.locator("#notice-text").inner_text() == ""


def test_outputs_are_listed_with_their_state(
    visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visit()
    assert page.get_by_role("list", name="Outputs").count() == 0
    for state in ("waiting", "sending"):
        outputs = {"rtsp://server/dream": state}
        monkeypatch.setattr(shows, "STATUS", replace(shows.STATUS, outputs=outputs))
        entry = page.get_by_role("list", name="Outputs").get_by_role("listitem")
        entry.get_by_text(state).wait_for()
        assert entry.inner_text() == f"rtsp://server/dream {state}"


def test_the_log_tells_what_happened_before_a_page_was_opened(
    visit: Callable[..., Any], view: WebView
) -> None:
    show = logging.getLogger("stream_dream.live")
    show.warning("camera: lost at night")
    page = visit()
    page.locator("summary", has_text="Log").click()
    entry = page.get_by_role("listitem").filter(has_text="camera: lost at night")
    entry.wait_for()
    assert page.locator("#notice-text").inner_text() == ""  # no news
    show.warning("camera: lost again")
    entries = page.locator("#log li")
    entries.first.get_by_text("camera: lost again").wait_for()
    # As the show sends them to a page that comes back.
    again = [list(line) for line in view._log.lines]
    page.evaluate("lines => import('./notices.js').then(({log}) => log(lines))", again)
    assert entry.count() == 1


def test_the_sound_is_shown_where_a_show_hears_any(
    visit: Callable[..., Any], controls: Controls, sound: FakeSound
) -> None:
    page = visit()
    assert page.get_by_role("region", name="Sound").count() == 0
    assert page.get_by_role("slider", name="Reactivity").count() == 0
    controls.reacts = True
    page.set_viewport_size({"width": 320, "height": 568})
    region = page.get_by_role("region", name="Sound")
    region.get_by_text("Waiting for sound").wait_for()
    assert region.get_by_role("img").get_attribute("aria-label") == "Curves of the sound"
    set_share(page.get_by_role("slider", name="Reactivity"), 0.15)
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
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    sound.state, sound.values = "silent", {}
    region.get_by_text("Silence").wait_for()
    shows_bars(0, 0, 0, 0, 0, 0)
    sound.state = "lost"
    region.get_by_text("The sound card is gone: trying again").wait_for()
    page.wait_for_function("() => document.getElementById('state').textContent.includes('Sound')")
    sound.state = "ok"
    region.get_by_text("128 beats a minute").wait_for()


def test_recordings_can_be_fetched_and_nothing_is_without_a_name(
    visit: Callable[..., Any],
) -> None:
    page = visit()
    with page.expect_download() as fetching:
        page.get_by_role("link", name="show & tell.mkv").click()
    assert fetching.value.suggested_filename == "show & tell.mkv"
    assert Path(fetching.value.path()).read_bytes() == b"a film"
    for role in ("button", "slider", "switch", "link", "img", "textbox"):
        names = page.get_by_role(role).evaluate_all(
            "found => found.map(one => one.alt || one.ariaLabel || one.labels?.[0]?.textContent"
            " || one.textContent.trim())"
        )
        assert names
        assert all(names), role
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
