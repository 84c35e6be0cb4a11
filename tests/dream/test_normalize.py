"""Steps made of gradients: frequency bands, evenness, colours, lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import synthetic
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.ascent import Ascent
from stream_dream.dream.normalize import by_laplacian, in_colours, normalizer, palettes_of
from stream_dream.dream.octaves import octave_shapes, step_share
from stream_dream.frame import ImageF
from stream_dream.image import to_float
from stream_dream.settings.dream import DreamSettings

Make = Callable[..., DreamSettings]
Array = NDArray[np.float32]
SHAPE = (128, 160)
GOLD, GREY = (0.8, 0.6, 0.15), (0.5, 0.5, 0.5)
NORMS = ("laplacian", "std", "mean_abs")


def gradients(seed: int = 0) -> Array:
    """Return coloured noise of all scales, mostly fine, and stronger on the left."""
    rng = np.random.default_rng(seed)
    total = np.zeros((*SHAPE, 3), np.float32)
    for scale, strength in ((1, 1.0), (2, 0.5), (4, 0.3), (8, 0.2), (16, 0.1)):
        small = (SHAPE[1] // scale, SHAPE[0] // scale)
        noise = rng.normal(0, strength, (*small[::-1], 3)).astype(np.float32)
        total += cv2.resize(noise, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
    total *= np.linspace(3, 0.5, SHAPE[1], dtype=np.float32)[None, :, None]
    return total * np.float32(1e-5)


def coloured(colour: tuple[float, float, float]) -> Array:
    return np.broadcast_to(np.float32(colour), (*SHAPE, 3)).copy()


def palette(source: ImageF) -> tf.Tensor:
    return tf.image.resize(palettes_of(tf.constant(source[None])), source.shape[:2])


def step(
    gradient: Array, settings: DreamSettings, *, source: ImageF | None = None, length: float = 0.01
) -> Array:
    palettes = palette(coloured(GREY) if source is None else source)
    lengths = tf.fill((1, 1, 1, 1), tf.constant(length, tf.float32))
    return np.asarray(normalizer(settings)(tf.constant(gradient[None]), lengths, palettes))[0]


def shaped(gradient: Array, **values: float) -> Array:
    return np.asarray(by_laplacian(tf.constant(gradient[None]), **values))[0]


def rms(values: Array) -> float:
    return float(np.sqrt(np.square(values).mean()))


def bands(image: Array) -> list[float]:
    """Return the strength of each frequency band of an octave, fine to coarse."""
    found, rest = [], image
    for sigma in (1.0, 2.0, 4.0):
        blurred = np.asarray(cv2.GaussianBlur(rest, (0, 0), sigma), np.float32)
        found.append(rms(rest - blurred))
        rest = blurred
    return [*found, rms(rest - rest.mean(axis=(0, 1)))]


def unevenness(image: Array) -> float:
    """Return how much strength varies across the image."""
    energy = cv2.resize(np.square(image).sum(-1), (10, 8), interpolation=cv2.INTER_AREA)
    return float(np.std(np.log(energy)))


@pytest.mark.slow
def test_whitening_brings_bands_to_the_same_strength() -> None:
    plain = bands(gradients())
    none, half, whole = (bands(shaped(gradients(), whitening=value)) for value in (0, 0.5, 1))
    # Without whitening only the mean of the gradient changes.
    np.testing.assert_allclose(
        shaped(gradients(), whitening=0),
        gradients() - gradients().mean(axis=(0, 1)),
        atol=5e-7,
    )
    spread = [max(found) / min(found) for found in (plain, none, half, whole)]
    assert spread[0] == pytest.approx(spread[1], rel=0.05)
    assert spread[1] > spread[2] > spread[3]
    # The coarsest band gains most.
    coarse = [found[-1] / found[0] for found in (none, half, whole)]
    assert coarse[0] < coarse[1] < coarse[2]


def test_evenness_weakens_strong_areas_and_lifts_weak_ones() -> None:
    found = [
        unevenness(shaped(gradients(), whitening=0.7, evenness=value)) for value in (0, 0.5, 1)
    ]
    assert found[0] > 1.05 * found[1]
    assert found[1] > 1.05 * found[2]


def test_the_finest_band_is_not_evened() -> None:
    fine = np.random.default_rng(0).normal(0, 1, (*SHAPE, 3)).astype(np.float32)
    fine -= cv2.GaussianBlur(fine, (0, 0), 1)
    fine *= np.linspace(3, 0.5, SHAPE[1], dtype=np.float32)[None, :, None]
    none, whole = (shaped(fine, whitening=0, evenness=value) for value in (0, 1))
    assert np.corrcoef(none.ravel(), whole.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("values", [{}, {"evenness": 1.0}, {"whitening": 0.5, "evenness": 0.5}])
@pytest.mark.parametrize("shape", [(128, 160), (40, 24), (9, 9), (1, 1), (3, 90)])
def test_empty_gradients_stay_empty(values: dict[str, float], shape: tuple[int, int]) -> None:
    assert not np.asarray(by_laplacian(tf.zeros((2, *shape, 3)), **values)).any()


@pytest.mark.parametrize("norm", NORMS)
def test_steps_are_as_long_as_wanted_whatever_the_gradient(tiny: Make, norm: str) -> None:
    settings = tiny(gradient_norm=norm, whitening=0.7, evenness=0.6, colours=0.7)
    once, often = step(gradients(), settings), step(1000 * gradients(), settings)
    np.testing.assert_allclose(once, often, atol=1e-4)
    double = step(gradients(), settings, length=0.02)
    np.testing.assert_allclose(double, 2 * once, atol=1e-6)
    size = np.abs(once).mean() if norm == "mean_abs" else rms(once - once.mean())
    assert size == pytest.approx(0.01, rel=0.02)
    assert not step(gradients(), settings, length=0).any()


@pytest.mark.parametrize("norm", NORMS)
def test_each_of_a_batch_is_shaped_for_itself(tiny: Make, norm: str) -> None:
    settings = tiny(gradient_norm=norm, whitening=0.7, evenness=0.6, colours=0.7)
    both = np.stack([gradients(0), 50 * gradients(1)])
    sources = np.stack([coloured(GOLD), coloured(GREY)])
    palettes = tf.concat([palette(source) for source in sources], axis=0)
    lengths = tf.reshape(tf.constant([0.01, 0.03]), (2, 1, 1, 1))
    found = np.asarray(normalizer(settings)(tf.constant(both), lengths, palettes))
    for one, gradient, source, length in zip(found, both, sources, (0.01, 0.03), strict=True):
        alone = step(gradient, settings, source=source, length=length)
        np.testing.assert_allclose(one, alone, atol=1e-6)


def test_a_palette_is_the_colour_of_the_surroundings() -> None:
    source = coloured(GREY)
    source[:, 80:] = GOLD
    found = np.asarray(palette(source))[0]
    np.testing.assert_allclose(found[64, 20], 1, atol=1e-5)
    red, green, blue = found[64, 140]
    assert red > green > 1 > blue
    assert blue < 0.5
    # Equally strong everywhere, also in dark areas.
    np.testing.assert_allclose(np.square(found[64, [20, 140]]).mean(axis=-1), 1, atol=1e-4)
    np.testing.assert_allclose(np.asarray(palette(np.zeros_like(source))), 1, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (200, 3)])
def test_palettes_of_small_pictures(shape: tuple[int, int]) -> None:
    found = np.asarray(palette(np.full((*shape, 3), 0.2, np.float32)))
    assert found.shape == (1, *shape, 3)
    np.testing.assert_allclose(found, 1, atol=1e-5)


def noise() -> Array:
    return np.random.default_rng(0).normal(0, 1, (*SHAPE, 3)).astype(np.float32)


def main_colour(values: Array) -> tuple[Array, float]:
    """Return the main axis of colour variation, and its share of the variance."""
    found, vectors = np.linalg.eigh(np.cov(values.reshape(-1, 3).T))
    vector = vectors[:, -1] * np.sign(vectors[:, -1].sum())
    return vector.astype(np.float32), float(found[-1] / found.sum())


def test_colours_zero_keeps_the_gradients_own_colours() -> None:
    found = np.asarray(in_colours(tf.constant(noise()[None]), palette(coloured(GOLD)), 0))[0]
    np.testing.assert_allclose(found, noise(), atol=1e-6)


@pytest.mark.parametrize("colour", [GREY, GOLD, (0.1, 0.5, 0.1)])
def test_colours_one_gives_those_of_the_picture(colour: tuple[float, float, float]) -> None:
    shares = []
    for share in (0, 0.5, 1):
        steps = in_colours(tf.constant(noise()[None]), palette(coloured(colour)), share)
        vector, of_all = main_colour(np.asarray(steps)[0])
        shares.append(of_all)
    assert shares[0] < 0.4 < shares[1] < shares[2]
    # Natural pictures vary mostly in brightness.
    assert shares[2] > 0.9
    wanted = np.float32(colour) / np.linalg.norm(colour)
    assert vector @ wanted > 0.97


def test_steps_take_the_local_colour() -> None:
    source = coloured(GREY)
    source[:, 80:] = GOLD
    steps = np.asarray(in_colours(tf.constant(noise()[None]), palette(source), 1))[0]
    grey, gold = (np.abs(part).mean(axis=(0, 1)) for part in (steps[:, :70], steps[:, 90:]))
    assert grey.max() < 1.2 * grey.min()
    assert gold[0] > gold[1] > 2 * gold[2]


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_colours_never_turn_a_step_against_the_gradient(share: float) -> None:
    rng = np.random.default_rng(0)
    sources = rng.uniform(0, 1, (4, 24, 32, 3)).astype(np.float32)
    sources[0], sources[1, :12] = 0, (1, 0, 0)
    palettes = tf.image.resize(palettes_of(tf.constant(sources)), (24, 32))
    steps = rng.normal(0, 1, sources.shape).astype(np.float32)
    found = np.asarray(in_colours(tf.constant(steps), palettes, share))
    assert ((found * steps).sum(axis=-1) > 0).all()
    # Symmetric.
    others = rng.normal(0, 1, sources.shape).astype(np.float32)
    of_others = np.asarray(in_colours(tf.constant(others), palettes, share))
    np.testing.assert_allclose((found * others).sum(-1), (of_others * steps).sum(-1), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("values", [{"colours": 1}, {"keep_colours": True}])
def test_the_objective_rises_in_all_colours(tiny: Make, values: dict[str, Any]) -> None:
    source = to_float(synthetic.photo((64, 48)))
    settings = tiny(steps=5, step_size=0.01, octaves=1, **values)
    ascent, rng = Ascent(settings), np.random.default_rng(0)
    residual, _ = ascent(source, np.zeros_like(source), index=0, rng=rng)
    assert ascent.loss(source + residual) > 1.02 * ascent.loss(source)


@pytest.mark.parametrize("norm", NORMS)
def test_kept_colours_make_steps_grey(tiny: Make, norm: str) -> None:
    settings = tiny(gradient_norm=norm, keep_colours=True, colours=0.7)
    found = step(gradients(), settings, source=coloured(GOLD))
    assert found.any()
    np.testing.assert_array_equal(found[..., 0], found[..., 1])
    np.testing.assert_array_equal(found[..., 0], found[..., 2])


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["together", "all", "rotate", "restore"])
def test_kept_colours_are_those_of_the_source(tiny: Make, schedule: str) -> None:
    # Only where nothing is clipped to black or white.
    source = 0.3 + 0.4 * to_float(synthetic.photo((64, 48)))
    settings = tiny(keep_colours=True, schedule=schedule, step_size=0.01, detail=1)
    residual, _ = Ascent(settings)(
        source, np.zeros_like(source), index=0, rng=np.random.default_rng(0)
    )
    dream = (source + residual).astype(np.float32)
    of_dream, of_source = (cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb) for image in (dream, source))
    # The schedule restore resizes each channel down and up.
    changed = np.abs(of_dream - of_source).mean(axis=(0, 1))
    assert changed[0] > 0.005
    assert changed[1:].max() < 1e-5


def test_detail_is_the_length_of_the_finest_steps(tiny: Make) -> None:
    settings = tiny(octaves=4, octave_scale=1.4, detail=0.5)
    whole = (240, 320)
    shapes = octave_shapes(whole, 4, 1.4, 8)
    shares = [step_share(shape, whole, settings) for shape in shapes]
    np.testing.assert_allclose(shares, [1, 0.5 ** (1 / 3), 0.5 ** (2 / 3), 0.5], rtol=1e-6)


@pytest.mark.parametrize("octaves", [1, 3])
def test_detail_one_makes_all_steps_equally_long(tiny: Make, octaves: int) -> None:
    settings = tiny(octaves=octaves, octave_scale=2, detail=1)
    shapes = octave_shapes((100, 60), octaves, 2, 4)
    assert [step_share(shape, (100, 60), settings) for shape in shapes] == [1] * octaves


def test_a_picture_enlarged_for_the_network_has_the_finest_steps(tiny: Make) -> None:
    settings = tiny(octaves=4, octave_scale=1.4, detail=0.5)
    assert step_share((75, 75), (2, 2), settings) == 0.5
    assert step_share((1, 1), (240, 320), settings) == 1


def test_one_octave_alone_is_the_coarsest(tiny: Make) -> None:
    assert step_share((240, 320), (240, 320), tiny(octaves=1, detail=0.5)) == 1
