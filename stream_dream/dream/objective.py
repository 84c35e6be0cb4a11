"""What ascent maximises.

An objective names the layers it looks at and turns their activations into one number. Objectives
add up with ``Sum``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

# Positions nearer than this to the border of a layer's map do not count: zero padding makes their
# activations meaningless (Keras' DeepDream example).
BORDER = 2


class Objective(Protocol):
    """What ascent maximises."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers it looks at."""

    def __call__(self, activations: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return a scalar to be maximised.

        Args:
            activations: By layer name, float32 (batch, height, width, channels).
        """


@dataclass(frozen=True, slots=True)
class LayerEnergy:
    """How strongly a layer, or some of its channels, responds.

    ``weight * sum(square(act[:, 2:-2, 2:-2, channels])) / size(act)``, where the border crop is
    left out for maps too small for it and ``size`` counts all elements of the chosen channels.

    Attributes:
        layer: Name of the layer.
        weight: Factor; negative weights suppress.
        channels: Channel numbers; empty for all.

    Source:
        Keras' DeepDream example, after Mordvintsev, Olah and Tyka: Inceptionism (2015).
    """

    layer: str
    weight: float = 1.0
    channels: tuple[int, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """The one layer."""
        return (self.layer,)

    def __call__(self, activations: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the weighted energy."""
        import tensorflow as tf

        act = activations[self.layer]
        if self.channels:
            act = tf.gather(act, list(self.channels), axis=-1)
        size = tf.cast(tf.size(act), act.dtype)
        _, height, width, _ = act.shape
        if height > 2 * BORDER and width > 2 * BORDER:
            # Masked, not sliced: the gradient of a slice takes as long as a block (measured).
            mask = np.zeros((height, width, 1), np.float32)
            mask[BORDER:-BORDER, BORDER:-BORDER] = 1
            act *= mask
        return self.weight * tf.reduce_sum(tf.square(act)) / size


@dataclass(frozen=True, slots=True)
class Sum:
    """Several objectives at once: their sum."""

    terms: Sequence[Objective]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of all terms, each once, in order."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.layers))

    def __call__(self, activations: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the sum."""
        import tensorflow as tf

        return tf.add_n([term(activations) for term in self.terms])
