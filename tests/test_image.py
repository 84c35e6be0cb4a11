"""Conversions and resizing."""

from __future__ import annotations

import numpy as np
import pytest

from stream_dream.image import add_residual, fit_size, resize, to_float


def test_to_float() -> None:
    levels = np.array([[[0, 51, 255]]], np.uint8)
    np.testing.assert_allclose(to_float(levels), [[[0, 0.2, 1]]], atol=1e-7)


def test_no_residual_no_change() -> None:
    image = np.random.default_rng(0).integers(0, 256, (45, 60, 3), np.uint8)
    np.testing.assert_array_equal(add_residual(image, np.zeros((9, 12, 3), np.float32)), image)


@pytest.mark.parametrize("shape", [(45, 60, 3), (9, 12, 3), (90, 120, 3)])
def test_the_residual_is_added_and_saturates(shape: tuple[int, int, int]) -> None:
    image = np.full((45, 60, 3), 200, np.uint8)
    assert (add_residual(image, np.full(shape, 0.1, np.float32)) == 226).all()
    assert (add_residual(image, np.full(shape, 0.9, np.float32)) == 255).all()
    assert (add_residual(image, np.full(shape, -0.9, np.float32)) == 0).all()


@pytest.mark.parametrize(
    ("display", "longer", "size"),
    [((1280, 720), 480, (480, 270)), ((100, 50), 480, (100, 50)), ((5, 4000), 480, (1, 480))],
)
def test_fit_size(display: tuple[float, float], longer: int, size: tuple[int, int]) -> None:
    assert fit_size(display, longer) == size


def test_resize() -> None:
    image = np.full((10, 20, 3), 77, np.uint8)
    for size in ((5, 5), (40, 31), (20, 10)):
        assert (resize(image, size) == 77).all()
        assert resize(image, size).shape == (size[1], size[0], 3)
