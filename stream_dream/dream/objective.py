"""Objectives: what ascent maximises.

An objective names the layers it reads and reduces their activations to one number a picture.
Objectives add up with ``Sum``. Each is a sum over positions, divided by their number in the whole
picture, so the gradients of tiles or halves add up to that of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import tensorflow as tf

from stream_dream.networks.spec import CLASSES

# Positions nearer than this to the border of a layer's map do not count: zero padding makes their
# activations meaningless (Keras' DeepDream example).
BORDER = 2


class Seen(NamedTuple):
    """Activations of a layer for a batch of pictures, or for the same tile or half of each.

    Attributes:
        act: Activations, float32 (batch, height, width, channels).
        counted: 1 for positions that count, 0 for those near the picture's border and those that
            belong to another tile or half; float32 (height, width, 1).
        positions: Number of positions of the layer's map of the whole picture.
    """

    act: tf.Tensor
    counted: tf.Tensor
    positions: float


class Objective(Protocol):
    """What ascent maximises."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers it reads."""

    def __call__(self, seen: Mapping[str, Seen]) -> tf.Tensor:
        """Return the objective of each picture, (batch,), from the layers by name."""


@dataclass(frozen=True, slots=True)
class LayerEnergy:
    """The energy of a layer or of some of its channels.

    ``weight * sum(square(act[:, 2:-2, 2:-2, channels])) / size(act)``, without the border crop for
    maps too small for it; ``size`` counts all elements of the chosen channels.

    Attributes:
        layer: Name of the layer.
        weight: Factor; negative weights suppress. A variable changes without a new trace.
        channels: Channel numbers; empty for all. A variable changes without a new trace.

    Source:
        Keras' DeepDream example, after Mordvintsev, Olah and Tyka: Inceptionism (2015).
    """

    layer: str
    weight: float | tf.Variable = 1.0
    channels: tuple[int | tf.Variable, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """The one layer."""
        return (self.layer,)

    def __call__(self, seen: Mapping[str, Seen]) -> tf.Tensor:
        """Return the weighted energy."""
        act, counted, positions = seen[self.layer]
        if self.channels:
            act = tf.gather(act, list(self.channels), axis=-1)
        # Masked, not sliced: the gradient of a slice takes as long as a block (measured).
        energy = tf.reduce_sum(tf.square(act * counted), axis=(1, 2, 3))
        return self.weight * energy / (positions * act.shape[-1])


@dataclass(frozen=True, slots=True)
class GuidedLayer:
    """The match between a layer and the features of a guide picture.

    ``weight * sum_p max_j <act_p, guide_j> / size(act)``: for each position ``p`` that counts, the
    gradient is the guide's feature ``j`` with the largest dot product.

    Attributes:
        layer: Name of the layer.
        features: The layer's activations for the guide, float32 (positions, channels); a variable,
            so that each frame can have its own guide.
        weight: Factor; negative weights lead away from the guide.

    Source:
        Google's DeepDream notebook (2015), "Controlling dreams".
    """

    layer: str
    features: tf.Variable
    weight: float | tf.Variable = 1.0

    @property
    def layers(self) -> tuple[str, ...]:
        """The one layer."""
        return (self.layer,)

    def __call__(self, seen: Mapping[str, Seen]) -> tf.Tensor:
        """Return the weighted match."""
        act, counted, positions = seen[self.layer]
        channels = act.shape[-1]
        flat = tf.reshape(act, (-1, channels))
        matches = tf.reduce_max(tf.matmul(flat, self.features, transpose_b=True), axis=1)
        matches = tf.reshape(matches, tf.shape(act)[:3])
        total = tf.reduce_sum(matches * counted[..., 0], axis=(1, 2))
        return self.weight * total / (positions * channels)


@dataclass(frozen=True, slots=True)
class ClassScore:
    """The classifier's score of one class.

    ``weight * sum_p score_p[number] / positions``: the classifier's score before its softmax,
    averaged over the positions of the last map (class activation mapping).

    Attributes:
        number: The class.
        weight: Factor; negative weights lead away from it.

    Source:
        Simonyan, Vedaldi and Zisserman: Deep inside convolutional networks (2013), the class score;
        Zhou et al.: Learning deep features for discriminative localization (2016), by position.
    """

    number: int
    weight: float | tf.Variable = 1.0

    @property
    def layers(self) -> tuple[str, ...]:
        """The classifier."""
        return (CLASSES,)

    def __call__(self, seen: Mapping[str, Seen]) -> tf.Tensor:
        """Return the weighted score."""
        act, counted, positions = seen[CLASSES]
        score = tf.reduce_sum(act[..., self.number] * counted[..., 0], axis=(1, 2))
        return self.weight * score / positions


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of several objectives."""

    terms: Sequence[Objective]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of all terms, each once, in order."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.layers))

    def __call__(self, seen: Mapping[str, Seen]) -> tf.Tensor:
        """Return the sum."""
        # Not with ``add_n``, whose order of addition depends on timing.
        first, *others = (term(seen) for term in self.terms)
        return sum(others, first)
