"""Open Keras' model files.

A model file can run code: that of Lambda layers, or of other packages' classes when they are
created. Such files are refused before Keras reads them.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.errors import NetworkError, first_line
from stream_dream.networks.model_safety import refuse_code
from stream_dream.networks.quiet_keras import import_keras

if TYPE_CHECKING:
    import keras


def open_model(path: Path) -> keras.Model:
    """Open a ``.keras`` or ``.h5`` file without running code from it.

    Returns:
        A functional model with one image input.

    Raises:
        NetworkError: The file cannot be read, contains code, or is not a network of images.
    """
    refuse_code(_config(path), path)
    keras = import_keras()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers do
        raise NetworkError(f"{path} cannot be opened by Keras: {first_line(error)}") from error
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or []]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] != 3:
        raise NetworkError(
            f"{path} is no network of pictures: it takes {shapes or 'unknown input'}, expected one "
            "input of shape (batch, height, width, 3)"
        )
    return model


def _config(path: Path) -> Any:
    """Read the model's configuration as plain data."""
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        import h5py

        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs:
                raise NetworkError(
                    f"{path} holds weights only: name the network and give it with --weights"
                )
            return json.loads(file.attrs["model_config"])
    except NetworkError:
        raise
    except Exception as error:  # zip, HDF5 and JSON fail in many ways on damaged files
        raise NetworkError(f"{path} is not a Keras model: {first_line(error)}") from error
