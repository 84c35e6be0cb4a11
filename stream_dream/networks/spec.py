"""What is known of a network without building it (no TensorFlow)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from stream_dream.errors import NetworkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

# The "layer" of a classifier: the score of each class, position by position.
CLASSES = "classes"

_FAVOURITE_STRIDE = 16

Weights = Path | Literal["pretrained", "random"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer that can be dreamed.

    Attributes:
        name: As used in ``--layer``.
        channels: Depth of its activations.
        stride: Image pixels per step of its feature map.
        dreams: A word or two on what it dreams.
        role: "block" where a block of the network ends; "part" if it is only a stage of a layer
            that follows at once, such as a convolution whose batch norm and activation are layers
            of their own; "step" otherwise.
    """

    name: str
    channels: int
    stride: int
    dreams: str = ""
    role: Literal["block", "step", "part"] = "block"


class Builder(Protocol):
    """Builds a network as far as it is needed."""

    def __call__(
        self, names: Sequence[str], *, weights: Weights = "pretrained", fold: bool = True
    ) -> keras.Model:
        """Return a Keras model, nothing behind the deepest of the named layers being part of it.

        Args:
            names: Layer names, or ``CLASSES``.
            weights: The network's own, a local file, or "random" for measuring.
            fold: False keeps batch norms that could be folded into convolutions.

        Returns:
            From images, float32 RGB in [0, 1] of shape (batch, height, width, 3), to the layer's
            activations, or to the list of them in the order of ``names`` if there are several.

        Raises:
            NetworkError: The weights cannot be had or do not fit.
        """


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network that can be asked for by name.

    Attributes:
        name: As used in ``--network``.
        summary: One line on what it is.
        origin: Where its weights come from: "embedded", "download", "stream-dream[lite]", "file".
        megabytes: Size of its weights as they come, 0 if unknown.
        favourites: What is dreamed if no layer is asked for, as in ``--layer``; where it is empty,
            the last block of stride 16: heads and eyes live there in all these networks.
        list_layers: Lists its layers, from the image upward; needs no weights.
        build: Builds it.
        granularity: The sides of the pictures that it takes are multiples of this, in pixels; None
            where nobody knows before it is built.
        fetch: Downloads the weights if they are not there yet; given a function that is told
            (file name, bytes so far, bytes in all or 0).
        is_fetched: Tells whether the weights are on this machine, without fetching them; None
            where they always are.
    """

    name: str
    summary: str
    origin: str
    megabytes: float
    favourites: tuple[str, ...]
    list_layers: Callable[[], tuple[Layer, ...]]
    build: Builder
    granularity: int | None = 1
    fetch: Callable[[Callable[[str, int, int], None]], object] | None = None
    is_fetched: Callable[[], bool] | None = None

    def has_weights(self) -> bool:
        """Return whether it can be dreamed at once, without a download or another package."""
        return self.is_fetched is None or self.is_fetched()

    def default_layers(self) -> tuple[str, ...]:
        """Return what is dreamed if no layer is asked for."""
        if self.favourites:
            return self.favourites
        layers = [layer for layer in self.list_layers() if layer.role != "part"]
        layers = [layer for layer in layers if layer.stride == _FAVOURITE_STRIDE] or layers
        layers = [layer for layer in layers if layer.role == "block"] or layers
        if not layers:
            raise NetworkError(f"network {self.name} has no layer that keeps a picture's shape")
        return (layers[-1].name,)

    def stride(self, name: str) -> int:
        """Return the stride of a layer or, for ``CLASSES``, of the map that is classified."""
        return self.list_layers()[-1].stride if name == CLASSES else self.layer(name).stride

    def layer(self, name: str) -> Layer:
        """Return the layer of that name. Raises ``NetworkError`` with the nearest names."""
        layers = self.list_layers()
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        main = [layer.name for layer in layers if layer.role != "part"]
        nearest = difflib.get_close_matches(name, names, n=3) or main[-3:]
        raise NetworkError(
            f"network {self.name} has no layer {name!r}: did you mean {', '.join(nearest)}? "
            f"(all of them: stream-dream networks {self.name})"
        )


def snake_case(name: str) -> str:
    """Return ``depthwise_conv2d`` for ``DepthwiseConv2D``, as Keras does."""
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", parted).lower()
