"""Read weights of Keras networks from local files, and check that they fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import NetworkError, first_line
from stream_dream.networks.model_files import open_model
from stream_dream.networks.spec import snake_case

READABLE = (".h5", ".hdf5", ".keras")


class SavedLayer(NamedTuple):
    """The weights of one layer, in Keras' order."""

    name: str
    values: list[NDArray[Any]]


def load_weights(model: keras.Model, path: Path) -> None:
    """Load the weights of a file into a network.

    Layers are matched by name or, if names differ (Keras numbers unnamed layers anew in each
    process), by order. Layers of the file beyond the network's last are ignored: a network without
    its classifier accepts a file with one.

    Args:
        model: The network.
        path: ``.weights.h5``, ``.h5`` (weights or a whole model) or ``.keras``.

    Raises:
        NetworkError: The file cannot be read, or a layer does not fit.
    """
    saved = saved_layers(model, path)
    layers = [layer for layer in model.layers if layer.weights]
    if not saved:
        raise NetworkError(f"{path} holds no weights")
    by_name = {layer.name: layer for layer in saved}
    named = all(layer.name in by_name for layer in layers)
    for index, layer in enumerate(layers):
        if not named and index >= len(saved):
            raise NetworkError(
                f"{path} does not fit {model.name}: it ends before layer {layer.name} "
                f"({len(saved)} layers with weights, expected {len(layers)})"
            )
        found = by_name[layer.name] if named else saved[index]
        _assign(layer, found, f"{path} does not fit {model.name}")


def _assign(layer: Any, found: SavedLayer, complaint: str) -> None:
    have = [tuple(value.shape) for value in found.values]
    want = [tuple(weight.shape) for weight in layer.weights]
    if have != want:
        name = layer.name if found.name == layer.name else f"{layer.name} ({found.name} there)"
        raise NetworkError(
            f"{complaint}: layer {name} has the shapes {_listed(have)}, expected {_listed(want)}"
        )
    layer.set_weights(found.values)


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return " ".join("x".join(map(str, shape)) or "scalar" for shape in shapes) or "none"


def saved_layers(model: keras.Model, path: Path) -> list[SavedLayer]:
    """Read the layers of a file that have weights, from the image upward.

    The model is needed for ``.weights.h5``, whose layers are named by class and number.
    """
    if not path.is_file():
        raise NetworkError(f"weights file {path} does not exist")
    if path.suffix not in READABLE:
        raise NetworkError(f"{path} is no weights file of Keras: give .weights.h5, .h5 or .keras")
    if path.suffix == ".keras":
        layers = open_model(path).layers
        return [SavedLayer(layer.name, layer.get_weights()) for layer in layers if layer.weights]
    with _opened(path) as file:
        root = file.get("model_weights", file)
        named = {"layer_names", "layer_names0"} & set(root.attrs)
        return _legacy(root) if named else _counted(file, model)


def read_legacy(path: Path) -> list[SavedLayer]:
    """Read a ``.h5`` file of Keras 1 or 2: weights or a whole model."""
    with _opened(path) as file:
        return _legacy(file.get("model_weights", file))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with h5py.File(path, "r") as file:
            yield file
    except NetworkError:
        raise
    except Exception as error:  # HDF5 fails in many ways on damaged files
        raise NetworkError(f"weights file {path} cannot be read: {first_line(error)}") from error


def _legacy(root: Any) -> list[SavedLayer]:
    """Read the format of Keras 1 and 2."""
    layers = []
    for name in _texts(root, "layer_names"):
        weights = _texts(root[name], "weight_names")
        if weights:
            layers.append(SavedLayer(name, [_numbers(root[name][key]) for key in weights]))
    return layers


def _counted(file: Any, model: keras.Model) -> list[SavedLayer]:
    """Read the format of Keras 3, whose layers are named by class and number."""
    counts: Counter[str] = Counter()
    layers = []
    for layer in model.layers:
        kind = snake_case(type(layer).__name__)
        key = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        stored = file["layers"].get(key, {}).get("vars", {})
        if layer.weights:
            values = [_numbers(stored[index]) for index in sorted(stored, key=int)]
            layers.append(SavedLayer(layer.name, values))
    return layers


def _texts(group: Any, attribute: str) -> list[str]:
    """Read a list of names, which Keras splits above 64 KB: ``layer_names0`` and so on."""
    parted = (f"{attribute}{number}" for number in count())
    keys = [attribute, *takewhile(lambda key: key in group.attrs, parted)]
    values = [value for key in keys for value in group.attrs.get(key, ())]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _numbers(stored: Any) -> NDArray[Any]:
    values = np.asarray(stored)
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{stored.name} holds no numbers")
    return values
