"""What ascent maximises."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from stream_dream.dream.objective import LayerEnergy, Sum


def test_layer_energy_is_the_notebooks_formula() -> None:
    act = np.random.default_rng(0).random((1, 9, 8, 5), dtype=np.float32)
    expected = 0.5 * np.square(act[:, 2:-2, 2:-2, :]).sum() / act.size
    value = LayerEnergy("a", weight=0.5)({"a": tf.constant(act)})
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_small_maps_are_not_cropped() -> None:
    act = np.ones((1, 4, 9, 2), np.float32)
    np.testing.assert_allclose(LayerEnergy("a")({"a": tf.constant(act)}), 1)


def test_channels_count_alone() -> None:
    act = np.zeros((1, 4, 4, 3), np.float32)
    act[..., 1] = 2
    acts = {"a": tf.constant(act)}
    np.testing.assert_allclose(LayerEnergy("a", channels=(1,))(acts), 4)
    np.testing.assert_allclose(LayerEnergy("a", channels=(0, 2))(acts), 0)


def test_sum_adds_up_and_names_each_layer_once() -> None:
    total = Sum([LayerEnergy("a"), LayerEnergy("b", 2), LayerEnergy("a", -0.5)])
    acts = {name: tf.ones((1, 4, 4, 1)) for name in "ab"}
    assert total.layers == ("a", "b")
    np.testing.assert_allclose(total(acts), 2.5)
