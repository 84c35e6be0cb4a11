"""Texts drawn on a copy of the picture: their place and size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_dream.frame import Image8
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.keys import Answer
from stream_dream.live.output.overlay import Overlay, Panel, Row, build_panel, fitted
from stream_dream.live.status import HeardSound, LiveStatus
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters

LOOKS = ("dogs", "eyes", "spirals")
STATUS = LiveStatus(
    fps=24.83,
    target_fps=25,
    dream_size=320,
    latency_ms=83.4,
    camera="lost",
    captured=15341,
    dropped=12,
    preset="eyes",
    ready=("dogs", "eyes"),
    recording="film.mkv",
    uptime=3753,
    message="the camera is gone",
)


def some_panel(status: LiveStatus = STATUS) -> Panel:
    return build_panel(status, some_controls())


def some_controls() -> Controls:
    controls = Controls(LiveParameters(), dict.fromkeys(LOOKS, DreamSettings()), "eyes")
    controls.reacts = True
    return controls


def rows(shown: Panel) -> dict[str, Row]:
    return {row.name: row for column in shown for rows in column.values() for row in rows}


def grey(size: tuple[int, int]) -> Image8:
    return np.full((size[1], size[0], 3), 128, np.uint8)


def test_the_panel_lists_every_figure_parameter_look_and_key() -> None:
    found = rows(some_panel())
    values = {name: row.value for name, row in found.items()}
    assert values["look"] == "eyes"
    assert values["frames"] == "24.8 of 25 a second"
    assert values["latency"] == "83 ms"
    assert values["dropped"] == "12 of 15341"
    assert values["recording"] == "film.mkv"
    assert values["runs for"] == "1:02:33"
    assert found["camera"] == Row("camera", "lost", marked=True)
    assert "the camera is gone" in found
    words = {"quantize", "fade", "fade_unit", "only"}
    for name in LiveParameters.model_fields.keys() - words - some_controls().idle:
        assert values[name.replace("_", " ")]
    assert [found[look].key for look in LOOKS] == ["1", "2", "3"]
    assert [found[look].marked for look in LOOKS] == [False, True, False]
    assert found["spirals"].value == "getting ready"
    keys = " ".join(row.key for row in found.values()).split()
    assert {*"fhsrvqxcbnoitzy123+-[]↑↓←→;'", "space", "esc"} <= set(keys)


def test_the_panel_of_a_journey_shows_what_steers_it() -> None:
    controls = some_controls()
    assert (
        not {"zoom", "turn", "pan x", "pan y", "throw"} & rows(build_panel(STATUS, controls)).keys()
    )
    controls.journey = True
    found = rows(build_panel(STATUS, controls))
    assert found["zoom"] == Row("zoom", "1.3", "+ -")
    assert found["pan x"].key == "← →"
    assert not {"strength", "persistence", "bypass", "source"} & found.keys()


def test_the_panel_tells_what_is_heard() -> None:
    assert "sound" not in rows(some_panel())
    for state, tempo, text in (
        ("ok", 127.6, "128 beats a minute"),
        ("ok", None, "no clear beat"),
        ("silent", None, "silent"),
        ("lost", 127.6, "lost"),
    ):
        found = rows(some_panel(replace(STATUS, sound=HeardSound(state, tempo, {}))))
        assert found["sound"] == Row("sound", text, marked=state == "lost")


@pytest.mark.parametrize(
    "size", [(640, 360), (1280, 720), (1920, 1080), (320, 240), (360, 640), (32, 32), (2000, 100)]
)
def test_the_panel_fits_any_picture_and_darkens_it_behind_bright_letters(
    size: tuple[int, int],
) -> None:
    image = grey(size)
    drawn = Overlay().draw(image, some_panel(), None)
    assert (image == 128).all()
    assert drawn.shape[1] / drawn.shape[0] == pytest.approx(size[0] / size[1], rel=0.02)
    assert drawn.shape[0] >= size[1]
    touched = (drawn != 128).any(-1)
    assert not touched[-1].any()  # nothing is clipped at the bottom
    assert not touched[:, -1].any()  # nor at the right
    panel_part = drawn[touched]
    assert 0.5 < (panel_part.max(-1) < 50).mean() < 0.99
    assert (panel_part.max(-1) > 200).mean() > 0.02


def test_letters_grow_with_the_picture() -> None:
    extents = [
        (Overlay().draw(grey((16 * n, 9 * n)), some_panel(), None) != 128).any(-1).any(1).sum()
        for n in (60, 120)
    ]
    assert extents[1] > 1.6 * extents[0]


def test_changed_figures_are_drawn_anew() -> None:
    overlay = Overlay()
    image = grey((640, 360))
    first = overlay.draw(image, some_panel(), None)
    assert np.array_equal(overlay.draw(image, some_panel(), None), first)
    other = overlay.draw(image, some_panel(LiveStatus(fps=3)), None)
    assert not np.array_equal(other, first)


@pytest.mark.parametrize("text", ["strength 1.05", "there is no such thing " * 20])
def test_an_answer_stands_in_the_middle_at_the_bottom(text: str) -> None:
    image = grey((640, 360))
    drawn = Overlay().draw(image, None, Answer(text))
    touched = (drawn != 128).any(-1)
    down, across = np.nonzero(touched)
    assert down.min() > 250
    assert down.max() < 359
    assert abs((across.min() + across.max()) / 2 - 320) <= 1
    refused = Overlay().draw(image, None, Answer(text, refused=True))
    assert not np.array_equal(refused, drawn)


def test_without_text_the_picture_is_not_copied() -> None:
    image = grey((64, 48))
    assert Overlay().draw(image, None, None) is image


@pytest.mark.parametrize(
    ("window", "part"),
    [
        ((640, 480), (80, 400, 0, 640)),  # wider than the window: bars above and below
        ((1000, 250), (0, 250, 250, 750)),
        ((200, 100), (0, 100, 0, 200)),
        ((50, 41), (8, 33, 0, 50)),
    ],
)
def test_the_picture_fills_the_window_as_far_as_its_shape_allows(
    window: tuple[int, int], part: tuple[int, int, int, int]
) -> None:
    image = grey((100, 50))
    boxed = fitted(image, window)
    assert boxed.shape == (window[1], window[0], 3)
    top, bottom, left, right = part
    assert (boxed[top:bottom, left:right] == 128).all()
    assert (boxed == 128).all(-1).sum() == (bottom - top) * (right - left)
    assert ((boxed == 128) | (boxed == 0)).all()


@pytest.mark.parametrize("window", [(100, 50), (0, 0), (-1, -1)])
def test_a_picture_that_fits_or_cannot_be_fitted_stays(window: tuple[int, int]) -> None:
    image = grey((100, 50))
    assert fitted(image, window) is image
