"""Stills: the notebook's algorithm, rewritten step by step, and our additions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import synthetic
import tensorflow as tf
from numpy.typing import NDArray
from scipy import ndimage

from stream_dream.dream.ascent import Ascent
from stream_dream.dream.build import build_gradient
from stream_dream.dream.iterative_ascent import IterativeAscent, Step
from stream_dream.dream.octaves import octave_shapes
from stream_dream.frame import Shape
from stream_dream.image import to_float
from stream_dream.networks.registry import find
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.presets import load_preset
from stream_dream.still.dreamer import StillDreamer
from stream_dream.tone import without_large_areas

Make = Callable[..., DreamSettings]
F32 = NDArray[np.float32]

NOTEBOOK = {
    "octaves": 4,
    "octave_scale": 1.2,
    "steps": 5,
    "step_size": 0.005,
    "jitter": 0,
    "detail": 1,
    "colours": 0,
    "schedule": "restore",
    "gradient_norm": "mean_abs",
    "limit": None,
    "warm_up": 0,
    "max_loss": 10,
}


def zoomed(image: F32, shape: tuple[int, int]) -> F32:
    """Resize like the notebook."""
    factors = (shape[0] / image.shape[0], shape[1] / image.shape[1], 1)
    resized: F32 = ndimage.zoom(image, factors, order=1)
    return resized


def by_hand(
    source: F32, layers: dict[str, float], *, steps: int = 5, max_loss: float = np.inf
) -> F32:
    """Dream like the notebook, with a plain GradientTape."""
    model = find(synthetic.TINY).build(list(layers))
    height, width = source.shape[:2]
    shapes = [(int(height / 1.2**level), int(width / 1.2**level)) for level in (3, 2, 1, 0)]
    image, shrunk = source.copy(), zoomed(source, shapes[0])
    for shape in shapes:
        image = zoomed(image, shape)
        for _ in range(steps):
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
        original = zoomed(source, shape)
        image = image + original - zoomed(shrunk, shape)
        shrunk = original
    return np.clip(image, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(76, 60), (53, 79)])  # too small to be halved
def test_the_notebooks_loop_exactly(tiny: Make, size: tuple[int, int]) -> None:
    image = synthetic.photo(size)
    source = to_float(image)
    expected = by_hand(source, {"conv1": 0.5, "conv2": 2.0}, steps=1)
    own = {"steps": 1, "layer": ["conv1=0.5", "conv2=2"], "dream_size": max(size)}
    settings = tiny(**{**NOTEBOOK, **own})
    steps: list[Step] = []
    dream = StillDreamer(settings)(image, steps.append)
    assert steps[-1].octaves == 4
    np.testing.assert_allclose(np.clip(steps[-1].image, 0, 1), expected, atol=1e-4)
    assert np.abs(dream / 255 - expected).max() <= 0.5 / 255 + 1e-4
    rng = np.random.default_rng(0)
    ascended = Ascent(settings)(source, np.zeros_like(source), index=0, rng=rng)
    np.testing.assert_allclose(source + ascended.residual, expected, atol=1e-4)
    assert np.abs(expected - source).max() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("max_loss", [10, 0.004])
def test_the_notebooks_algorithm_by_hand(tiny: Make, max_loss: float) -> None:
    layers = {"conv1": 0.5, "conv2": 2.0}
    own = {"max_loss": max_loss, "layer": ["conv1=0.5", "conv2=2"], "dream_size": 120}
    settings = tiny(**{**NOTEBOOK, **own})
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
    # 0.01 of a range twice as wide.
    assert (preset.step_size, preset.gradient_norm, preset.max_loss) == (0.005, "mean_abs", 10)
    assert (preset.jitter, preset.schedule, preset.warm_up) == (0, "restore", 0)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["all", "together", "restore"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (300, 2)])
def test_tiny_pictures(tiny: Make, schedule: str, size: tuple[int, int]) -> None:
    image = np.full((size[1], size[0], 3), 100, np.uint8)
    dream = StillDreamer(tiny(schedule=schedule))(image)
    assert dream.shape == image.shape


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["all", "together", "restore"])
def test_step_size_zero_changes_nothing(tiny: Make, schedule: str) -> None:
    image = synthetic.photo((97, 61))
    dream = StillDreamer(tiny(schedule=schedule, step_size=0, octaves=3))(image)
    np.testing.assert_array_equal(dream, image)


def test_every_step_is_reported(tiny: Make) -> None:
    steps: list[Step] = []
    settings = tiny(octaves=2, octave_scale=1.5, steps=2, warm_up=2, schedule="all", dream_size=96)
    StillDreamer(settings)(synthetic.photo((96, 66)), steps.append)
    expected = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (1, 3)]
    assert [(step.octave, step.step) for step in steps] == expected
    assert [step.finished for step in steps] == [False, False, False, False, True] * 2
    shares = [step.share_done for step in steps if not step.finished]
    assert shares == [number / 8 for number in range(1, 9)]
    assert steps[0].image.shape == (44, 64, 3)
    assert steps[-1].image.shape == (66, 96, 3)


@pytest.mark.slow
@pytest.mark.parametrize("tile", [None, 48])
def test_octaves_dreamed_together_do_not_see_each_other(tiny: Make, tile: int | None) -> None:
    seed = to_float(synthetic.photo((90, 66)))
    coarse, fine = (33, 45), (66, 90)

    def changes(schedule: str, *ways: list[Shape]) -> list[F32]:
        settings = tiny(schedule=schedule, step_size=0.02, steps=2, tile=tile, limit=None)
        ascent, rng = (
            IterativeAscent(settings, build_gradient(settings)[0]),
            np.random.default_rng(0),
        )
        return [list(ascent(seed, way, rng))[-1].image - seed for way in ways]

    (together,) = changes("together", [coarse, fine])
    (in_turn,) = changes("all", [coarse, fine])
    each = changes("all", [coarse], [fine])
    np.testing.assert_allclose(together, each[0] + each[1], atol=1e-5)
    assert np.abs(in_turn - together).mean() > 0.05 * np.abs(together).mean()


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["all", "together", "restore"])
def test_a_still_keeps_to_the_limit(tiny: Make, schedule: str) -> None:
    image = synthetic.photo((96, 72))
    settings = tiny(schedule=schedule, octaves=3, octave_scale=1.3, steps=4, step_size=0.05)

    def strongest(limit: float | None) -> float:
        limited = settings.model_copy(update={"limit": limit, "dream_size": 96})
        dream = StillDreamer(limited)(image)
        return float(np.abs(dream.astype(int) - image).max()) / 255

    assert strongest(None) > 0.3
    assert 0.05 < strongest(0.1) <= 0.1 + 1 / 255


@pytest.mark.slow
def test_a_picture_is_enlarged_as_far_as_wanted(tiny: Make) -> None:
    def dreamed(**values: float) -> tuple[int, ...]:
        steps: list[Step] = []
        StillDreamer(tiny(step_size=0, **values))(synthetic.photo((64, 48)), steps.append)
        return steps[-1].image.shape[:2]

    assert dreamed(dream_size=1024) == (96, 128)
    assert dreamed(dream_size=100) == (75, 100)
    assert dreamed(dream_size=8192, enlarge=1) == (48, 64)
    assert {load_preset(name).dream.enlarge for name in ("google", "notebook")} == {1}


@pytest.mark.slow
def test_octaves_dreamed_together_emerge_one_upon_the_other(tiny: Make) -> None:
    steps: list[Step] = []

    def keep(step: Step) -> None:
        steps.append(replace(step, image=step.image.copy()))

    StillDreamer(tiny(schedule="together", octave_scale=1.5, steps=3, whitening=1))(
        synthetic.photo(), keep
    )
    # The end of an octave removes the change of large areas.
    grown = [np.abs(without_large_areas(step.image - step.original)).mean() for step in steps]
    assert steps[-1].octaves == 2
    assert np.diff(grown).min() > -0.1 * max(grown), "what was dreamed before is gone"


@pytest.mark.slow
def test_a_large_source_keeps_its_detail(tiny: Make) -> None:
    image = synthetic.photo((400, 300))
    dream = StillDreamer(tiny(dream_size=100, steps=3, step_size=0.01))(image)
    assert dream.shape == image.shape
    fine = image.astype(int) - np.roll(image, 1, 1)
    assert np.corrcoef((dream.astype(int) - np.roll(dream, 1, 1)).ravel(), fine.ravel())[0, 1] > 0.8


@pytest.mark.slow
def test_tiles_give_nearly_the_same_dream(tiny: Make) -> None:
    image = synthetic.photo((320, 240))
    whole, tiled = (
        StillDreamer(tiny(octaves=1, steps=4, tile=tile))(image).astype(int) - image
        for tile in (None, 96)
    )
    assert np.corrcoef(whole.ravel(), tiled.ravel())[0, 1] > 0.8
    assert 0.9 < np.abs(tiled).mean() / np.abs(whole).mean() < 1.1
