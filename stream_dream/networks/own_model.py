"""A user's own Keras model as a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_dream.errors import NetworkError, first_line
from stream_dream.networks.model_files import open_model
from stream_dream.networks.quiet_keras import import_keras, keras_defaults
from stream_dream.networks.spec import Layer, NetworkSpec, Weights

if TYPE_CHECKING:
    import keras

SUFFIXES = (".keras", ".h5", ".hdf5")
# A model that scales by less than this expects 0..255, else 0..1.
_LEVELS_BELOW = 1 / 32
# Name of the layer that scales an image to 0..255, unlikely to clash with the model's names.
_LEVELS = "stream_dream_levels"


def spec_of(path: Path) -> NetworkSpec:
    """Return the spec of a user's model file, which is opened on first use.

    Raises:
        NetworkError: The file does not exist.
    """
    if not os.path.isfile(path):
        raise NetworkError(f"there is no model file {path}")

    @keras_defaults()
    def build(
        names: Sequence[str], *, weights: Weights = "pretrained", fold: bool = True
    ) -> keras.Model:
        keras = import_keras()
        from stream_dream.networks.graph_surgery import cut
        from stream_dream.networks.weight_files import load_weights

        model = open_model(path)
        if isinstance(weights, Path):
            load_weights(model, weights)
        model = keras.Model(model.inputs, model.outputs, name=path.name)
        return cut(model, names, prepare=_preparation(model), fold=fold)

    @cache
    @keras_defaults()
    def list_layers() -> tuple[Layer, ...]:
        from stream_dream.networks.graph_surgery import describe

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


def _preparation(model: keras.Model) -> Any:
    """Return the function that scales an image in [0, 1] to the values the model expects."""
    import keras

    # A model that scales levels itself takes 0..255, as Keras' own do.
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
