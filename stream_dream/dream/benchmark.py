"""Measure the speed of networks on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stream_dream.dream.gradient import Gradient
from stream_dream.dream.objective import LayerEnergy, Sum
from stream_dream.dream.tf_threads import use_cores
from stream_dream.networks.spec import NetworkSpec
from stream_dream.networks.wanted import wanted_layers
from stream_dream.settings.dream import DreamSettings

_FEWEST = 3


def random_gradient(spec: NetworkSpec, *, fold: bool = True) -> Gradient:
    """Return the gradient of a network's favourite layers with random weights, just as fast."""
    targets = wanted_layers(DreamSettings(), spec).energies
    objective = Sum([LayerEnergy(target.name, target.weight) for target in targets])
    model = spec.build(objective.layers, weights="random", fold=fold)
    strides = {name: spec.stride(name) for name in objective.layers}
    return Gradient(model, objective, strides, spec.granularity)


def gradient_call(
    spec: NetworkSpec, size: tuple[int, int], *, fold: bool = True
) -> Callable[[], object]:
    """Return a function that computes one gradient of a network's favourite layers.

    Args:
        spec: The network; its weights are not needed.
        size: (width, height) of the picture.
        fold: False to keep batch norms.
    """
    use_cores(share=0.5)
    gradient = tf.function(random_gradient(spec, fold=fold).in_halves, autograph=False)
    pixels = np.random.default_rng(0).random((size[1], size[0], 3), np.float32)
    images = tf.constant(pixels[None])
    return lambda: gradient(images)[0].numpy()


def seconds_per_call(*calls: Callable[[], object], patience: float = 3.0) -> list[float]:
    """Time calls in turns, so that the machine's noise affects all alike.

    Args:
        calls: The functions to compare.
        patience: Seconds to spend in all; at least three turns are measured.

    Returns:
        The median seconds of each.
    """
    for call in calls:
        call()
        call()
    seconds: list[list[float]] = []
    begun = time.perf_counter()
    while len(seconds) < _FEWEST or time.perf_counter() - begun < patience:
        turn = []
        for call in calls:
            before = time.perf_counter()
            call()
            turn.append(time.perf_counter() - before)
        seconds.append(turn)
    return [statistics.median(column) for column in zip(*seconds, strict=True)]
