#!/usr/bin/env python3
"""Measure the speed of networks relative to the machine's limit, and the gain of folding.

For each network, with random weights and its favourite layers: time per gradient at 320x240 and
640x480, the ratio to a float32 matrix multiply of as many operations (forward, and as many
backward), and the time with batch norms over the time with folded ones, if any. Prints one JSON
object a line, then the table of the README. Quote ratios, not milliseconds.

    python scripts/bench_networks.py               # the usual networks, about ten minutes
    python scripts/bench_networks.py vgg16 xception
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stream_dream.dream.benchmark import gradient_call, random_gradient, seconds_per_call
from stream_dream.networks.registry import find
from stream_dream.networks.spec import NetworkSpec

USUAL = (
    *("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "inception_v1"),
    *("inception_v3", "vgg16", "vgg19", "resnet50", "resnet50v2", "mobilenet_v2"),
    *("densenet121", "xception", "efficientnet_v2b0"),
)
SIZES = ((320, 240), (640, 480))
MATRIX = 1024


def multiply_seconds() -> float:
    """Return the seconds per operation of a matrix multiply."""
    matrix = np.random.default_rng(0).random((MATRIX, MATRIX), dtype=np.float32)
    seconds = []
    for _ in range(30):
        begun = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds) / (2 * MATRIX**3)


def operations(spec: NetworkSpec, size: tuple[int, int]) -> float:
    """Count the floating-point operations of one gradient: forward, and as many backward."""
    gradient = random_gradient(spec)
    image = tf.TensorSpec((size[1], size[0], 3), tf.float32)
    graph = tf.function(gradient.loss, autograph=False).get_concrete_function(image).graph
    profiler = tf.compat.v1.profiler
    options = {**profiler.ProfileOptionBuilder.float_operation(), "output": "none"}
    return 2.0 * profiler.profile(graph, options=options).total_float_ops


def has_batch_norms(spec: NetworkSpec) -> bool:
    """Return whether there is anything to fold: VGG has none, EfficientNet-Lite comes folded."""
    model = spec.build(spec.default_layers(), weights="random", fold=False)
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


def measure(spec: NetworkSpec) -> dict[str, Any]:
    """Measure one network."""
    row: dict[str, Any] = {"network": spec.name}
    ways = (True, False) if has_batch_norms(spec) else (True,)
    for size in SIZES:
        name = f"{size[0]}x{size[1]}"
        count = operations(spec, size)
        multiply = multiply_seconds()
        calls = [gradient_call(spec, size, fold=fold) for fold in ways]
        time.sleep(1)  # until the threads of the multiplication are idle
        folded, *kept = seconds_per_call(*calls)
        row |= {f"gflop_{name}": count / 1e9, f"ms_{name}": folded * 1e3}
        row |= {f"multiply_gflops_{name}": 1e-9 / multiply}
        if kept:
            row[f"gain_{name}"] = kept[0] / folded
    return row


def main() -> None:
    """Measure the networks of the command line and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=USUAL)
    specs = [find(name) for name in parser.parse_args().networks]
    rows = []
    for spec in specs:
        rows.append(measure(spec))
        print(json.dumps(rows[-1]), flush=True)
    sizes = [f"{width}x{height}" for width, height in SIZES]
    # One limit for all: a single measurement is off by half on a busy machine.
    speed = statistics.median(row[f"multiply_gflops_{size}"] for row in rows for size in sizes)
    for row, size in itertools.product(rows, sizes):
        row[f"ratio_{size}"] = row[f"ms_{size}"] / (1e3 * row[f"gflop_{size}"] / speed)
    print("\n| network | GFLOP | ms | times the limit | gain of folding |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        columns = [
            ", ".join(f"{row[f'{key}_{size}']:{form}}" for size in sizes if f"{key}_{size}" in row)
            for key, form in (("gflop", ".3g"), ("ms", ".0f"), ("ratio", ".1f"), ("gain", ".2f"))
        ]
        print(f"| {row['network']} | {' | '.join(columns)} |")


if __name__ == "__main__":
    main()
