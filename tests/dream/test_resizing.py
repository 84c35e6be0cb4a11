"""Resizing with aligned corners, against SciPy's zoom, which the Keras notebook uses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from stream_dream.dream import graph_ascent
from stream_dream.frame import Shape
from stream_dream.image import resize_by_corners

F32 = NDArray[np.float32]
Resize = Callable[[F32, Shape], F32]

PAIRS: list[tuple[Shape, Shape]] = [
    ((60, 76), (72, 91)),
    ((60, 76), (50, 63)),
    ((61, 77), (203, 31)),
    ((31, 203), (77, 61)),
    ((200, 130), (7, 5)),
    ((7, 5), (200, 130)),
    ((40, 30), (40, 37)),
    ((40, 30), (33, 30)),
    ((40, 30), (40, 30)),
    ((20, 30), (1, 1)),
    ((20, 30), (1, 45)),
    ((1, 1), (9, 8)),
    ((1, 9), (5, 1)),
    ((2, 3), (2, 2)),
    ((2, 2), (65, 129)),
    ((900, 12), (1300, 9)),
]


def noise(shape: Shape) -> F32:
    return np.random.default_rng(shape).random((*shape, 3), dtype=np.float32)


def zoomed(image: F32, shape: Shape, mode: str = "nearest") -> F32:
    """Resize with SciPy; its default mode, ``constant``, blackens an edge at some sizes."""
    factors = (shape[0] / image.shape[0], shape[1] / image.shape[1], 1)
    resized: F32 = ndimage.zoom(image, factors, order=1, mode=mode)
    return resized


def in_tensorflow(image: F32, shape: Shape) -> F32:
    resized: F32 = graph_ascent.resize_by_corners(image[None], shape)[0]
    return np.asarray(resized)


@pytest.mark.parametrize("resized", [resize_by_corners, in_tensorflow])
@pytest.mark.parametrize(("have", "wanted"), PAIRS)
def test_resizing_equals_scipys_zoom(resized: Resize, have: Shape, wanted: Shape) -> None:
    image = noise(have)
    kept = image.copy()
    found = resized(image, wanted)
    assert found.dtype == np.float32
    assert found.shape == (*wanted, 3)
    np.testing.assert_allclose(found, zoomed(image, wanted), atol=1e-6)
    np.testing.assert_array_equal(image, kept)


def test_no_edge_is_black() -> None:
    image = np.ones((44, 40, 3), np.float32)
    lost = [side for side in range(1, 200) if not zoomed(image, (side, 40), "constant").all()]
    assert lost
    for side in lost:
        assert resize_by_corners(image, (side, 40)).all()
        assert in_tensorflow(image, (side, 40)).all()
