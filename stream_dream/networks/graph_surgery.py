"""Reduce a Keras network to the layers that dreaming needs, and make it faster.

Layers behind the deepest one in use are removed; batch norms are folded into the convolutions
before them; the input takes images of any size; a classifier becomes a layer that scores every
position.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from keras.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    Reshape,
    SeparableConv2D,
)

from stream_dream.errors import NetworkError, first_line
from stream_dream.networks import spec as ours
from stream_dream.networks.spec import CLASSES

_PROBE = 512
_POOLING = (GlobalAveragePooling2D, GlobalMaxPooling2D, Flatten, Reshape, Dropout)
_CONVOLUTIONS = (Conv2D, DepthwiseConv2D, SeparableConv2D)
# Intermediate stages of another layer, unless they have their own activation.
_PARTS = (
    *_CONVOLUTIONS,
    BatchNormalization,
    Dropout,
    keras.layers.Cropping2D,
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.ZeroPadding2D,
)


class _Call(NamedTuple):
    """One call of a layer in the network."""

    layer: Any
    inputs: tuple[int, ...]
    output: Any
    training: bool


def _calls(model: keras.Model, shape: tuple[int | None, ...]) -> tuple[Any, list[_Call]]:
    """Return a symbolic image of that shape, and the layer calls from there upward."""
    calls: list[_Call] = []

    def record(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        given = keras.tree.flatten((args, kwargs))
        inputs = tuple(id(tensor) for tensor in given if isinstance(tensor, keras.KerasTensor))
        calls.append(_Call(layer, inputs, output, bool(kwargs.get("training"))))
        return output

    image = keras.Input(shape)
    _walk(model, image, lambda layer: layer, record)
    return image, calls


def _walk(model: keras.Model, image: Any, make: Any, call: Any, start: Any = None) -> list[Any]:
    """Call a network's layers again on another symbolic image, and return the outputs.

    ``make`` returns the replacement of a layer and ``call`` calls it; ``start`` is the input of the
    first layers instead of the image itself.
    """

    def call_from_start(layer: Any, *args: Any, **kwargs: Any) -> Any:
        layer = _of_any_size(layer)
        if start is not None:
            args, kwargs = keras.tree.map_structure(
                lambda x: start if x is image else x, (args, kwargs)
            )
        return call(layer, *args, **kwargs)

    graph = keras.Model(model.inputs, model.outputs)
    walked = keras.models.clone_model(
        graph, input_tensors=[image], clone_function=make, call_function=call_from_start
    )
    return list(walked.outputs)


def _of_any_size(layer: Any) -> Any:
    """Return a layer; if it is a network, one for pictures of any size."""
    if not isinstance(layer, keras.Model) or len(layer.inputs) != 1:
        return layer
    shape = layer.inputs[0].shape
    if len(shape) != 4 or None in shape[1:3]:
        return layer
    anything = keras.Input((None, None, shape[-1]))
    try:
        outputs = _walk(layer, anything, lambda part: part, lambda part, *a, **k: part(*a, **k))
    except (ValueError, TypeError):  # for example a classifier
        return layer
    return keras.Model(anything, outputs if len(outputs) > 1 else outputs[0], name=layer.name)


def _maps(model: keras.Model) -> keras.Model:
    """Return a network without its classifier: all layers that lead to maps of positions."""
    image, calls = _calls(model, model.input_shape[1:])
    shapes = [tuple(getattr(call.output, "shape", ())) for call in calls]
    ends = [
        call.output
        for call, shape in zip(calls, shapes, strict=True)
        if len(shape) == 4 and shape[1:3] != (1, 1)
    ]
    return keras.Model(image, ends) if ends else model


def describe(model: keras.Model) -> tuple[ours.Layer, ...]:
    """Return the layers of a network that have a map of positions, not finer than the image."""
    maps = _maps(model)
    (_, small), (_, large) = (_calls(maps, (side, side, 3)) for side in (_PROBE, 2 * _PROBE))
    listed = []
    for one, two in zip(small, large, strict=True):
        before, after = (tuple(getattr(call.output, "shape", ())) for call in (one, two))
        if isinstance(one.layer, Layer) and len(before) == 4 and before[1] != after[1]:
            stride = round(_PROBE / (after[1] - before[1]))
            role = _role(one.layer)
            if stride > 0:  # 0 for maps finer than the image
                listed.append(ours.Layer(one.layer.name, int(before[3]), stride, role=role))
    return tuple(listed)


def _role(layer: Layer) -> Literal["block", "step", "part"]:
    if isinstance(layer, keras.layers.Add | keras.layers.Concatenate):
        return "block"
    linear = keras.activations.linear
    has_activation = getattr(layer, "activation", linear) is not linear
    return "part" if isinstance(layer, _PARTS) and not has_activation else "step"


def cut(
    model: keras.Model,
    names: Sequence[str],
    *,
    prepare: Callable[[Any], Any] = lambda image: image,
    fold: bool = True,
) -> keras.Model:
    """Return the part of a network that leads from an image to the named layers.

    Args:
        model: A functional network with one image input.
        names: Names of its layers; ``CLASSES`` for its classifier without the global pooling:
            pooling is a mean and the layer behind it linear, so the mean of the scores over all
            positions is the score of the mean (Zhou et al., 2016: class activation mapping).
        prepare: Scales a symbolic image in [0, 1] to the values that the network expects.
        fold: False to keep batch norms.

    Returns:
        A model from (batch, height, width, 3) to the activations, in the order of ``names``.

    Raises:
        NetworkError: The network cannot be called on images of any size, or has no classifier.
    """
    image, calls = _calls(model, model.input_shape[1:])
    by_name = {call.layer.name: call.output for call in calls}
    if CLASSES in names and len(model.outputs) > 1:
        raise NetworkError(f"{model.name} has {len(model.outputs)} outputs: no classifier is meant")
    ends = [calls[-1].output if name == CLASSES else by_name[name] for name in names]
    surgeon = _Surgeon(
        folded=_foldable(calls, set(names)) if fold else {},
        tail=_tail(calls) if CLASSES in names else {},
    )
    anything = keras.Input((None, None, 3), name="image")
    try:
        needed = keras.Model(image, ends)
        outputs = _walk(needed, anything, surgeon.make, surgeon.call, prepare(anything))
    except (ValueError, TypeError) as error:
        raise NetworkError(
            f"{model.name} cannot be dreamed at {', '.join(names)}: what leads there takes "
            f"pictures of one size only ({first_line(error)})"
        ) from error
    surgeon.assign()
    part = keras.Model(anything, outputs, name=model.name)
    part.trainable = False
    _replace_silu(part)
    return part


class _Surgeon:
    """Replaces layers while a network is called again; all others are shared."""

    def __init__(
        self, folded: Mapping[str, BatchNormalization], tail: Mapping[str, tuple[int, int]]
    ) -> None:
        self._folded = folded
        self._absorbed = {batch_norm.name for batch_norm in folded.values()}
        self._tail = tail
        self._values: list[tuple[Layer, list[Any]]] = []

    def make(self, layer: Any) -> Any:
        """Return a layer or its replacement."""
        new, values = layer, None
        if layer.name in self._folded:
            new = type(layer).from_config({**layer.get_config(), "use_bias": True})
            values = _fold(layer, self._folded[layer.name])
        elif layer.name in self._tail and isinstance(layer, Dense):
            new, values = _position_wise(layer, self._tail[layer.name])
        if values is not None:
            self._values.append((new, values))
        return new

    def call(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a layer, or return the input if the layer is removed."""
        gone = layer.name in self._absorbed or (layer.name in self._tail and _pools(layer))
        return args[0] if gone else layer(*args, **kwargs)

    def assign(self) -> None:
        """Set the weights of the replacements, once they are built."""
        for layer, values in self._values:
            layer.set_weights(values)


def _replace_silu(model: keras.Model) -> None:
    """Replace TensorFlow's SiLU (swish), whose custom gradient keeps every graph for ever.

    Layers are shared with the whole network, which computes the same as before.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _replace_silu(layer)
        elif getattr(layer, "activation", None) is keras.activations.silu:
            layer.activation = _silu


def _silu(maps: Any) -> Any:
    return maps * keras.ops.sigmoid(maps)


def _foldable(calls: Sequence[_Call], wanted: set[str]) -> dict[str, BatchNormalization]:
    """Return the convolutions read by a batch norm only, by name, with that batch norm."""
    readers = Counter(tensor for call in calls for tensor in call.inputs)
    uses = Counter(call.layer.name for call in calls)
    makers = {id(call.output): call.layer for call in calls}
    found = {}
    for call in calls:
        before = makers.get(call.inputs[0]) if len(call.inputs) == 1 else None
        if (
            isinstance(call.layer, BatchNormalization)
            and not call.training
            and isinstance(before, _CONVOLUTIONS)
            and call.layer.axis in (-1, 3)
            and before.activation is keras.activations.linear
            and readers[call.inputs[0]] == uses[before.name] == uses[call.layer.name] == 1
            and before.name not in wanted
        ):
            found[before.name] = call.layer
    return found


def _fold(convolution: Any, batch_norm: BatchNormalization) -> list[Any]:
    """Return kernels and bias of a convolution equivalent to both.

    ``kernel * gamma / sqrt(variance + epsilon)`` and
    ``beta + (bias - mean) * gamma / sqrt(variance + epsilon)``, in float64.
    """

    def value(variable: Any, default: float) -> Any:
        return default if variable is None else variable.numpy().astype(np.float64)

    mean, variance = value(batch_norm.moving_mean, 0), value(batch_norm.moving_variance, 1)
    scale = value(batch_norm.gamma, 1) / np.sqrt(variance + batch_norm.epsilon)
    *kernels, kernel = [
        np.asarray(weight, np.float64)
        for weight in convolution.get_weights()[
            : 2 if isinstance(convolution, SeparableConv2D) else 1
        ]
    ]
    bias = value(convolution.bias if convolution.use_bias else None, 0)
    if isinstance(convolution, DepthwiseConv2D):
        kernel = kernel * scale.reshape((*kernel.shape[2:],))
    else:
        kernel = kernel * scale
    return [*kernels, kernel, value(batch_norm.beta, 0) + (bias - mean) * scale]


def _tail(calls: Sequence[_Call]) -> Mapping[str, tuple[int, int]]:
    """Find the classifier: the layers at the end that have no map of positions.

    Returns, by layer name, (1, 1) or, for the first scoring layer, the (height, width) of the map
    that a ``Flatten`` before it has flattened.

    Raises:
        NetworkError: The network does not end in a classifier.
    """
    shapes = {id(call.output): tuple(call.output.shape) for call in calls}
    tail: dict[str, tuple[int, int]] = {}
    wanted, flattened = {id(calls[-1].output)}, (1, 1)
    for call in reversed(calls):
        shape = shapes[id(call.output)]
        if id(call.output) not in wanted:
            continue
        if len(shape) == 4 and shape[1:3] != (1, 1):
            break
        tail[call.layer.name] = (1, 1)
        wanted |= set(call.inputs)
        before = shapes.get(call.inputs[0], ())
        if isinstance(call.layer, Flatten) and len(before) == 4:
            flattened = before[1:3]
    scoring = [
        call.layer.name
        for call in calls
        if call.layer.name in tail and isinstance(call.layer, Dense | Conv2D)
    ]
    if not scoring:
        raise NetworkError("the network has no classifier: its last layer does not score classes")
    return {name: flattened if name == scoring[0] else (1, 1) for name in tail}


def _pools(layer: Any) -> bool:
    softmax = getattr(layer, "activation", None) is keras.activations.softmax
    return isinstance(layer, _POOLING) or (softmax and not isinstance(layer, Dense))


def _position_wise(dense: Dense, window: tuple[int, int]) -> tuple[Conv2D, list[Any]]:
    """Return the convolution that applies a dense layer at every position."""
    kernel, *bias = dense.get_weights()
    softmax = dense.activation is keras.activations.softmax
    layer = Conv2D(
        dense.units,
        window,
        padding="same",
        activation=None if softmax else dense.activation,
        use_bias=dense.use_bias,
        name=dense.name,
    )
    return layer, [kernel.reshape((*window, -1, dense.units)), *bias]
