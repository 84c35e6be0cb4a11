"""Noise that a journey begins with."""

from __future__ import annotations

import numpy as np
import pytest

from stream_dream.image import resize
from stream_dream.temporal.start_noise import start_noise


def test_it_depends_on_the_seed_alone() -> None:
    one, same, other = (start_noise((80, 48), seed) for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_it_is_colourful_and_neither_dark_nor_glaring() -> None:
    image = start_noise((160, 90), 0).astype(float)
    assert 90 < image.mean() < 140
    assert 30 < image.std() < 70
    assert np.ptp(image, axis=-1).mean() > 10
    assert ((image == 0) | (image == 255)).mean() < 0.05


def test_it_has_structure_at_all_scales_and_no_grain() -> None:
    grey = start_noise((128, 128), 0).mean(axis=-1)
    neighbours = np.corrcoef(grey[:, :-1].ravel(), grey[:, 1:].ravel())[0, 1]
    far = np.corrcoef(grey[:, :-64].ravel(), grey[:, 64:].ravel())[0, 1]
    assert neighbours > 0.9
    assert abs(far) < 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (33, 2)])
def test_it_fills_any_shape(shape: tuple[int, int]) -> None:
    image = start_noise(shape[::-1], 0)
    assert image.shape == (*shape, 3)
    assert image.dtype == np.uint8


def test_it_shows_the_same_at_any_size() -> None:
    small, large = (start_noise((side, side * 9 // 16), 3) for side in (240, 960))
    same = np.corrcoef(resize(large, (240, 135)).ravel(), small.ravel())[0, 1]
    assert same > 0.95
