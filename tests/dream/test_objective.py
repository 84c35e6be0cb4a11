"""What ascent maximises."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.objective import (
    ClassScore,
    GuidedLayer,
    LayerEnergy,
    Objective,
    Seen,
    Sum,
)
from stream_dream.networks.spec import CLASSES

F32 = NDArray[np.float32]


def seen(act: F32, counted: F32 | None = None) -> Seen:
    """Return the activations of a layer, where all positions count or those of the mask."""
    height, width = act.shape[1:3]
    mask = np.ones((height, width, 1), np.float32) if counted is None else counted
    return Seen(tf.constant(act), tf.constant(mask), float(height * width))


def cropped(act: F32) -> F32:
    """Return a mask without the border."""
    mask = np.zeros((*act.shape[1:3], 1), np.float32)
    mask[2:-2, 2:-2] = 1
    return mask


def test_layer_energy_is_the_notebooks_formula() -> None:
    act = np.random.default_rng(0).random((1, 9, 8, 5), dtype=np.float32)
    expected = 0.5 * np.square(act[:, 2:-2, 2:-2, :]).sum() / act.size
    value = LayerEnergy("a", weight=0.5)({"a": seen(act, cropped(act))})
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_channels_count_alone() -> None:
    act = np.zeros((1, 4, 4, 3), np.float32)
    act[..., 1] = 2
    shown = {"a": seen(act)}
    np.testing.assert_allclose(LayerEnergy("a", channels=(1,))(shown), 4)
    np.testing.assert_allclose(LayerEnergy("a", channels=(0, 2))(shown), 0)


def test_the_gradient_of_a_guided_layer_is_the_best_matching_feature() -> None:
    """As in Google's notebook: ``y[:, (x.T @ y).argmax(1)]``."""
    rng = np.random.default_rng(1)
    act, features = rng.normal(size=(1, 5, 6, 4)), rng.normal(size=(7, 4))
    act, features = act.astype(np.float32), features.astype(np.float32)
    mask = cropped(act)
    variable = tf.constant(act)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        shown = Seen(variable, tf.constant(mask), 30.0)
        value = GuidedLayer("a", tf.Variable(features), weight=2.0)({"a": shown})
    best = features[(act.reshape(-1, 4) @ features.T).argmax(1)].reshape(act.shape)
    np.testing.assert_allclose(
        tape.gradient(value, variable), 2 / act.size * best * mask, rtol=1e-4
    )


def test_a_class_score_is_the_mean_over_all_positions() -> None:
    act = np.random.default_rng(2).random((1, 3, 4, 10), dtype=np.float32)
    value = ClassScore(7, weight=-1)({CLASSES: seen(act)})
    np.testing.assert_allclose(value, -act[..., 7].mean(), rtol=1e-5)


def test_sum_adds_up_and_names_each_layer_once() -> None:
    total = Sum([LayerEnergy("a"), LayerEnergy("b", 2), LayerEnergy("a", -0.5)])
    shown = {name: seen(np.ones((1, 4, 4, 1), np.float32)) for name in "ab"}
    assert total.layers == ("a", "b")
    np.testing.assert_allclose(total(shown), 2.5)


@pytest.mark.parametrize("name", ["energy", "channels", "guided", "class", "sum"])
def test_each_picture_of_a_batch_has_its_own_value_and_gradient(name: str) -> None:
    rng = np.random.default_rng(3)
    act = rng.normal(size=(3, 6, 7, 10)).astype(np.float32)
    guided = GuidedLayer("a", tf.Variable(rng.normal(size=(5, 10)).astype(np.float32)))
    objectives: dict[str, Objective] = {
        "energy": LayerEnergy("a", 0.5),
        "channels": LayerEnergy("a", channels=(1, 4)),
        "guided": guided,
        "class": ClassScore(7),
        "sum": Sum([LayerEnergy("a"), guided, ClassScore(2, -1)]),
    }

    def value_and_gradient(pictures: F32) -> tuple[F32, F32]:
        variable = tf.constant(pictures)
        with tf.GradientTape() as tape:
            tape.watch(variable)
            shown = Seen(variable, tf.constant(cropped(pictures)), 42.0)
            value = objectives[name]({"a": shown, CLASSES: shown})
        return value.numpy(), tape.gradient(value, variable).numpy()

    values, gradients = value_and_gradient(act)
    alone = [value_and_gradient(act[number : number + 1]) for number in range(3)]
    np.testing.assert_allclose(values, np.concatenate([value for value, _ in alone]), rtol=1e-5)
    np.testing.assert_allclose(gradients, np.concatenate([one for _, one in alone]), rtol=1e-5)
    assert len(set(values.tolist())) == 3
