"""Moments: the settings of a frame between two looks."""

from __future__ import annotations

import numpy as np
import pytest
from programs import look

from stream_dream.automation.moment import Fade, Moment
from stream_dream.tone import room_of

SOURCE = np.random.default_rng(0).random((16, 24, 3), np.float32)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_settings_between_ascents_glide(share: float) -> None:
    before = look(evenness=0, catch_up=1, momentum=0.2, persistence=0.5, cadence=2)
    after = look(evenness=1, catch_up=3, momentum=0.6, persistence=0.9, cadence=3)
    grown = Fade(before, after, share).growth()
    assert grown.evenness == pytest.approx(share)
    assert grown.catch_up == pytest.approx(1 + 2 * share)
    assert grown.momentum == pytest.approx(0.2 + 0.4 * share)
    assert grown.persistence == pytest.approx(0.5 + 0.4 * share)
    assert grown.cadence == 3


def test_room_glides_between_two_limits() -> None:
    small, large = look(limit=0.1), look(limit=0.8)
    rooms = [Fade(small, large, share).room(SOURCE) for share in (0, 0.5, 1)]
    ups = [float(room.up.mean()) for room in rooms if room is not None]
    assert ups == sorted(ups)
    assert ups[0] < ups[1] < ups[2]
    for limit, room in ((0.1, rooms[0]), (0.8, rooms[2])):
        own = room_of(SOURCE, limit)
        assert own is not None
        assert room is not None
        np.testing.assert_allclose(room.up, own.up, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_fade_from_no_limit_is_finite(share: float) -> None:
    room = Fade(look(limit=None), look(limit=0.3), share).room(SOURCE)
    if room is not None:
        assert np.isfinite(room.up).all()
        assert np.isfinite(room.down).all()


def test_a_still_moment_is_one_look() -> None:
    dream = look()
    moment = Moment.still(dream)
    assert moment.fade.growth() is dream
    assert (moment.look, moment.strength, moment.mask_strength, moment.push) == (0, 1, 1, 0)
