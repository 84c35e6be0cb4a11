"""How fast networks are on this machine."""

from __future__ import annotations

import statistics
import time

import numpy as np
import tensorflow as tf

from stream_dream.dream.composing import wanted_layers
from stream_dream.dream.cores import use_cores
from stream_dream.dream.gradient import Gradient
from stream_dream.dream.objective import LayerEnergy, Sum
from stream_dream.networks.layers import NetworkSpec
from stream_dream.settings import DreamSettings

_REPEATS = 5


def random_gradient(spec: NetworkSpec, *, fold: bool = True) -> Gradient:
    """Return the gradient of a network's favourite layers, with random weights: as fast as any."""
    targets = wanted_layers(DreamSettings(), spec).energies
    objective = Sum([LayerEnergy(target.name, target.weight) for target in targets])
    model = spec.build(objective.layers, weights="random", fold=fold)
    strides = {name: spec.stride(name) for name in objective.layers}
    return Gradient(model, objective, strides, spec.granularity)


def seconds_per_gradient(
    spec: NetworkSpec, size: tuple[int, int] = (320, 240), *, fold: bool = True
) -> float:
    """Measure one gradient of a network's favourite layers.

    Args:
        spec: The network; its weights are not needed.
        size: (width, height) of the picture.
        fold: False keeps batch norms.

    Returns:
        The median of a few calls, in seconds.
    """
    use_cores(share=0.5)
    gradient = tf.function(random_gradient(spec, fold=fold).in_halves, autograph=False)
    pixels = np.random.default_rng(0).random((size[1], size[0], 3), np.float32)
    image = tf.constant(pixels)
    gradient(image)
    seconds = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        gradient(image)[0].numpy()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
