"""InceptionV1, the network of the first DeepDreams (GoogLeNet; Szegedy et al., 2014).

Layers are named as in the Keras notebook, whose favourite is ``Mixed_4c_Concatenated``. As in
TF-Slim every 5x5 branch is a 3x3, and all padding is SAME.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.errors import NetworkError
from stream_dream.networks.download import Download, fetch, is_fetched
from stream_dream.networks.inception_v1_files import LayerArrays, Part, read_weights
from stream_dream.networks.quiet_keras import import_keras, keras_defaults
from stream_dream.networks.spec import CLASSES, Layer, NetworkSpec, Weights

if TYPE_CHECKING:
    import keras

NAME = "inception_v1"
DOWNLOADS = (
    Download(
        "http://redcatlabs.com/downloads/inception_v1_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5:6fa8ecdc5f6c402a59909437f0f5c975",
        "inception_v1_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
    # Its hash was never published; the content is checked when the file is read.
    Download(
        "http://download.tensorflow.org/models/inception_v1_2016_08_28.tar.gz",
        None,
        "inception_v1_2016_08_28.tar.gz",
    ),
)

_EPSILON = 0.001
_CLASS_COUNT = 1000
# Table 1 of the paper: 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; pool projected.
_MIXED: Mapping[str, tuple[int, int, int, int, int, int]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
# Max pools before these blocks, by name and window; all halve the map.
_POOLS = {
    "Mixed_3b": ("MaxPool_3a_3x3", 3),
    "Mixed_4b": ("MaxPool_4a_3x3", 3),
    "Mixed_5b": ("MaxPool_5a_2x2", 2),
}


_STEM = (
    Part("Conv2d_1a_7x7", 64, 7, 2),
    Part("Conv2d_2b_1x1", 64, 1),
    Part("Conv2d_2c_3x3", 192, 3),
)


def branches(block: str) -> tuple[tuple[Part, ...], ...]:
    """Return the four branches of a block; the last one starts with a max pool."""
    one, reduced_3, three, reduced_5, five, pooled = _MIXED[block]
    return (
        (Part(f"{block}_Branch_0_a_1x1", one, 1),),
        (Part(f"{block}_Branch_1_a_1x1", reduced_3, 1), Part(f"{block}_Branch_1_b_3x3", three, 3)),
        (Part(f"{block}_Branch_2_a_1x1", reduced_5, 1), Part(f"{block}_Branch_2_b_3x3", five, 3)),
        (Part(f"{block}_Branch_3_b_1x1", pooled, 1),),
    )


def parts() -> Iterator[Part]:
    """Yield all convolutions from the image upward."""
    yield from _STEM
    for block in _MIXED:
        for branch in branches(block):
            yield from branch


def spec() -> NetworkSpec:
    """Return the network for the registry."""
    return NetworkSpec(
        name=NAME,
        summary="InceptionV1 (GoogLeNet), ImageNet: the notebook's",
        origin="download",
        megabytes=22,
        favourites=("Mixed_4c_Concatenated",),
        list_layers=_list_layers,
        build=_build,
        fetch=lambda on_progress: fetch(NAME, DOWNLOADS, on_progress),
        is_fetched=lambda: is_fetched(DOWNLOADS),
    )


@cache
@keras_defaults()
def _list_layers() -> tuple[Layer, ...]:
    from stream_dream.networks.graph_surgery import describe

    return describe(network())


@keras_defaults()
def _build(
    names: Sequence[str], *, weights: Weights = "pretrained", fold: bool = True
) -> keras.Model:
    from stream_dream.networks.graph_surgery import cut

    if weights == "random":
        model = network(classifier=CLASSES in names)
    else:
        path = weights if isinstance(weights, Path) else fetch(NAME, DOWNLOADS)
        arrays = read_weights(path, parts())
        model = network(classifier=CLASSES in names)
        assign(model, arrays, path)
    names = ["Logits" if name == CLASSES else name for name in names]
    return cut(model, names, prepare=_prepare, fold=fold)


def _prepare(image: Any) -> Any:
    import keras

    return keras.layers.Rescaling(2.0, -1.0, name="rescaling")(image)


def network(*, classifier: bool = False) -> keras.Model:
    """Build the network, for RGB in [-1, 1] of any size, with random weights.

    The classifier scores ImageNet's classes at every position. TF-Slim pools first, but the mean of
    the scores is the score of the mean.
    """
    keras = import_keras()
    image = keras.Input((None, None, 3), name="image")
    x = _convolution(image, _STEM[0])
    x = _pool(x, "MaxPool_2a_3x3", 3, 2)
    x = _convolution(_convolution(x, _STEM[1]), _STEM[2])
    for block in _MIXED:
        if block in _POOLS:
            x = _pool(x, *_POOLS[block], 2)
        x = _mixed(x, block)
    if classifier:
        x = keras.layers.Conv2D(_CLASS_COUNT, 1, name="Logits")(x)
    return keras.Model(image, x, name=NAME)


def _mixed(x: keras.KerasTensor, block: str) -> keras.KerasTensor:
    import keras

    ends = []
    for index, branch in enumerate(branches(block)):
        y = _pool(x, f"{block}_Branch_3_a_max", 3, 1) if index == 3 else x
        for part in branch:
            y = _convolution(y, part)
        ends.append(y)
    return keras.layers.Concatenate(name=f"{block}_Concatenated")(ends)


def _convolution(x: keras.KerasTensor, part: Part) -> keras.KerasTensor:
    from keras.layers import Activation, BatchNormalization, Conv2D

    name, channels, kernel, stride = part
    x = Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    x = BatchNormalization(scale=False, epsilon=_EPSILON, name=f"{name}_bn")(x)
    return Activation("relu", name=f"{name}_act")(x)


def _pool(x: keras.KerasTensor, name: str, window: int, stride: int) -> keras.KerasTensor:
    import keras

    return keras.layers.MaxPooling2D(window, stride, padding="same", name=name)(x)


def assign(model: keras.Model, arrays: LayerArrays, path: Path) -> None:
    """Set the weights of every layer, from arrays by layer name; ``path`` is for messages.

    Raises:
        NetworkError: A layer is missing or does not fit.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        if layer.name == "Logits" and layer.name not in arrays:
            raise NetworkError(
                f"{path} has no classifier: give TF-Slim's inception_v1.ckpt with --weights, "
                "which has one"
            )
        found = [tuple(value.shape) for value in arrays.get(layer.name, [])]
        wanted = [tuple(weight.shape) for weight in layer.weights]
        if found != wanted:
            has = f"has the shapes {found}" if found else "is missing"
            raise NetworkError(
                f"{path} does not fit {NAME}: layer {layer.name} {has}, expected {wanted}"
            )
        layer.set_weights(arrays[layer.name])
