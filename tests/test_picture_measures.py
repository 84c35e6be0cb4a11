"""The measures of what makes a dream worth looking at."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic import photo

SHAPE = (96, 120, 3)


@pytest.fixture(scope="module")
def measures() -> ModuleType:
    path = Path(__file__).parents[1] / "scripts" / "picture_measures.py"
    spec = importlib.util.spec_from_file_location("picture_measures", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grey(level: float = 0.5) -> NDArray[np.float32]:
    return np.full(SHAPE, level, np.float32)


def noise(scale: float, channels: int = 3) -> NDArray[np.float32]:
    made = np.random.default_rng(0).normal(0, scale, (*SHAPE[:2], channels))
    return np.broadcast_to(made, SHAPE).astype(np.float32)


def test_values_at_the_ends_of_the_range_are_burnt(measures: ModuleType) -> None:
    dream = grey()
    dream[:24, :, 1] = 1  # one channel of a quarter of the pixels
    dream[24:48, :, 0] = 0.01  # three levels above 0
    assert measures.burnt(grey(), grey()) == 0
    assert measures.burnt(grey(), dream) == pytest.approx(0.25)
    assert measures.burnt(dream, dream) == 0  # values burnt in the source do not count
    levels = np.rint(dream * 255).astype(np.uint8)
    assert measures.burnt(np.full(SHAPE, 128, np.uint8), levels) == pytest.approx(0.25)


def test_an_even_dream_has_evenness_near_one(measures: ModuleType) -> None:
    assert measures.evenness(grey(), grey() + noise(0.1)) > 0.9
    patchy = noise(0.1)
    patchy[:, 40:] *= 0.1
    assert measures.evenness(grey(), grey() + patchy) < 0.2
    assert measures.evenness(grey(), grey()) == 0


def test_grey_residuals_have_all_their_share_in_luma(measures: ModuleType) -> None:
    assert measures.luma_share(grey(), grey() + noise(0.1, channels=1)) == pytest.approx(1)
    assert measures.luma_share(grey(), grey() + noise(0.1)) == pytest.approx(1 / 3, abs=0.02)
    assert measures.luma_share(grey(), grey()) == 0


def test_pictures_of_either_type_give_the_same(measures: ModuleType) -> None:
    source = photo()
    dream = 255 - source
    floats = [(image / 255).astype(np.float32) for image in (source, dream)]
    for measure in (measures.burnt, measures.evenness, measures.luma_share):
        assert measure(source, dream) == pytest.approx(measure(*floats), rel=1e-4)


def test_strength_is_how_much_the_objective_has_grown(measures: ModuleType) -> None:
    def objective(image: NDArray[np.float32]) -> float:
        return float(image.mean())

    assert measures.strength(grey(0.25), grey(0.75), objective) == pytest.approx(3)


def test_windows_overlap_by_half(measures: ModuleType) -> None:
    image = np.zeros(SHAPE, np.uint8)
    image[:, 60:] = 255
    found = list(measures.windows(image, 6))  # of 20 pixels, every 10
    assert len(found) == 8 * 11
    assert {window.shape for window in found} == {(192, 192, 3)}
    means = [round(float(window.mean()) / 255, 1) for window in found[:11]]
    assert means == [0] * 5 + [0.5] + [1] * 5


@pytest.mark.slow
def test_a_cat_is_clear_and_plain_grey_is_not(measures: ModuleType) -> None:
    # Windows of 1/6 show one cat each, those of 1/4 one and a half.
    cats = np.tile(photo((60, 60)), (6, 6, 1))
    assert measures.clarity([cats]) > 0.2
    assert measures.clarity([np.full((120, 120, 3), 128, np.uint8)]) == 0
