"""Gradients of halves and tiles against the gradient of the whole."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import keras
import numpy as np
import pytest
import synthetic
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.build import build_gradient
from stream_dream.dream.gradient import Gradient
from stream_dream.dream.objective import LayerEnergy, Seen
from stream_dream.errors import NetworkError, SettingsError
from stream_dream.frame import ImageF
from stream_dream.image import to_float
from stream_dream.settings.dream import DreamSettings

Make = Callable[..., DreamSettings]

TILE = 96


@pytest.fixture
def gradient(tiny: Make) -> Gradient:
    return build_gradient(tiny(layer=["conv1", "conv2=0.5"]))[0]


@pytest.fixture
def image() -> ImageF:
    return to_float(synthetic.photo((400, 320)))


class FirstGrid:
    """Random numbers that place the grid of tiles at its first position."""

    def integers(self, low: int, high: int) -> int:
        """Return the lowest number: the first line, no jitter."""
        return high - 1 if low else low


class FarthestGrid:
    """Random numbers that place the grid of tiles and the network's lattice last."""

    def integers(self, low: int, high: int) -> int:
        """Return the highest number."""
        return high - 1


@pytest.mark.slow
def test_tiles_give_the_gradient_of_the_whole(gradient: Gradient, image: ImageF) -> None:
    whole, loss = gradient.of_any_size(tf.constant(image))
    tiled, tiled_loss = gradient.in_tiles(image, TILE, FirstGrid())  # type: ignore[arg-type]
    # Each position counts in one tile, with most of its receptive field.
    assert tiled_loss == pytest.approx(float(loss), rel=0.01)
    difference = np.abs(tiled - whole.numpy()).max(axis=2)
    core = TILE - 4 * gradient.stride
    away = np.ones(image.shape[:2], bool)
    for axis, length in enumerate(image.shape[:2]):
        near = [edge for edge in range(core, length, core)]
        for edge in near:
            np.moveaxis(away, axis, 0)[edge - 16 : edge + 16] = False
    assert away.mean() > 0.2
    assert difference[away].max() < 1e-4 * np.abs(whole).max()
    assert difference[~away].max() < np.abs(whole).max()


@pytest.mark.slow
def test_the_mean_over_grids_is_even(gradient: Gradient, image: ImageF) -> None:
    rng = np.random.default_rng(0)
    whole = gradient.of_any_size(tf.constant(image))[0].numpy()
    mean = np.mean([gradient.in_tiles(image, TILE, rng)[0] for _ in range(12)], axis=0)
    assert np.corrcoef(mean.ravel(), whole.ravel())[0, 1] > 0.99
    # On average each row and column of tiles is as strong as in the whole.
    for axes in ((1, 2), (0, 2)):
        found, expected = (np.abs(part).mean(axis=axes)[16:-16] for part in (mean, whole))
        inner = np.convolve(found / expected, np.ones(8) / 8, "valid")
        assert inner.min() > 0.9
        assert inner.max() < 1.1


class Share:
    """An objective: the share of positions that count, with the border crop."""

    layers = ("map",)

    def __call__(self, seen: Mapping[str, Seen]) -> tf.Tensor:
        """Return the share; it contains the activations so that it has a gradient."""
        act, counted, positions = seen["map"]
        share = tf.ones_like(act[..., :1]) * counted + 0 * act
        return tf.reduce_sum(share, axis=(1, 2, 3)) / positions


def counting(*convolutions: tuple[int, int], padding: str) -> Gradient:
    """Build a network of convolutions (kernel, stride) whose objective counts positions."""
    image = x = keras.Input((None, None, 3))
    for kernel, stride in convolutions:
        x = keras.layers.Conv2D(1, kernel, stride, padding=padding)(x)
    total = math.prod(stride for _, stride in convolutions)
    return Gradient(keras.Model(image, x), Share(), {"map": total})


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("convolutions", "size", "tile"),
    [
        (((3, 2), (3, 1), (3, 1), (3, 1)), (120, 96), 64),
        (((5, 1), (5, 1), (5, 1)), (100, 70), 48),
        (((7, 2), (3, 2), (3, 2)), (240, 200), 128),
        (((3, 2), (3, 2), (3, 2)), (300, 24), 96),
    ],
)
def test_each_position_counts_once(
    convolutions: tuple[tuple[int, int], ...], size: tuple[int, int], tile: int, padding: str
) -> None:
    gradient = counting(*convolutions, padding=padding)
    image = np.zeros((size[1], size[0], 3), np.float32)
    _, whole = gradient.of_any_size(tf.constant(image))
    halves = tf.function(gradient.in_halves)(tf.constant(image[None]))[1][0]
    assert float(halves) == pytest.approx(float(whole), rel=1e-5)
    rng = np.random.default_rng(0)
    for _ in range(4):
        _, tiles = gradient.in_tiles(image, tile, rng)
        assert tiles == pytest.approx(float(whole), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(300, 17), (17, 300), (131, 99)])
def test_each_position_counts_once_at_odd_sizes(size: tuple[int, int]) -> None:
    gradient = counting((3, 2), (3, 2), (3, 2), padding="same")
    image = np.zeros((*size, 3), np.float32)
    _, whole = gradient.of_any_size(tf.constant(image))
    rng = np.random.default_rng(0)
    for _ in range(4):
        _, tiles = gradient.in_tiles(image, 64, rng)
        assert tiles == pytest.approx(float(whole), rel=1e-5)


@pytest.mark.slow
def test_the_lattice_may_be_shifted_by_more_than_a_tile(gradient: Gradient, image: ImageF) -> None:
    whole, _ = gradient.of_any_size(tf.constant(image))
    found, _ = gradient.in_tiles(image, TILE, FarthestGrid(), jitter=2 * TILE)  # type: ignore[arg-type]
    assert np.corrcoef(found.ravel(), whole.numpy().ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_one_trace_is_enough_for_all_sizes(gradient: Gradient) -> None:
    def spread(values: NDArray[np.float32]) -> float:
        return float(np.abs(values).max())

    for size in ((64, 48), (50, 70), (33, 20)):
        picture = tf.constant(to_float(synthetic.photo(size)))
        expected, loss = tf.function(gradient.whole, autograph=False)(picture)
        found, found_loss = gradient.of_any_size(picture)
        assert spread(found - expected) < 1e-4 * spread(expected)
        assert float(found_loss) == pytest.approx(float(loss), rel=1e-4)
    assert gradient.of_any_size.experimental_get_tracing_count() == 1


def test_tiles_that_are_too_small_are_refused(gradient: Gradient, image: ImageF) -> None:
    with pytest.raises(SettingsError, match=r"too small for the layers in use: give at least 20$"):
        gradient.in_tiles(image, 16, np.random.default_rng(0))


def network(dilation: int, stride: int) -> keras.Model:
    """Return a network that does not pad and needs at least ``2 * dilation + 1`` pixels a side."""
    image = keras.Input((None, None, 3))
    maps = keras.layers.Conv2D(2, 3, dilation_rate=dilation, name="wide")(image)
    return keras.Model(image, keras.layers.MaxPooling2D(stride)(maps), name="unpadded")


def test_the_smallest_picture_is_found_in_whole_multiples() -> None:
    objective = LayerEnergy("wide")
    assert Gradient(network(10, 1), objective, {"wide": 1}, 1).smallest == 21
    assert Gradient(network(10, 8), objective, {"wide": 8}, 8).smallest == 32


def test_a_network_that_needs_enormous_pictures_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"unpadded cannot be dreamed: .* 512 pixels"):
        Gradient(network(400, 1), LayerEnergy("wide"), {"wide": 1}, 1)
