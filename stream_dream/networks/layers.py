"""What is known of a network without building it (no TensorFlow)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_dream.errors import NetworkError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer that can be dreamed.

    Attributes:
        name: As used in ``--layer``.
        channels: Depth of its activations.
        stride: Image pixels per step of its feature map.
        dreams: A word or two on what it dreams.
    """

    name: str
    channels: int
    stride: int
    dreams: str = ""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network that can be asked for by name.

    Attributes:
        name: As used in ``--network``.
        summary: One line on what it is and where its weights come from.
        layers: Its layers, from the image upward.
        build: Takes layer names and returns a Keras model from images, float32 RGB in [0, 1] of
            shape (batch, height, width, 3), to the list of these layers' activations; nothing
            behind the deepest of them is part of the model.
    """

    name: str
    summary: str
    layers: tuple[Layer, ...]
    build: Callable[[Sequence[str]], keras.Model]

    def layer(self, name: str) -> Layer:
        """Return the layer of that name. Raises ``NetworkError`` with the nearest names."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in self.layers]
        nearest = difflib.get_close_matches(name, names, n=3) or names
        raise NetworkError(
            f"network {self.name} has no layer {name!r}: did you mean {', '.join(nearest)}? "
            f"(all of them: stream-dream networks {self.name})"
        )
