"""A user's own Keras model as a network.

A model file can carry code: Lambda layers do, and classes of other packages run theirs when they
are made. Such files are refused before Keras looks at them.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_dream.errors import NetworkError, first_line
from stream_dream.networks.layers import Layer, NetworkSpec, Weights
from stream_dream.networks.model_safety import refuse_code
from stream_dream.networks.quiet_keras import import_keras, keras_defaults

if TYPE_CHECKING:
    import keras

SUFFIXES = (".keras", ".h5", ".hdf5")
# Factors below this bring 0..255 to about 1; those above it expect 0..1 already.
_LEVELS_BELOW = 1 / 32
# The layer that makes levels of an image; a model's own may be called anything.
_LEVELS = "stream_dream_levels"


def spec_of(path: Path) -> NetworkSpec:
    """Return a user's model file as a network; it is opened when it is needed.

    Raises:
        NetworkError: There is no such file.
    """
    if not os.path.isfile(path):
        raise NetworkError(f"there is no model file {path}")

    @keras_defaults()
    def build(
        names: Sequence[str], *, weights: Weights = "pretrained", fold: bool = True
    ) -> keras.Model:
        keras = import_keras()
        from stream_dream.networks.cutting import cut
        from stream_dream.networks.weight_files import load_weights

        model = open_model(path)
        if isinstance(weights, Path):
            load_weights(model, weights)
        model = keras.Model(model.inputs, model.outputs, name=path.name)
        return cut(model, names, prepare=_preparation(model), fold=fold)

    @cache
    @keras_defaults()
    def list_layers() -> tuple[Layer, ...]:
        from stream_dream.networks.cutting import describe

        model = open_model(path)
        try:
            return describe(model)
        except (ValueError, TypeError) as error:
            raise NetworkError(
                f"{path} cannot be dreamed: it takes pictures of one size only "
                f"({first_line(error)})"
            ) from error

    return NetworkSpec(
        name=str(path),
        summary="a Keras model of your own",
        origin="file",
        megabytes=path.stat().st_size / 1e6,
        favourites=(),
        list_layers=list_layers,
        build=build,
        granularity=None,
    )


def open_model(path: Path) -> keras.Model:
    """Open a model file without running anything that it brings along.

    Args:
        path: ``.keras`` or ``.h5``.

    Returns:
        A functional model with one image input.

    Raises:
        NetworkError: It cannot be read, brings code, or is no network of images.
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
    """Read how the model is built, as plain data."""
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
    except Exception as error:  # zip, HDF5 and JSON fail in a dozen ways where bytes are wrong
        raise NetworkError(f"{path} is not a Keras model: {first_line(error)}") from error


def _preparation(model: keras.Model) -> Any:
    """Return what brings an image in [0, 1] to what the model expects."""
    import keras

    # A model that scales levels itself was trained on 0..255, as Keras' own are.
    for layer in model.layers[:4]:
        if isinstance(layer, keras.layers.Rescaling):
            if np.max(np.abs(layer.scale)) < _LEVELS_BELOW:
                return keras.layers.Rescaling(255.0, name=_LEVELS)
            break
        if isinstance(layer, keras.layers.Normalization):
            if np.max(np.abs(layer.mean)) > 1:
                return keras.layers.Rescaling(255.0, name=_LEVELS)
            break
    return lambda image: image
