"""Import TensorFlow and Keras independently of the user's settings.

``~/.keras/keras.json`` and the variables below serve the user's other work. Here they would break
the import, print on the user's screen or silently change the dream.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from stream_dream.errors import NetworkError
from stream_dream.runtime.quiet import debugging, hushed

_BACKEND = "tensorflow"
# Variables that change TensorFlow's results.
_OTHER_NUMBERS = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_DISABLE_MKL",
    "TF_ENABLE_AUTO_MIXED_PRECISION",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "TF_XLA_FLAGS",
    "DNNL_DEFAULT_FPMATH_MODE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_MAX_CPU_ISA",
    "NVIDIA_TF32_OVERRIDE",
)
# Variables that make libraries print, some of them on standard output.
_CHATTER = (
    "DNNL_VERBOSE",
    "ONEDNN_VERBOSE",
    "MKL_VERBOSE",
    "TF_CPP_MAX_VLOG_LEVEL",
    "TF_CPP_VMODULE",
)


def import_keras() -> ModuleType:
    """Return the module ``keras``; call this before importing Keras or TensorFlow directly.

    Raises:
        NetworkError: The program has already imported Keras with another backend.
    """
    if "keras" in sys.modules:
        import keras
    else:
        _clear_environment()
        with hushed(), _without_user_settings():
            import keras
    if keras.config.backend() != _BACKEND:
        raise NetworkError(
            f"Keras runs on {keras.config.backend()} in this program, networks need {_BACKEND}: "
            "import stream_dream before keras, or set KERAS_BACKEND=tensorflow"
        )
    _keep_order_of_sums()
    module: ModuleType = keras
    return module


def _keep_order_of_sums() -> None:
    """Stop TensorFlow from merging sums.

    It adds three or more terms in the order in which they are computed: rounding would make another
    dream each time.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


@contextmanager
def keras_defaults() -> Iterator[None]:
    """Build networks with Keras' own defaults, whatever the program has set."""
    keras = import_keras()
    config = keras.config
    floatx, epsilon, layout = config.floatx(), config.epsilon(), config.image_data_format()
    policy = config.dtype_policy()
    try:
        config.set_floatx("float32")
        config.set_epsilon(1e-7)
        config.set_image_data_format("channels_last")
        config.set_dtype_policy("float32")
        yield
    finally:
        config.set_floatx(floatx)
        config.set_epsilon(epsilon)
        config.set_image_data_format(layout)
        config.set_dtype_policy(policy)


def _clear_environment() -> None:
    """Unset TensorFlow's variables for good, as it reads some of them late."""
    if "tensorflow" not in sys.modules:
        for name in _OTHER_NUMBERS if debugging() else (*_OTHER_NUMBERS, *_CHATTER):
            os.environ.pop(name, None)


@contextmanager
def _without_user_settings() -> Iterator[None]:
    """Import Keras with its defaults, but keep the user's folder of weights."""
    theirs = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("KERAS_")}
    # Not a folder, so that Keras neither reads nor writes a keras.json.
    os.environ |= {"KERAS_BACKEND": _BACKEND, "KERAS_HOME": os.devnull}
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"], os.environ["KERAS_HOME"]
        os.environ |= theirs
        _restore_home()


def _restore_home() -> None:
    """Set Keras' folder back to the user's, by Keras' own rule."""
    from keras.src.backend import config

    home = os.path.expanduser("~")
    usual = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    config._KERAS_DIR = os.environ.get("KERAS_HOME", usual)
