"""The user's settings of Keras, TensorFlow and oneDNN change nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import pytest

from stream_dream.errors import NetworkError
from stream_dream.networks.quiet_keras import import_keras
from stream_dream.networks.registry import find

# Prints the checksum of a dreamed still, and where Keras keeps its weights.
PROGRAM = """
import zlib
import numpy as np
import stream_dream
from stream_dream.settings.dream import DreamSettings
image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
dreamer = stream_dream.StillDreamer(DreamSettings(dream_size=64, octaves=1, warm_up=1))
print(zlib.crc32(dreamer(image).tobytes()))
from keras.src.backend import config
print(config.keras_home())
"""


@pytest.fixture
def other_settings() -> Iterator[None]:
    """Change the settings of Keras during a test."""
    config = keras.config
    kept = (config.floatx(), config.epsilon(), config.image_data_format(), config.dtype_policy())
    config.set_floatx("float16")
    config.set_epsilon(0.1)
    config.set_image_data_format("channels_first")
    config.set_dtype_policy("mixed_bfloat16")
    yield
    config.set_floatx(kept[0])
    config.set_epsilon(kept[1])
    config.set_image_data_format(kept[2])
    config.set_dtype_policy(kept[3])


@pytest.mark.parametrize(
    ("network", "layer", "channels"),
    [
        ("efficientnet_lite0", "stem", 32),
        pytest.param("inception_v1", "Conv2d_1a_7x7_conv", 64, marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("other_settings")
def test_networks_are_built_with_keras_defaults(network: str, layer: str, channels: int) -> None:
    model = find(network).build([layer], weights="random")
    assert model.outputs[0].shape == (None, None, None, channels)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    # The settings of the program are kept.
    assert keras.config.floatx() == "float16"
    assert keras.config.epsilon() == 0.1
    assert keras.config.image_data_format() == "channels_first"
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


def test_another_backend_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.config, "backend", lambda: "torch")
    with pytest.raises(NetworkError, match=r"Keras runs on torch .* set KERAS_BACKEND=tensorflow$"):
        import_keras()


@pytest.mark.slow
def test_the_users_environment_changes_no_dream_and_prints_nothing(tmp_path: Path) -> None:
    def dreamed(**variables: str) -> list[str]:
        # The log level of the tests would hide the messages.
        env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            check=False,
            env=env | {"HOME": str(tmp_path)} | variables,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    folder = tmp_path / ".keras"
    usual = dreamed()
    assert usual[1:] == [str(folder)]
    folder.mkdir(exist_ok=True)
    settings = {"floatx": "float16", "epsilon": 1, "backend": "torch", "nnx_enabled": True}
    written = json.dumps(settings | {"image_data_format": "channels_first"})
    (folder / "keras.json").write_text(written)
    others = {"KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "many", "TF_CPP_MIN_LOG_LEVEL": "0"}
    others |= {"TF_ENABLE_ONEDNN_OPTS": "0", "ONEDNN_VERBOSE": "1", "TF_CPP_MAX_VLOG_LEVEL": "1"}
    assert dreamed(**others) == usual
    assert (folder / "keras.json").read_text() == written
    assert dreamed(KERAS_HOME=str(tmp_path / "weights")) == [usual[0], str(tmp_path / "weights")]
