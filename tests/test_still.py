"""Stills: the notebook's algorithm, step by step by hand, and what surrounds it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import synthetic
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.octaves import octave_shapes
from stream_dream.dream.still import StillDreamer
from stream_dream.dream.walk import Step
from stream_dream.image import to_float
from stream_dream.networks.registry import find
from stream_dream.presets import load_preset
from stream_dream.settings import DreamSettings

Make = Callable[..., DreamSettings]
F32 = NDArray[np.float32]

NOTEBOOK = {
    "octaves": 4,
    "octave_scale": 1.2,
    "steps": 5,
    "step_size": 0.005,
    "jitter": 0,
    "schedule": "restore",
    "gradient_norm": "mean_abs",
    "warm_up": 0,
    "max_loss": 10,
}


def bilinear(image: F32, shape: tuple[int, int]) -> F32:
    """Resize with half-pixel centres and repeated edges, in NumPy."""
    for axis, length in enumerate(shape):
        where = (np.arange(length) + 0.5) * image.shape[axis] / length - 0.5
        where = np.clip(where, 0, image.shape[axis] - 1)
        low = np.floor(where).astype(int)
        high = np.minimum(low + 1, image.shape[axis] - 1)
        share = (where - low).reshape([-1 if a == axis else 1 for a in range(3)])
        image = np.take(image, low, axis) * (1 - share) + np.take(image, high, axis) * share
    return image.astype(np.float32)


def by_hand(source: F32, layers: dict[str, float], *, max_loss: float) -> F32:
    """Dream as the notebook does, with a plain GradientTape."""
    model = find(synthetic.TINY).build(list(layers))
    height, width = source.shape[:2]
    shapes = [(int(height / 1.2**level), int(width / 1.2**level)) for level in (3, 2, 1, 0)]
    image = shrunk = bilinear(source, shapes[0])
    for shape in shapes:
        image = bilinear(image, shape)
        for _ in range(5):
            variable = tf.constant(image)
            with tf.GradientTape() as tape:
                tape.watch(variable)
                acts = model(variable[None])
                acts = acts if isinstance(acts, list) else [acts]
                loss = tf.add_n(
                    [
                        weight
                        * tf.reduce_sum(tf.square(act[:, 2:-2, 2:-2, :]))
                        / float(tf.size(act))
                        for act, weight in zip(acts, layers.values(), strict=True)
                    ]
                )
            gradient = tape.gradient(loss, variable).numpy()
            if float(loss) > max_loss:
                break
            image = image + 0.005 * gradient / max(np.abs(gradient).mean(), 1e-7)
        original = bilinear(source, shape)
        image = image + original - bilinear(shrunk, shape)
        shrunk = original
    return np.clip(image, 0, 1)


@pytest.mark.real
@pytest.mark.parametrize("max_loss", [10, 0.004])
def test_the_notebooks_algorithm_by_hand(tiny: Make, max_loss: float) -> None:
    layers = {"conv1": 0.5, "conv2": 2.0}
    settings = tiny(**{**NOTEBOOK, "max_loss": max_loss, "layer": ["conv1=0.5", "conv2=2"]})
    image = synthetic.photo((120, 90))
    losses = []
    dream = StillDreamer(settings)(image, lambda step: losses.append(step.loss))
    expected = by_hand(to_float(image), layers, max_loss=max_loss)
    if max_loss < 1:
        assert max(losses) > max_loss, "it never had to stop"
    assert np.abs(dream / 255 - expected).max() <= 1 / 255 + 1e-6
    assert np.abs(dream.astype(int) - image).mean() > 1


def test_the_notebooks_sizes() -> None:
    assert octave_shapes((575, 1024), 10, 1.2, 1) == (
        *((111, 198), (133, 238), (160, 285), (192, 342), (231, 411)),
        *((277, 493), (332, 592), (399, 711), (479, 853), (575, 1024)),
    )


def test_the_notebooks_preset() -> None:
    preset = load_preset("notebook").dream
    assert preset.network == "inception_v1"
    assert [str(layer) for layer in preset.layer] == ["Mixed_4c_Concatenated"]
    assert (preset.octaves, preset.octave_scale, preset.steps) == (10, 1.2, 10)
    # 0.01 of a range that is twice as long.
    assert (preset.step_size, preset.gradient_norm, preset.max_loss) == (0.005, "mean_abs", 10)
    assert (preset.jitter, preset.schedule, preset.warm_up) == (0, "restore", 0)


@pytest.mark.real
@pytest.mark.parametrize("schedule", ["all", "restore"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (300, 2)])
def test_tiny_pictures(tiny: Make, schedule: str, size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 100, np.uint8)
    dream = StillDreamer(tiny(schedule=schedule))(image)
    assert dream.shape == image.shape


@pytest.mark.parametrize("schedule", ["all", "restore"])
def test_step_size_zero_changes_nothing(tiny: Make, schedule: str) -> None:
    image = synthetic.photo((97, 61))
    dream = StillDreamer(tiny(schedule=schedule, step_size=0, octaves=3))(image)
    np.testing.assert_array_equal(dream, image)


def test_every_step_is_told(tiny: Make) -> None:
    steps: list[Step] = []
    settings = tiny(octaves=2, octave_scale=1.5, steps=2, warm_up=1, schedule="all")
    StillDreamer(settings)(synthetic.photo((96, 66)), steps.append)
    expected = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (1, 3)]
    assert [(step.octave, step.step) for step in steps] == expected
    assert [step.finished for step in steps] == [False, False, False, False, True] * 2
    assert steps[0].image.shape == (44, 64, 3)
    assert steps[-1].image.shape == (66, 96, 3)


def test_a_large_source_keeps_its_detail(tiny: Make) -> None:
    image = synthetic.photo((400, 300))
    dream = StillDreamer(tiny(dream_size=100, steps=3))(image)
    assert dream.shape == image.shape
    fine = image.astype(int) - np.roll(image, 1, 1)
    assert np.corrcoef((dream.astype(int) - np.roll(dream, 1, 1)).ravel(), fine.ravel())[0, 1] > 0.8


@pytest.mark.real
def test_tiles_dream_much_the_same(tiny: Make) -> None:
    image = synthetic.photo((320, 240))
    whole, tiled = (
        StillDreamer(tiny(octaves=1, steps=4, tile=tile))(image).astype(int) - image
        for tile in (None, 96)
    )
    assert np.corrcoef(whole.ravel(), tiled.ravel())[0, 1] > 0.8
    assert 0.9 < np.abs(tiled).mean() / np.abs(whole).mean() < 1.1
