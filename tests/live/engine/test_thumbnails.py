"""Thumbnails: what each look makes of the present picture, without disturbing the show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest
import synthetic
from waiting import SECONDS, wait_for

from stream_dream.dream.ascent import Ascent
from stream_dream.frame import Image8, ImageF
from stream_dream.image import to_float
from stream_dream.live.engine import thumbnails as module
from stream_dream.live.engine.thumbnails import Thumbnails, thumbnail
from stream_dream.settings.dream import DreamSettings

SETTINGS = DreamSettings(octaves=1)
GREY: Image8 = np.full((30, 40, 3), 90, np.uint8)


def checkered(source: ImageF, carried: ImageF, **_: Any) -> tuple[ImageF, float]:
    """Add a checkerboard to the left half."""
    change = np.zeros_like(carried)
    left = change[:, : carried.shape[1] // 2]
    left[::2, ::2] = left[1::2, 1::2] = 0.02
    left[1::2, ::2] = left[::2, 1::2] = -0.02
    return carried + change, 1.0


class _Looks:
    """Looks of which some are traced."""

    def __init__(self, *ready: str) -> None:
        self.ready_now = ready
        self.settings = {name: SETTINGS for name in ("one", "other")}

    def ready_near(self, look: str, size: int) -> Any:
        return (18, 24), checkered


@pytest.fixture
def looks() -> _Looks:
    return _Looks("one")


@pytest.fixture
def thumbnails(looks: _Looks, monkeypatch: pytest.MonkeyPatch) -> Iterator[Thumbnails]:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    made = Thumbnails(looks, lambda: GREY)  # type: ignore[arg-type]
    yield made
    made.close()


def test_a_thumbnail_is_the_dream_of_a_picture() -> None:
    image = thumbnail(checkered, SETTINGS, GREY)
    assert image is not None
    assert image.shape == GREY.shape
    assert image[:, :15].std() > image[:, 25:].std() + 10
    assert thumbnail(checkered, SETTINGS, GREY, stopped=lambda: True) is None


def test_looks_get_theirs_when_they_are_ready(thumbnails: Thumbnails, looks: _Looks) -> None:
    thumbnails.want()
    wait_for(lambda: set(thumbnails.made) == {"one"})
    assert thumbnails.made["one"].image.shape == (18, 24, 3)
    looks.ready_now = ("one", "other")
    wait_for(lambda: set(thumbnails.made) == {"one", "other"})
    assert {made.revision for made in thumbnails.made.values()} == {1}


def test_old_ones_are_made_anew(thumbnails: Thumbnails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OLD_SECONDS", 0.0)
    thumbnails.want()
    wait_for(lambda: thumbnails.made and thumbnails.made["one"].revision > 2)


def test_nothing_is_dreamed_while_nobody_wants_it(
    thumbnails: Thumbnails, looks: _Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def due() -> list[str]:
        asked.append("asked")
        return []

    monkeypatch.setattr(thumbnails, "_due", due)
    thumbnails._thread.join(0.1)
    assert not asked
    thumbnails.want()
    wait_for(lambda: asked)


def test_a_look_that_fails_is_left_out(
    thumbnails: Thumbnails, looks: _Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fail_at_first(look: str, size: int) -> Any:
        asked.append(look)
        if look == "one":
            raise RuntimeError("boom")
        return (18, 24), checkered

    monkeypatch.setattr(looks, "ready_near", fail_at_first)
    monkeypatch.setattr(module, "_OLD_SECONDS", 0.0)
    looks.ready_now = ("one", "other")
    thumbnails.want()
    wait_for(lambda: thumbnails.made and thumbnails.made["other"].revision > 2)
    assert set(thumbnails.made) == {"other"}
    assert asked.count("one") == 1


def test_a_look_that_is_not_traced_as_it_comes_does_not_keep_others_waiting(
    thumbnails: Thumbnails, looks: _Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = {"one": None, "other": ((18, 24), checkered)}  # one: with other octaves alone
    monkeypatch.setattr(looks, "ready_near", lambda look, size: traced[look])
    looks.ready_now = ("one", "other")
    thumbnails.want()
    wait_for(lambda: set(thumbnails.made) == {"other"})


@pytest.mark.slow
def test_a_look_that_moves_is_dreamed_as_the_show_dreams_it_now(
    tiny: Callable[..., DreamSettings], looks: _Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The show's ascents and those of thumbnails share the variables of what moves."""
    base = tiny(octaves=1, jitter=0, step_size=0.02, colours=0.0)
    moved = base.model_copy(update={"colours": 1.0})
    ascent, source = Ascent(base, ["colours"]), to_float(synthetic.photo((32, 24)))

    def dream(settings: DreamSettings) -> ImageF:
        rng = np.random.default_rng(0)
        start = np.zeros_like(source)
        return ascent(source, start, index=0, rng=rng, settings=settings).residual

    plain, expected = dream(base), dream(moved)
    assert np.abs(plain - expected).max() > 1e-3
    run, shows_thread, made = ascent._run, threading.current_thread(), threading.Event()

    def overtaken(*given: Any) -> Any:
        """Let a thumbnail ascend between the show's settings and its ascent."""
        if threading.current_thread() is shows_thread:
            maker.want()
            assert made.wait(SECONDS)
        try:
            return run(*given)
        finally:
            made.set()

    monkeypatch.setattr(ascent, "_run", overtaken)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(looks, "ready_near", lambda look, size: (source.shape[:2], ascent))
    monkeypatch.setattr(looks, "settings", {"one": base})
    with closing(Thumbnails(looks, lambda: GREY, changed=lambda _: moved)) as maker:  # type: ignore[arg-type]
        np.testing.assert_array_equal(dream(moved), expected)
