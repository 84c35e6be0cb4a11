"""Set how many threads TensorFlow uses."""

from __future__ import annotations

import tensorflow as tf

from stream_dream.runtime.scheduling import cores


def use_cores(*, share: float) -> None:
    """Limit each TensorFlow operation to a share of the cores, and run operations in parallel.

    For parallel operations half of the cores each is 1.3 to 1.9 times as fast as all (measured on
    two cores); large operations in sequence need them all. Does nothing once TensorFlow runs or the
    program has set its threads.

    Args:
        share: Share of the cores for one operation.
    """
    if not tf.config.threading.get_intra_op_parallelism_threads():
        _set_threads(max(1, int(cores() * share)), max(2, cores()))


def use_threads(count: int) -> None:
    """Limit TensorFlow to ``count`` threads, as one of several parallel processes.

    Does nothing once TensorFlow runs.
    """
    _set_threads(max(1, count // 2), count)


def tensorflow_version() -> str:
    """Return the version of TensorFlow."""
    return str(tf.version.VERSION)


def has_gpu() -> bool:
    """Return True if TensorFlow finds a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def _set_threads(within: int, between: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(within)
        tf.config.threading.set_inter_op_parallelism_threads(between)
    except RuntimeError:
        # TensorFlow already runs, and its threads can no longer be set.
        return
