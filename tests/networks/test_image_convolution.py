"""The convolution of the input picture."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.networks.image_convolution import ImageConvolution

F32 = NDArray[np.float32]


def map_and_gradient(layer: keras.layers.Layer, pictures: tf.Tensor) -> tuple[F32, F32]:
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        act = layer(pictures)
        loss = tf.reduce_sum(tf.square(act))
    return act.numpy(), tape.gradient(loss, pictures).numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kernel", "stride"), [(3, 2), (7, 2), (3, 1), (5, 3), (2, 2), (1, 2), (4, 4), (3, 4)]
)
def test_it_equals_an_ordinary_convolution(kernel: int, stride: int) -> None:
    rng = np.random.default_rng(0)
    own, plain = (
        kind(8, kernel, stride, padding="same", activation="relu")
        for kind in (ImageConvolution, keras.layers.Conv2D)
    )
    for layer in (own, plain):
        layer.build((None, None, None, 3))
    own.set_weights([rng.normal(size=weight.shape) for weight in own.weights])
    plain.set_weights([weight.numpy() for weight in own.weights])
    for height, width in ((20, 30), (21, 30), (21, 33), (23, 22), (9, 8), (1, 1), (2, 5)):
        pictures = tf.constant(rng.normal(size=(2, height, width, 3)).astype(np.float32))
        (act, gradient), (expected_act, expected) = (
            map_and_gradient(layer, pictures) for layer in (own, plain)
        )
        np.testing.assert_array_equal(act, expected_act)
        np.testing.assert_allclose(gradient, expected, atol=1e-5 * max(1, np.abs(expected).max()))


def test_pictures_of_unknown_size_are_taken_too() -> None:
    layer = ImageConvolution(4, 3, 2, padding="same")
    picture = tf.constant(np.random.default_rng(0).random((1, 10, 12, 3), np.float32))
    signature = [tf.TensorSpec((1, None, None, 3), tf.float32)]
    expected, expected_gradient = map_and_gradient(layer, picture)

    def traced(pictures: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            act = layer(pictures)
            loss = tf.reduce_sum(tf.square(act))
        return act, tape.gradient(loss, pictures)

    act, gradient = tf.function(traced, input_signature=signature, autograph=False)(picture)
    np.testing.assert_allclose(act, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-5)
