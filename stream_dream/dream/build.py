"""Build the network and the objective of the settings, and their gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from stream_dream.dream.gradient import Gradient
from stream_dream.dream.objective import ClassScore, GuidedLayer, LayerEnergy, Objective, Sum
from stream_dream.errors import NetworkError
from stream_dream.frame import Image8
from stream_dream.image import resize, to_float
from stream_dream.networks.registry import find
from stream_dream.networks.spec import CLASSES, NetworkSpec
from stream_dream.networks.wanted import check_wanted, class_of, wanted_layers, weights_of
from stream_dream.settings.dream import DreamSettings

# About the size of guides in Google's notebook: larger ones have more features, not better ones.
_GUIDE_SIDE = 224
_MOST_FEATURES = 1024
_IMAGENET_CLASSES = 1000


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Guide:
    """The guide of a dream, without a picture at first; it may change with every frame.

    Attributes:
        model: From images to the activations of ``layers``.
        layers: Names of the outputs.
        features: Variables for the guide's features, by name of the guided layer.
        smallest: Shortest side that the network takes, in pixels.
    """

    model: keras.Model
    layers: Sequence[str]
    features: Mapping[str, tf.Variable]
    smallest: int

    def show(self, image: Image8) -> None:
        """Set the guide picture: uint8 RGB (height, width, 3) of any size."""
        height, width = image.shape[:2]
        scale = _GUIDE_SIDE / max(height, width)
        size = [max(self.smallest, round(side * scale)) for side in (width, height)]
        shown = to_float(resize(image, (size[0], size[1])))
        activations = keras.tree.flatten(self.model(shown[None], training=False))
        for name, act in zip(self.layers, activations, strict=True):
            if name in self.features:
                found = tf.reshape(tf.cast(act, tf.float32), (-1, act.shape[-1])).numpy()
                kept = np.linspace(0, len(found) - 1, min(len(found), _MOST_FEATURES)).astype(int)
                self.features[name].assign(found[kept])


class Built(NamedTuple):
    """The gradient of a dream.

    Attributes:
        gradient: The gradient.
        guide: The guide; None if there is none.
        weights: Variables for the weights of the objective's terms, in the order of
            ``weights_of``; empty if they are constants.
    """

    gradient: Gradient
    guide: Guide | None
    weights: tuple[tf.Variable, ...]


def build_gradient(settings: DreamSettings, *, varying: bool = False) -> Built:
    """Build the network up to the deepest layer in use, and the gradient of the objective.

    With ``varying``, the weights of layers, guides and classes are variables.

    Raises:
        NetworkError: There is no such network, layer, channel or class; or the weights are not
            available or do not fit.
        SettingsError: The settings contradict each other.
    """
    spec = find(settings.network)
    wanted = wanted_layers(settings, spec)
    check_wanted(settings, spec, wanted)
    features = {
        target.name: tf.Variable(
            tf.zeros((1, spec.layer(target.name).channels)),
            shape=tf.TensorShape((None, spec.layer(target.name).channels)),
            trainable=False,
        )
        for target in wanted.guided
    }
    numbers = weights_of(settings)
    variables = tuple(
        tf.Variable(number, trainable=False, dtype=tf.float32) for number in numbers if varying
    )
    weights = iter(variables or numbers)
    terms: list[Objective] = [
        LayerEnergy(target.name, next(weights), target.channels) for target in wanted.energies
    ]
    terms += [
        GuidedLayer(target.name, features[target.name], next(weights)) for target in wanted.guided
    ]
    terms += [ClassScore(class_of(target.name), next(weights)) for target in settings.classes]
    objective = terms[0] if len(terms) == 1 else Sum(terms)
    model = spec.build(objective.layers, weights=settings.weights or "pretrained")
    if settings.classes:
        _check_classes(settings, spec, model.outputs[objective.layers.index(CLASSES)].shape[-1])
    strides = {name: spec.stride(name) for name in objective.layers}
    gradient = Gradient(model, objective, strides, spec.granularity)
    guide = Guide(model, objective.layers, features, gradient.smallest) if features else None
    return Built(gradient, guide, variables)


def assign_weights(
    variables: Sequence[tf.Variable], settings: DreamSettings, now: DreamSettings
) -> None:
    """Assign weights to the variables of ``Built.weights``; see ``weights_of``."""
    for variable, weight in zip(variables, weights_of(settings, now), strict=True):
        variable.assign(weight)


def _check_classes(settings: DreamSettings, spec: NetworkSpec, count: int) -> None:
    for target in settings.classes:
        if not target.name.isdecimal() and count != _IMAGENET_CLASSES:
            raise NetworkError(
                f"{spec.name} has {count} classes of its own, not ImageNet's: give the number "
                f"instead of {target.name!r}"
            )
        if class_of(target.name) >= count:
            raise NetworkError(f"{spec.name} has no class {target.name}: choose 0 to {count - 1}")
