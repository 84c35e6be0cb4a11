"""Decks, keys, scenes, tempo and MIDI of the page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shows
from browsers import DESKTOP, PHONE, browsing, needs_a_browser, set_share, value_becomes
from waiting import wait_for

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.view import WebView

pytestmark = needs_a_browser

# A browser's MIDI: two ports that send back what they get, one with a knob and a lamp.
MIDI = """navigator.requestMIDIAccess = async () => {
  window.through = {name: 'Midi Through Port-0'};
  window.knob = {name: 'Knobs'};
  window.echoes = [];
  window.lamps = [];
  const echo = {name: 'Midi Through Port-0', send: (bytes) => {
    window.echoes.push([...bytes]);
    window.through.onmidimessage?.({data: new Uint8Array(bytes)});
  }};
  window.loop = {name: 'IAC Driver Bus 1', id: 'loop'};
  window.returned = [];
  const loop = {name: 'IAC Driver Bus 1', send: (bytes) => {
    window.returned.push([...bytes].join());
    window.loop.onmidimessage?.({data: new Uint8Array(bytes)});
  }};
  const lamp = {name: 'Knobs', send: (bytes) => window.lamps.push([...bytes])};
  const ports = (...all) => new Map(Object.entries(all));
  const inputs = ports(window.through, window.knob, window.loop);
  return {inputs, outputs: ports(echo, lamp, loop)};
};"""


class _RecordingMidi(MidiMap):
    """Remembers what it received."""

    def __init__(self, surface: Surface) -> None:
        """Start with a pad that freezes."""
        super().__init__(surface, {"note 1 36": "freeze"})
        self.received: list[bytes] = []

    def receive(self, message: bytes, port: str = "") -> None:
        """Play a message."""
        self.received.append(message)
        super().receive(message, port)


@pytest.fixture
def midi(controls: Controls) -> _RecordingMidi:
    return _RecordingMidi(Surface(controls))


@pytest.fixture
def view(controls: Controls, tmp_path: Path, midi: _RecordingMidi) -> Iterator[WebView]:
    view = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path, midi=midi)
    with shows.playing(view, controls):
        yield view
    view.close()
    assert view.problem is None


@pytest.fixture
def page(view: WebView) -> Iterator[Any]:
    """Return the page with both decks."""
    with browsing() as browse:
        page = browse(view.link, DESKTOP, MIDI)
        page.wait_for_selector("#veil", state="hidden")
        page.get_by_role("button", name="Two decks").click()
        yield page


def test_one_deck_is_shown_until_two_are_wanted(page: Any, controls: Controls) -> None:
    deck_b = page.get_by_role("region", name="Deck B")
    deck_b.get_by_role("button", name="eyes").click()
    page.get_by_role("region", name="Deck A").get_by_role("slider", name="Jitter").press("Home")
    wait_for(lambda: controls.state.decks["a"].jitter == 0)
    assert controls.state.decks["b"].look == "eyes"
    page.reload()
    deck_b.get_by_role("button", name="eyes", pressed=True).wait_for()
    page.get_by_role("button", name="Two decks").click()
    page.get_by_role("region", name="Mixer").wait_for(state="hidden")
    assert page.get_by_role("slider", name="Jitter").count() == 1
    assert page.get_by_role("button", name="dogs").count() == 1
    controls.change({"fader": 1})  # from elsewhere: the other deck comes to the front
    page.get_by_role("button", name="eyes", pressed=True).wait_for()


def test_the_mixer(page: Any, controls: Controls) -> None:
    mixer = page.get_by_role("region", name="Mixer")
    mixer.get_by_role("button", name="Cut").click()
    wait_for(lambda: controls.state.front == "b")
    value_becomes(page, "fader", "1")
    page.get_by_text("in front").nth(1).wait_for()
    set_share(mixer.get_by_role("slider", name="Cross-fader"), 0.25)
    wait_for(lambda: controls.target.fader == 0.25)
    length = mixer.get_by_label("Fade over")
    length.fill("0.5")
    length.press("Enter")
    wait_for(lambda: controls.target.fade == 0.5)
    mixer.get_by_label("Unit").select_option("beats")
    wait_for(lambda: controls.target.fade_unit == "beats")
    for name, address in (("Blackout", "blackout"), ("Source", "bypass")):
        mixer.get_by_role("button", name=name).click()
        mixer.get_by_role("button", name=name, pressed=True).wait_for()
        assert getattr(controls.target, address)
        page.locator("#badges").get_by_text(name).wait_for()
    mixer.get_by_role("button", name="Fade to black").click()
    mixer.get_by_role("button", name="Fade to black", pressed=True).wait_for()
    page.get_by_label("Changes wait for").select_option("4bars")
    wait_for(lambda: controls.target.quantize == "4bars")
    mixer.get_by_role("button", name="Cut").click()
    page.wait_for_selector("[data-press=cut].waits")


def test_a_cut_leaves_the_focus_on_a_slider(page: Any, controls: Controls) -> None:
    slider = page.get_by_role("region", name="Deck A").get_by_role("slider", name="Jitter")
    slider.focus()
    controls.press("cut")  # from elsewhere
    page.get_by_role("region", name="Deck B").get_by_text("in front").wait_for()
    assert slider.evaluate("node => node === document.activeElement")


def test_keys_of_the_window_work_on_the_page(page: Any, controls: Controls) -> None:
    page.keyboard.press("x")
    wait_for(lambda: controls.state.front == "b")
    page.get_by_role("status").get_by_text("deck B").wait_for()
    page.keyboard.press("2")
    wait_for(lambda: controls.state.decks["b"].look == "eyes")
    page.keyboard.press("Shift+Digit3")
    wait_for(lambda: controls.state.decks["a"].look == "wild")
    page.keyboard.press("Space")  # though the last click has left the focus on a button
    wait_for(lambda: controls.frozen)
    page.keyboard.press("ArrowUp")
    wait_for(lambda: controls.target.strength == 1.05)
    page.keyboard.press("b")
    wait_for(lambda: controls.target.blackout)
    # Fields and sliders keep the keys that they need.
    page.get_by_label("Name").press_sequentially("box 1")
    assert page.get_by_label("Name").input_value() == "box 1"
    page.get_by_role("slider", name="Light").press("ArrowDown")
    wait_for(lambda: controls.target.light < 1)
    assert controls.target.blackout
    assert controls.target.strength == 1.05
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.get_by_text("cut to the other deck").wait_for()
    dialog.get_by_role("switch", name="Keys work on this page").uncheck()
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    page.keyboard.press("b")
    page.keyboard.press("h")
    page.get_by_role("button", name="Keys").click()
    dialog.wait_for()
    assert controls.target.blackout


def test_keys_that_are_held_do_not_flicker(page: Any, controls: Controls) -> None:
    for _ in range(4):
        page.keyboard.down("b")
    for _ in range(3):
        page.keyboard.down("ArrowDown")
    wait_for(lambda: controls.target.strength == pytest.approx(0.85))
    assert controls.target.blackout
    page.keyboard.up("b")
    page.keyboard.up("ArrowDown")
    page.keyboard.press("b")
    wait_for(lambda: not controls.target.blackout)


def test_the_space_bar_clicks_what_has_the_focus_after_it_was_the_shows(
    page: Any, controls: Controls
) -> None:
    page.keyboard.press("Space")
    wait_for(lambda: controls.frozen)
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Space")
    wait_for(lambda: controls.resets == 1)


def test_the_name_of_a_scene_stays_while_it_is_refused(page: Any, controls: Controls) -> None:
    name = page.get_by_label("Name")
    name.fill("a/b")
    name.press("Enter")
    page.locator("#notice-text").get_by_text("a/b").wait_for()
    assert name.input_value() == "a/b"
    name.fill("ab")
    name.press("Enter")
    page.wait_for_function("() => !document.getElementById('scene-name').value")
    assert list(controls.scenes) == ["ab"]


def test_long_names_stay_within_their_buttons(page: Any, controls: Controls) -> None:
    name = page.locator(".looks .name").first
    name.evaluate("node => { node.textContent = 'm'.repeat(40) }")
    for node in (name, page.locator(".looks button").first):
        assert node.evaluate("node => node.scrollWidth <= node.clientWidth + 1")


def test_scenes_are_stored_recalled_and_removed(page: Any, controls: Controls) -> None:
    page.get_by_label("Name").fill("intro")
    page.keyboard.press("Enter")
    wait_for(lambda: "intro" in controls.scenes)
    controls.change({"strength": 0.2})
    page.get_by_role("button", name="intro").click()
    wait_for(lambda: controls.target.strength == 1)
    page.get_by_role("button", name="Undo").click()
    wait_for(lambda: controls.target.strength == 0.2)
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("button", name="Remove the scene intro").click()
    page.get_by_text("None yet: store").wait_for()
    assert not controls.scenes


def test_the_tempo_is_typed_and_shown(page: Any, controls: Controls) -> None:
    tempo = page.get_by_label("BPM")
    tempo.fill("90")
    tempo.press("Enter")
    wait_for(lambda: controls.bpm() == 90)
    page.wait_for_selector("#beats .lit")
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_selector("#beats .lit", state="detached")
    page.get_by_role("button", name="Tap").click()
    page.get_by_role("button", name="Bar").click()


def test_an_lfo_moves_a_mark_beside_the_slider(page: Any, controls: Controls) -> None:
    strength = page.locator("[data-address=strength]").first
    assert strength.locator(".ghost").is_hidden()
    page.get_by_role("button", name="LFO of Strength").click()
    form = page.get_by_role("group", name="LFO of Strength")
    form.get_by_label("Shape").select_option("square")
    form.get_by_label("Every").fill("2")
    form.get_by_label("Unit of the rate").select_option("seconds")
    assert controls.state.lfos == {}  # not before it is switched on
    form.get_by_role("switch", name="LFO on").check()
    wait_for(lambda: "strength" in controls.state.lfos)
    lfo = controls.state.lfos["strength"]
    assert (lfo.shape, lfo.every, lfo.unit) == ("square", 2, "seconds")
    strength.locator(".ghost").wait_for()
    value_becomes(page, "strength", "1")
    form.get_by_role("switch", name="LFO on").uncheck()
    wait_for(lambda: not controls.state.lfos["strength"].depth)
    strength.locator(".ghost").wait_for(state="hidden")
    form.get_by_label("Shape").select_option("triangle")  # for the next time
    controls.change({"strength": 0.5})
    value_becomes(page, "strength", "0.5")
    form.get_by_role("switch", name="LFO on").check()
    wait_for(lambda: controls.state.lfos["strength"].shape == "triangle")


def plays_midi(page: Any) -> None:
    page.locator("summary", has_text="MIDI").click()
    page.get_by_role("button", name="Use this device's MIDI").click()
    page.get_by_text("Plays: Knobs, IAC Driver Bus 1", exact=True).wait_for()


def test_midi_of_the_browser_is_learned_by_touching_a_control(
    page: Any, midi: _RecordingMidi, controls: Controls
) -> None:
    plays_midi(page)
    page.get_by_role("button", name="Learn").click()
    page.get_by_role("button", name="Blackout").click()
    page.get_by_text("Move a knob for blackout.").wait_for()
    assert not controls.target.blackout  # it was learned, not pressed
    page.evaluate("window.knob.onmidimessage({data: new Uint8Array([176, 7, 1])})")
    page.wait_for_selector("[data-address=blackout][data-midi='cc 1 7']")
    controls.change({"blackout": True})
    page.wait_for_function("() => window.lamps.some((lamp) => lamp.join() === '176,7,127')")
    # Of many moves of a knob within a moment the last one counts.
    page.evaluate("""for (let value = 0; value < 100; value++)
        window.knob.onmidimessage({data: new Uint8Array([176, 9, value])})""")
    wait_for(lambda: midi.received[-1] == bytes([176, 9, 99]))
    assert len(midi.received) < 50
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Learn", pressed=False).wait_for()
    page.get_by_role("button", name="Remove cc 1 7 from blackout").click()
    wait_for(lambda: midi.bindings == {"note 1 36": "freeze"})


def test_a_short_press_of_a_button_is_whole(page: Any, midi: _RecordingMidi) -> None:
    plays_midi(page)
    page.evaluate("""for (const value of [20, 100, 127, 0])
        window.knob.onmidimessage({data: new Uint8Array([176, 8, value])})""")
    wait_for(lambda: len(midi.received) == 3)
    assert [message[2] for message in midi.received] == [20, 127, 0]


def test_lamps_do_not_come_back_as_pads(page: Any, controls: Controls) -> None:
    plays_midi(page)
    page.evaluate("window.knob.onmidimessage({data: new Uint8Array([144, 36, 100])})")
    page.wait_for_function("() => window.lamps.some((lamp) => lamp.join() === '144,36,127')")
    assert controls.frozen
    assert page.evaluate("window.echoes") == []


def test_what_a_port_of_the_browser_sends_back_moves_nothing(
    page: Any, midi: _RecordingMidi, controls: Controls
) -> None:
    plays_midi(page)
    page.evaluate("window.knob.onmidimessage({data: new Uint8Array([144, 36, 100])})")
    page.wait_for_function("() => window.returned.includes('144,36,127')")
    page.evaluate("window.knob.onmidimessage({data: new Uint8Array([176, 99, 1])})")
    wait_for(lambda: bytes([176, 99, 1]) in midi.received)
    assert midi.received == [bytes([144, 36, 100]), bytes([176, 99, 1])]
    assert controls.frozen


def test_one_clock_on_two_ports_of_the_browser_counts_once(page: Any, midi: _RecordingMidi) -> None:
    plays_midi(page)
    page.evaluate("""for (let tick = 0; tick < 5; tick++)
      for (const port of [window.knob, window.loop])
        port.onmidimessage({data: new Uint8Array([248])})""")
    page.evaluate("window.knob.onmidimessage({data: new Uint8Array([176, 99, 1])})")
    wait_for(lambda: bytes([176, 99, 1]) in midi.received)
    assert midi.received.count(b"\xf8") == 5


def test_a_browser_without_midi_says_so(view: WebView) -> None:
    with browsing() as browse:
        page = browse(view.link, PHONE, "navigator.requestMIDIAccess = undefined;")
        page.wait_for_selector("#veil", state="hidden")
        page.locator("summary", has_text="MIDI").click()
        page.get_by_text("start the show with --midi").wait_for()


def test_a_show_without_midi_has_no_such_section(
    controls: Controls, tmp_path: Path, view: WebView
) -> None:
    other = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path)
    with shows.playing(other, controls), browsing() as browse:
        page = browse(other.link)
        page.wait_for_selector("#veil", state="hidden")
        assert page.locator("summary", has_text="MIDI").is_hidden()
    other.close()
