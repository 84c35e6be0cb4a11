"""The pages for everybody: WCAG 2.2 AA as far as axe-core sees it, large text, focus, colours."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import shows
from browsers import DESKTOP, PHONE, TABLET, browsing, needs_a_browser

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.view import WebView
from stream_dream.settings.scenes import Lfo

pytestmark = needs_a_browser

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")
COLOURS: dict[str, dict[str, str]] = {
    "dark": {"color_scheme": "dark"},
    "light": {"color_scheme": "light"},
    "forced": {"forced_colors": "active"},
}

# Elements that reach beyond the page or hold more than they show.
CUT_OFF = """() => [...document.querySelectorAll('main *')].filter((one) => {
  if (!one.checkVisibility() || one.closest('.hidden-text, .help, [hidden]')) return false;
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  if (box.width <= 1) return false;  // for screen readers
  const wide = innerWidth + 1;
  if (box.right > wide || box.left < -1) return true;
  if (style.overflowX === 'visible' || one.tagName === 'CANVAS') {
    return one.matches('button') && one.scrollWidth > one.clientWidth + 2;
  }
  return one.scrollWidth > one.clientWidth + 2;
}).map((one) => one.outerHTML.slice(0, 90))"""

# The focused element, unless the middle of it can be seen.
HIDDEN_FOCUS = """() => {
  const one = document.activeElement;
  if (!one || one === document.body || one.closest('.stage')) return '';
  const box = one.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return top && (one.contains(top) || top.contains(one)) ? '' : one.outerHTML.slice(0, 90);
}"""


@pytest.fixture
def view(controls: Controls, tmp_path: Path) -> Iterator[WebView]:
    (tmp_path / "a film of yesterday evening with a long name.mkv").write_bytes(b"film")
    view = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path, push=lambda jpeg: None)
    controls.modulate("strength", Lfo())
    controls.store("intro")
    with shows.playing(view, controls):
        yield view
    view.close()


def open_everything(page: Any, *, two: bool) -> None:
    """Wait for the show, and open all that can be opened."""
    page.wait_for_selector("#veil", state="hidden")
    if two:
        page.get_by_role("button", name="Two decks").click()
        page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="LFO of Strength").click()
    page.evaluate("for (const box of document.querySelectorAll('details')) box.open = true")


def assert_accessible(page: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"runOnly": {"type": "tag", "values": list(TAGS)}}
    violations = axe.run(page, options=options).response["violations"]
    found = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in violations]
    assert found == []


@pytest.mark.parametrize("colours", COLOURS)
def test_the_page(view: WebView, controls: Controls, colours: str) -> None:
    controls.change({"quantize": "bar"})
    controls.press("freeze")
    with browsing() as browse:
        for size, two in product((PHONE, DESKTOP), (False, True)):
            page = browse(view.link, size, **COLOURS[colours], bypass_csp=True)
            open_everything(page, two=two)
            page.keyboard.press("9")  # refused, with a notice
            page.wait_for_selector("#notice:not(.empty)")
            assert_accessible(page)
            page.get_by_role("button", name="Keys").click()
            assert_accessible(page)
            page.context.close()


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("path", ["view", "camera"])
def test_the_other_pages(view: WebView, colours: str, path: str) -> None:
    with browsing() as browse:
        page = browse(view.link + path, **COLOURS[colours], bypass_csp=True)
        if path == "camera":
            page.get_by_role("button", name="Start").click()
            page.get_by_text("The show sees").wait_for()
        assert_accessible(page)


@pytest.mark.parametrize("letter", [16, 32], ids=["usual", "large"])
def test_nothing_is_cut_off(view: WebView, letter: int) -> None:
    sizes = ((320, 568), PHONE, TABLET, DESKTOP, (844, 390))
    with browsing(f"--blink-settings=defaultFontSize={letter}") as browse:
        for size, two in product(sizes, (False, True)):
            page = browse(view.link, size)
            found = page.evaluate("getComputedStyle(document.documentElement).fontSize")
            assert found == f"{letter}px"
            open_everything(page, two=two)
            assert page.evaluate(CUT_OFF) == [], (size, two)
            page.context.close()


@pytest.mark.parametrize("size", [PHONE, TABLET, DESKTOP])
def test_the_focus_is_never_behind_the_picture(view: WebView, size: tuple[int, int]) -> None:
    with browsing() as browse:
        page = browse(view.link, size)
        open_everything(page, two=True)
        page.locator("#dismiss").focus()
        for key in ("Tab", "Shift+Tab"):
            for _ in range(90):
                page.keyboard.press(key)
                assert page.evaluate(HIDDEN_FOCUS) == ""


def test_fingers_find_every_control(view: WebView) -> None:
    with browsing() as browse:
        page = browse(view.link, PHONE, has_touch=True, is_mobile=True)
        open_everything(page, two=True)
        small = page.evaluate("""() => [...document.querySelectorAll(
          'button, input, select, summary')]
          .filter((one) => one.checkVisibility({visibilityProperty: true}))
          .filter((one) => !one.matches('[role=switch]'))  // its label is part of it
          .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
          .filter(([, box]) => box.height < 43.5 || box.width < 24).map(([html]) => html)""")
        assert small == []


def test_sliders_and_pressed_buttons_are_seen_in_forced_colours(view: WebView) -> None:
    with browsing() as browse:
        page = browse(view.link, forced_colors="active")
        page.wait_for_selector("#veil", state="hidden")

        def style(selector: str, name: str) -> str:
            found: str = page.locator(selector).first.evaluate(
                "(one, name) => getComputedStyle(one).getPropertyValue(name)", name
            )
            return found

        assert style("input[type=range]", "appearance") == "auto"  # drawn by the browser
        assert style("[role=switch]", "appearance") == "auto"
        pressed, other = (f".look[aria-pressed={on}]" for on in ("true", "false"))
        page.wait_for_selector(pressed)
        assert style(pressed, "background-color") != style(other, "background-color")
        assert style(pressed, "color") != style(other, "color")
        assert style(other, "border-top-style") == "solid"
