"""EfficientNet-Lite: the embedded network (Tan and Le, 2019; the Lite family: Liu, 2020).

A mobile network without squeeze-excite, with ReLU6 throughout. Its batch norms are folded into the
convolutions when the weights are converted (``scripts/convert_efficientnet_lite.py``), so each
convolution has a kernel and a bias and nothing else. Weights are named ``LAYER/PART/kernel`` and
``.../bias``, kernels in Keras' order (height, width, in, out).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import NetworkError
from stream_dream.networks.layers import Layer

if TYPE_CHECKING:
    import keras

Weights = Mapping[str, NDArray[np.float32]]

_STEM_CHANNELS = 32
# (repeats, kernel, stride, expansion, channels in, channels out), from the EfficientNet-B0 paper's
# table 1; Lite keeps it.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_WEIGHTS_FILE = "efficientnet_lite0.safetensors"


class Block(NamedTuple):
    """One inverted residual block: expand 1x1, depthwise, project 1x1."""

    name: str
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels: int

    @property
    def residual(self) -> bool:
        """Whether the block's input is added to its output."""
        return self.stride == 1 and self.channels_in == self.channels


def blocks() -> Iterator[Block]:
    """Yield the blocks from the image upward."""
    index = 0
    for repeats, kernel, stride, expansion, channels_in, channels in _STAGES:
        for repeat in range(repeats):
            first = repeat == 0
            yield Block(
                name=f"block{index}",
                kernel=kernel,
                stride=stride if first else 1,
                expansion=expansion,
                channels_in=channels_in if first else channels,
                channels=channels,
            )
            index += 1


def layers(dreams: Mapping[str, str]) -> tuple[Layer, ...]:
    """List the layers, with what each dreams."""
    stride = 2
    listed = [Layer("stem", _STEM_CHANNELS, stride, dreams["stem"])]
    for block in blocks():
        stride *= block.stride
        listed.append(Layer(block.name, block.channels, stride, dreams[block.name]))
    return tuple(listed)


def embedded_weights() -> dict[str, NDArray[np.float32]]:
    """Read the weights that ship with the package (float16 on disk), as float32."""
    from safetensors.numpy import load

    file = resources.files("stream_dream.networks") / "weights" / _WEIGHTS_FILE
    return {name: value.astype(np.float32) for name, value in load(file.read_bytes()).items()}


def build(names: Sequence[str], weights: Weights) -> keras.Model:
    """Build the network up to the deepest of the named layers.

    Args:
        names: Layer names, such as ``block10``.
        weights: Folded kernels and biases by name.

    Returns:
        A Keras model from float32 RGB in [0, 1], (batch, height, width, 3), to the list of the
        layers' activations in the order of ``names``.

    Raises:
        NetworkError: A weight is missing or has another shape.
    """
    import keras

    image = keras.Input((None, None, 3), name="image")
    # The original takes (value - 127) / 128 of 0..255.
    x = keras.layers.Rescaling(255 / 128, -127 / 128, name="rescaling")(image)
    x = keras.layers.Conv2D(_STEM_CHANNELS, 3, 2, padding="same", name="stem_conv")(x)
    x = keras.layers.Activation("relu6", name="stem")(x)
    outputs = {"stem": x}
    for block in blocks():
        if outputs.keys() >= set(names):
            break
        x = outputs[block.name] = _block(x, block)
    model = keras.Model(image, [outputs[name] for name in names], name="efficientnet_lite0")
    _assign(model, weights)
    return model


def _block(x: keras.KerasTensor, block: Block) -> keras.KerasTensor:
    from keras.layers import Activation, Add, Conv2D, DepthwiseConv2D

    shortcut = x
    if block.expansion > 1:
        x = Conv2D(block.channels_in * block.expansion, 1, name=f"{block.name}_expand")(x)
        x = Activation("relu6", name=f"{block.name}_expand_relu6")(x)
    x = DepthwiseConv2D(block.kernel, block.stride, padding="same", name=f"{block.name}_depthwise")(
        x
    )
    x = Activation("relu6", name=f"{block.name}_depthwise_relu6")(x)
    project = f"{block.name}_project" if block.residual else block.name
    x = Conv2D(block.channels, 1, name=project)(x)
    return Add(name=block.name)([shortcut, x]) if block.residual else x


def _assign(model: keras.Model, weights: Weights) -> None:
    """Give every convolution its kernel and bias."""
    for layer in model.layers:
        if not layer.weights:
            continue
        block, _, part = layer.name.partition("_")
        key = f"{block}/{part or 'project'}"
        values = []
        for variable, suffix in zip(layer.weights, ("kernel", "bias"), strict=True):
            value = weights.get(f"{key}/{suffix}")
            if value is None or value.shape != tuple(variable.shape):
                found = "missing" if value is None else f"of shape {value.shape}"
                raise NetworkError(
                    f"weights do not fit efficientnet_lite0: {key}/{suffix} is {found}, "
                    f"expected shape {tuple(variable.shape)}"
                )
            values.append(value)
        layer.set_weights(values)
        layer.trainable = False
