"""Making clips periodic."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import synthetic

from stream_dream.frame import Image8
from stream_dream.loop.clip_seam import best_span, bounced, faded, in_between, signature


def swinging(count: int, period: int) -> list[Image8]:
    """Return frames of a square that swings horizontally over a photo."""
    positions = 110 + 90 * np.sin(2 * np.pi * np.arange(count) / period)
    return [synthetic.passing_square(round(at)) for at in positions]


def signatures(frames: list[Image8]) -> np.ndarray:
    return np.stack([signature(frame) for frame in frames])


@pytest.mark.slow
def test_the_period_of_a_swing_is_found() -> None:
    span = best_span(signatures(swinging(60, 20)), shortest=12, longest=30, fade=4, cuts=[])
    assert span.stop - span.start == 20
    assert span.apart < 3


@pytest.mark.slow
def test_a_loop_joins_frames_that_also_move_alike() -> None:
    # Half a period later the square passes the middle again, in the other direction.
    frames = swinging(60, 20)
    span = best_span(signatures(frames), shortest=6, longest=14, fade=0, cuts=[])
    middle = [span.start % 20, span.stop % 20]
    assert span.apart > 3, middle


@pytest.mark.slow
def test_no_loop_crosses_a_cut_if_there_is_another() -> None:
    frames = swinging(44, 20)
    other = [255 - frame for frame in swinging(30, 25)]
    values = signatures(frames[:22] + other + frames[22:])
    free = best_span(values, shortest=30, longest=60, fade=2, cuts=[])
    assert free.stop - free.start == 50
    bound = best_span(values, shortest=25, longest=60, fade=2, cuts=[22, 52])
    assert not bound.crosses
    assert bound.start - 2 >= 22
    assert bound.stop <= 52
    forced = best_span(values, shortest=40, longest=60, fade=2, cuts=[22, 52])
    assert forced.crosses


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        best_span(signatures(swinging(10, 20)), shortest=9, longest=9, fade=2, cuts=[])


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_a_bounce_repeats_neither_end(count: int) -> None:
    frames = [np.full((2, 2, 3), number, np.uint8) for number in range(count)]
    numbers = [int(frame[0, 0, 0]) for frame in bounced(frames)]
    assert numbers == [*range(count), *range(count - 2, 0, -1)]
    assert all(here != there for here, there in pairwise(numbers))


def test_a_fade_leads_over_to_the_beginning() -> None:
    frames = [frame.image for frame in synthetic.pan(20, step=(3, 0))[0]]
    looped = faded(frames, 6)
    assert len(looped) == 14
    assert looped[0] is frames[6]
    # The last frame nearly equals the one before the first.
    before = np.abs(looped[-1].astype(int) - frames[5]).mean()
    assert before < np.abs(looped[-1].astype(int) - frames[19]).mean() / 3
    assert faded(frames, 0) == frames


def test_a_fade_also_moves_what_moves() -> None:
    first, second = synthetic.passing_square(100), synthetic.passing_square(112)
    middle = in_between(first, second, 0.5).astype(int)
    true = synthetic.passing_square(106).astype(int)
    plain = (first.astype(int) + second) / 2
    inside = np.s_[80:176, 90:220]
    assert np.abs(middle - true)[inside].mean() < 0.6 * np.abs(plain - true)[inside].mean()


def test_a_fade_starts_and_ends_with_its_pictures() -> None:
    first, second = synthetic.passing_square(100), synthetic.passing_square(112)
    assert np.abs(in_between(first, second, 0.0).astype(int) - first).max() <= 1
    assert np.abs(in_between(first, second, 1.0).astype(int) - second).max() <= 1
