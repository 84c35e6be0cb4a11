"""The dream does not depend on how TensorFlow uses the cores."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Prints a checksum of three dreamed frames.
PROGRAM = """
import sys, zlib
import numpy as np
import tensorflow as tf
from skimage import data
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
tf.config.threading.set_inter_op_parallelism_threads(2)
from stream_dream.dream.ascent import Ascent
from stream_dream.image import resize, to_float
from stream_dream.settings.presets import load_preset
source = to_float(resize(data.astronaut(), (480, 270)))
for schedule, norm in ("together", "laplacian"), ("rotate", "mean_abs"), ("all", "std"):
    update = {"schedule": schedule, "gradient_norm": norm}
    ascent = Ascent(load_preset("dogs").dream.model_copy(update=update))
    rng, residual = np.random.default_rng(0), np.zeros_like(source)
    for index in range(3):
        residual, loss = ascent(source, residual, index=index, rng=rng)
    print(schedule, norm, zlib.crc32(residual.tobytes()), loss)
"""


@pytest.mark.slow
def test_the_dream_does_not_depend_on_the_number_of_threads() -> None:
    def dreams(threads: int) -> str:
        command = [sys.executable, "-c", PROGRAM, str(threads)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    # With TensorFlow's own sums over whole pictures each number gave another dream.
    assert len({dreams(threads) for threads in (1, 2, 3)}) == 1
