"""EfficientNet-Lite: the embedded network and two larger ones (Tan and Le, 2019; Liu, 2020).

Mobile networks without squeeze-excite, with ReLU6 throughout. Their batch norms are folded into the
convolutions on conversion (``efficientnet_lite_weights.py``), so each convolution has only a kernel
and a bias. Weights are named ``LAYER/PART/kernel`` and ``.../bias``, kernels in Keras' order
(height, width, in, out).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import NetworkError
from stream_dream.networks.quiet_keras import keras_defaults
from stream_dream.networks.spec import CLASSES, Layer

if TYPE_CHECKING:
    import keras

Arrays = Mapping[str, NDArray[np.float32]]

_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280
_CLASS_COUNT = 1000
# (repeats, kernel, stride, expansion, channels in, channels out): table 1 of the EfficientNet
# paper, unchanged in Lite.
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


class Variant(NamedTuple):
    """One size of the family: width and depth relative to the smallest."""

    name: str
    width: float
    depth: float


LITE0 = Variant("efficientnet_lite0", 1.0, 1.0)
LITE1 = Variant("efficientnet_lite1", 1.0, 1.1)
LITE2 = Variant("efficientnet_lite2", 1.1, 1.2)


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


def blocks(variant: Variant = LITE0) -> Iterator[Block]:
    """Yield the blocks from the image upward."""
    index, channels_in = 0, _STEM_CHANNELS
    for stage, (repeats, kernel, stride, expansion, _, base) in enumerate(_STAGES):
        channels = _widened(base, variant.width)
        # Lite scales neither the depth of the first and the last stage nor the stem's width.
        if 0 < stage < len(_STAGES) - 1:
            repeats = math.ceil(repeats * variant.depth)
        for repeat in range(repeats):
            yield Block(
                name=f"block{index}",
                kernel=kernel,
                stride=1 if repeat else stride,
                expansion=expansion,
                channels_in=channels_in,
                channels=channels,
            )
            index, channels_in = index + 1, channels


def _widened(channels: int, width: float) -> int:
    """Scale to a multiple of 8, the nearest unless over a tenth too low (MobileNet's rule)."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * scaled else rounded + 8


def layers(variant: Variant, dreams: Mapping[str, str]) -> tuple[Layer, ...]:
    """Return the layers, described by ``dreams``."""
    stride = 2
    listed = [Layer("stem", _STEM_CHANNELS, stride, dreams.get("stem", ""))]
    for block in blocks(variant):
        stride *= block.stride
        listed.append(Layer(block.name, block.channels, stride, dreams.get(block.name, "")))
    return (*listed, Layer("head", _HEAD_CHANNELS, stride, dreams.get("head", "")))


@keras_defaults()
def build(variant: Variant, names: Sequence[str], weights: Arrays | None) -> keras.Model:
    """Build the network up to the deepest of the named layers.

    Args:
        variant: Size of the network.
        names: Layer names, such as ``block10``, or ``CLASSES``: the score of each class at each
            position (the mean is the score of the picture).
        weights: Folded kernels and biases by name; None for random ones.

    Returns:
        A Keras model from float32 RGB in [0, 1], (batch, height, width, 3), to the layer's
        activations, or for several layers to a list in the order of ``names``.

    Raises:
        NetworkError: A weight is missing or has another shape.
    """
    import keras

    image = keras.Input((None, None, 3), name="image")
    outputs: dict[str, keras.KerasTensor] = {}
    for name, output in _outputs(image, variant):
        outputs[name] = output
        if outputs.keys() >= set(names):
            break
    model = keras.Model(image, [outputs[name] for name in names], name=variant.name)
    model.trainable = False
    if weights is not None:
        _assign(model, weights)
    return model


def _outputs(image: keras.KerasTensor, variant: Variant) -> Iterator[tuple[str, keras.KerasTensor]]:
    """Build the layers lazily, from the image upward."""
    from keras.layers import Activation, Conv2D, Rescaling

    from stream_dream.networks.image_convolution import ImageConvolution

    # The original is trained on (value - 127) / 128 of 0..255.
    x = Rescaling(255 / 128, -127 / 128, name="rescaling")(image)
    x = ImageConvolution(_STEM_CHANNELS, 3, 2, padding="same", name="stem_conv")(x)
    x = Activation("relu6", name="stem")(x)
    yield "stem", x
    for block in blocks(variant):
        x = _block(x, block)
        yield block.name, x
    x = Conv2D(_HEAD_CHANNELS, 1, name="head_conv")(x)
    x = Activation("relu6", name="head")(x)
    yield "head", x
    # The original pools first: the mean of the scores is the score of the mean.
    yield CLASSES, Conv2D(_CLASS_COUNT, 1, name="classifier_scores")(x)


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


def _assign(model: keras.Model, weights: Arrays) -> None:
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
                    f"weights do not fit {model.name}: {key}/{suffix} is {found}, "
                    f"expected shape {tuple(variable.shape)}"
                )
            values.append(value)
        layer.set_weights(values)
