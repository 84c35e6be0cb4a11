"""Cut detection."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import synthetic
from skimage import data

from stream_dream.frame import Frame
from stream_dream.temporal.cuts import mark_cuts


def cuts(images: list[np.ndarray]) -> list[int]:
    frames = [Frame(image, i) for i, image in enumerate(images)]
    marked = list(mark_cuts(iter(frames), Fraction(25)))
    assert [frame.index for frame in marked] == list(range(len(images)))
    return [frame.index for frame in marked if frame.cut]


def other_shot(count: int) -> list[np.ndarray]:
    rocket = data.astronaut()[100:220, 100:260]
    return [np.roll(rocket, i, axis=1) for i in range(count)]


def test_a_cut_is_found_where_it_is() -> None:
    first = [frame.image for frame in synthetic.pan(20)[0]]
    assert cuts(first + other_shot(20)) == [20]


def test_fast_movement_is_no_cut() -> None:
    assert cuts([frame.image for frame in synthetic.pan(30, step=(12, 6))[0]]) == []


def test_a_still_picture_has_no_cut() -> None:
    assert cuts([frame.image for frame in synthetic.still(12)]) == []


def test_short_streams_keep_all_frames() -> None:
    for count in (0, 1, 2, 3):
        assert cuts([synthetic.photo()] * count) == []
