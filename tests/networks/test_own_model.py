"""Keras models of users: which are accepted, and dreamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from stream_dream.dream.build import build_gradient
from stream_dream.errors import NetworkError
from stream_dream.networks.graph_surgery import cut
from stream_dream.networks.registry import find
from stream_dream.networks.spec import CLASSES
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.validation import validated

PICTURE = np.random.default_rng(0).random((45, 51, 3), dtype=np.float32)


def flat_classifier() -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same", name="seen")(image))
    return keras.Model(image, layers.Dense(5)(layers.Flatten()(x)))


def on_a_backbone() -> keras.Model:
    inner = keras.Input((32, 32, 3))
    backbone = keras.Model(inner, layers.Conv2D(4, 3, 2, padding="same")(inner), name="backbone")
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 1, name="seen")(backbone(image))
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def u_net() -> keras.Model:
    image = keras.Input((None, None, 3))
    fine = layers.Conv2D(4, 3, padding="same")(image)
    coarse = layers.Conv2D(4, 3, 4, padding="same")(fine)
    x = layers.Concatenate()([fine, layers.UpSampling2D(4)(coarse)])
    x = layers.Conv2D(4, 3, padding="same", name="seen")(x)
    return keras.Model(image, layers.UpSampling2D(4, name="finer")(x))


def of_half_precision() -> keras.Model:
    image = keras.Input((None, None, 3))
    return keras.Model(image, layers.Conv2D(4, 3, name="seen", dtype="mixed_float16")(image))


def of_levels() -> keras.Model:
    scaled = layers.Rescaling(1 / 255, name="rescaling")
    convolution = layers.Conv2D(4, 3, name="seen")
    return keras.Sequential([keras.Input((None, None, 3)), scaled, convolution], name="rescaling_1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [flat_classifier, on_a_backbone, u_net, of_half_precision, of_levels]
)
def test_all_kinds_of_user_models_are_dreamed(
    tmp_path: Path, make: Callable[[], keras.Model]
) -> None:
    make().save(tmp_path / "mine.keras")
    spec = find(str(tmp_path / "mine.keras"))
    listed = {layer.name: layer for layer in spec.list_layers()}
    assert "seen" in listed
    assert "finer" not in listed
    settings = {"network": str(tmp_path / "mine.keras"), "layer": ["seen"], "jitter": 3}
    gradient = build_gradient(validated(DreamSettings, settings))[0]
    moved, loss = gradient.of_any_size(tf.constant(PICTURE))
    assert moved.shape == PICTURE.shape
    assert np.abs(moved).max() > 0
    tiled, tiled_loss = gradient.in_tiles(PICTURE, 32, np.random.default_rng(0))
    assert tiled.shape == PICTURE.shape
    assert tiled_loss == pytest.approx(float(loss), rel=0.3)


def test_a_classifier_with_two_outputs_is_refused() -> None:
    model = flat_classifier()
    both = keras.Model(model.input, [model.output, layers.Dense(3)(model.output)])
    with pytest.raises(NetworkError, match="has 2 outputs"):
        cut(both, [CLASSES])
