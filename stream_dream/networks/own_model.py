"""A user's own Keras model as a network.

A model file can carry code: Lambda layers do, and classes of other packages run theirs when they
are made. Such files are refused before Keras looks at them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.errors import NetworkError
from stream_dream.networks.layers import Layer, NetworkSpec, Weights
from stream_dream.networks.quiet_keras import import_keras

if TYPE_CHECKING:
    import keras

SUFFIXES = (".keras", ".h5", ".hdf5")
# They run code, or read other files, that come with the model.
_UNSAFE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")


def spec_of(path: Path) -> NetworkSpec:
    """Return a user's model file as a network; it is opened when it is needed.

    Raises:
        NetworkError: There is no such file.
    """
    if not path.is_file():
        raise NetworkError(f"there is no model file {path}")

    def build(
        names: Sequence[str], *, weights: Weights = "pretrained", fold: bool = True
    ) -> keras.Model:
        import_keras()
        from stream_dream.networks.cutting import cut
        from stream_dream.networks.weight_files import load_weights

        model = open_model(path)
        if isinstance(weights, Path):
            load_weights(model, weights)
        return cut(model, names, prepare=_preparation(model), fold=fold)

    @cache
    def list_layers() -> tuple[Layer, ...]:
        import_keras()
        from stream_dream.networks.cutting import describe

        return describe(open_model(path))

    return NetworkSpec(
        name=str(path),
        summary="a Keras model of your own",
        origin="file",
        megabytes=path.stat().st_size / 1e6,
        favourites=(),
        list_layers=list_layers,
        build=build,
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
    for layer in _layers_of(_config(path)):
        name, module = layer.get("class_name"), str(layer.get("module") or "keras")
        if name in _UNSAFE or module.split(".")[0] != "keras":
            inner = layer.get("config")
            called = inner.get("name", "?") if isinstance(inner, dict) else "?"
            raise NetworkError(
                f"{path} is refused: its layer {called!r} is a {name}, which may run code of its "
                "own; rebuild the model with Keras' own layers"
            )
    keras = import_keras()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers do
        raise NetworkError(f"{path} cannot be opened by Keras: {_first_line(error)}") from error
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
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise NetworkError(f"{path} is not a Keras model: {_first_line(error)}") from error


def _layers_of(config: Any) -> Iterator[dict[str, Any]]:
    """Yield all that has a class in a configuration, however deep."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _layers_of(value)
    elif isinstance(config, list):
        for value in config:
            yield from _layers_of(value)


def _preparation(model: keras.Model) -> Any:
    """Return what brings an image in [0, 1] to what the model expects."""
    import keras

    scales = (keras.layers.Rescaling, keras.layers.Normalization)
    # A model that scales its input itself was trained on 0..255, as Keras' own are.
    if any(isinstance(layer, scales) for layer in model.layers[:4]):
        return keras.layers.Rescaling(255.0)
    return lambda image: image


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
