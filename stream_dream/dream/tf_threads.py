"""How TensorFlow shares the cores of a machine."""

from __future__ import annotations

import os

import tensorflow as tf


def use_cores(*, share: float) -> None:
    """Limit each TensorFlow operation to a share of the cores, and run operations in parallel.

    Where operations run side by side anyway, half of the cores for each is 1.3 to 1.9 times as fast
    as all (measured on two cores); one large operation after the other wants them all. Does nothing
    once TensorFlow runs, or where somebody has chosen already.

    Args:
        share: Of the cores, for one operation.
    """
    cores = os.cpu_count() or 1
    if not tf.config.threading.get_intra_op_parallelism_threads():
        _set_threads(max(1, int(cores * share)), max(2, cores))


def use_threads(count: int) -> None:
    """Limit TensorFlow to so many threads in all, as one of several parallel processes.

    Does nothing once TensorFlow runs.
    """
    _set_threads(max(1, count // 2), count)


def tensorflow_version() -> str:
    """Return TensorFlow's version."""
    return str(tf.version.VERSION)


def has_gpu() -> bool:
    """Return True if TensorFlow has a GPU to dream on."""
    return bool(tf.config.list_physical_devices("GPU"))


def _set_threads(within: int, between: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(within)
        tf.config.threading.set_inter_op_parallelism_threads(between)
    except RuntimeError:
        # TensorFlow was in use before: whoever did so has chosen the threads.
        return
