"""What is dreamed while no camera frame comes: nothing jumps, and nothing stays behind."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic

from stream_dream.frame import Image8
from stream_dream.live.capture.fallback_picture import FallbackPicture

BLACK = np.zeros((120, 160, 3), np.uint8)


def jump(before: Image8, after: Image8) -> float:
    return float(np.abs(after.astype(int) - before.astype(int)).mean())


def test_the_last_picture_drifts_slowly() -> None:
    photo, fallback = synthetic.photo((160, 120)), FallbackPicture()
    assert fallback.fresh(photo, 1.0) is photo
    assert jump(photo, fallback.missing(1.2)) < 1
    assert jump(photo, fallback.missing(31.0)) > 4


@pytest.mark.parametrize(("lost", "fade"), [(0.08, 0.08), (0.6, 0.6), (60.0, 1.5)])
def test_it_fades_back_as_long_as_the_loss_lasted(lost: float, fade: float) -> None:
    fallback = FallbackPicture()
    fallback.fresh(np.full_like(BLACK, 200), 0.0)
    fallback.missing(0.1)
    found = 0.1 + lost
    fallback.missing(found)
    levels = [fallback.fresh(BLACK, found + share * fade).max() for share in (0, 0.5, 0.9, 1.01)]
    assert levels[0] == 200
    assert levels[1] == pytest.approx(100, abs=4)
    assert 0 < levels[2] < 40
    assert levels[3] == 0


def test_a_loss_in_the_middle_of_a_fade_does_not_jump() -> None:
    fallback = FallbackPicture()
    fallback.fresh(np.full_like(BLACK, 200), 0.0)
    fallback.missing(0.1)
    fallback.fresh(BLACK, 10.0)
    faded = fallback.fresh(BLACK, 10.75)
    assert jump(faded, fallback.missing(10.79)) < 2


def test_there_is_a_picture_before_the_first_one() -> None:
    assert FallbackPicture().missing(5.0).std() > 5


def test_nothing_jumps_from_the_first_picture_to_a_camera_that_is_back() -> None:
    fallback, photo, now = FallbackPicture(), synthetic.photo((160, 120)), 0.0
    fallback.missing(now)
    for _ in range(100):  # the substitute before the first picture fades out
        seen = fallback.fresh(photo, now)
        now += 0.04
    assert np.array_equal(seen, photo)
    before, steps = photo, []
    for _ in range(250):
        drifted = fallback.missing(now)
        steps.append(jump(before, drifted))
        before, now = drifted, now + 0.04
    assert max(steps) < 3
    other, steps = np.ascontiguousarray(photo[::-1]), []
    for _ in range(60):
        faded = fallback.fresh(other, now)
        steps.append(jump(before, faded))
        before, now = faded, now + 0.04
    assert np.array_equal(faded, other)
    assert max(steps) < jump(drifted, other) / 5


def test_a_camera_may_come_back_with_another_size() -> None:
    fallback = FallbackPicture()
    fallback.fresh(synthetic.photo((160, 120)), 0)
    fallback.missing(1)
    assert fallback.fresh(synthetic.photo((60, 40)), 2).shape == (40, 60, 3)
