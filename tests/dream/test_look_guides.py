"""Guides of looks: shown to the frame's look alone, again if it was built again, and let go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import synthetic

from stream_dream.dream import look_ascents
from stream_dream.dream.build import Guide
from stream_dream.dream.look_ascents import LookAscents
from stream_dream.frame import Image8
from stream_dream.settings.dream import DreamSettings

Make = Callable[..., DreamSettings]
LOOKS = 3


def guide_of(ascents: LookAscents, look: int) -> Guide:
    guide = ascents.of(look).guide
    assert guide is not None
    return guide


@pytest.fixture
def ascents(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> LookAscents:
    """Return the ascents of three guided looks, of which two are kept."""
    monkeypatch.setattr(look_ascents, "LOOKS_KEPT", 2)
    return LookAscents([tiny(seed=seed, guide=Path("guide.png")) for seed in range(LOOKS)])


@pytest.mark.slow
def test_a_look_that_is_built_again_sees_its_guide_again(ascents: LookAscents) -> None:
    guides = ascents.guided([iter([synthetic.photo((40, 30))]) for _ in range(LOOKS)])
    first: weakref.ref[Guide] | None = None
    for look in (0, 1, 2, 0):
        guides.show(look)
        shown = guide_of(ascents, look)
        assert all(np.any(feature.numpy()) for feature in shown.features.values())
        if first is None:
            first = weakref.ref(shown)
        del shown
    gc.collect()
    assert first is not None
    assert first() is None  # what was dropped is given back


def test_only_the_look_of_a_frame_is_shown_its_guide_and_only_if_it_is_another(
    ascents: LookAscents, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    monkeypatch.setattr(Guide, "show", lambda _, image: shown.append(int(image[0, 0, 0])))
    clip = [np.full((2, 2, 3), number, np.uint8) for number in range(4)]
    picture = [np.full((2, 2, 3), 9, np.uint8)]
    nothing: list[Image8] = []
    guides = ascents.guided([iter(clip), iter(picture), iter(nothing)])
    for look in (0, 1, 1, 0, 2):
        guides.show(look)
    assert shown == [0, 9, 3]
