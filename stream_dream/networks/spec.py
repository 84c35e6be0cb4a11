"""Specifications of networks and layers, known without TensorFlow."""

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

# Layer name of a classifier: the score of each class at each position.
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
        dreams: A word or two on the look of its dreams.
        role: "block" at the end of a block of the network; "part" for an intermediate stage, such
            as a convolution whose batch norm and activation are separate layers; "step" otherwise.
    """

    name: str
    channels: int
    stride: int
    dreams: str = ""
    role: Literal["block", "step", "part"] = "block"


class Builder(Protocol):
    """Builds a network up to the layers in use."""

    def __call__(
        self, names: Sequence[str], *, weights: Weights = "pretrained", fold: bool = True
    ) -> keras.Model:
        """Return a Keras model that ends at the deepest of the named layers.

        Args:
            names: Layer names, or ``CLASSES``.
            weights: The network's own, a local file, or "random" for benchmarks.
            fold: False to keep batch norms instead of folding them into convolutions.

        Returns:
            From images, float32 RGB in [0, 1] of shape (batch, height, width, 3), to the layer's
            activations, or for several layers to a list in the order of ``names``.

        Raises:
            NetworkError: The weights are not available or do not fit.
        """


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network, by name.

    Attributes:
        name: As used in ``--network``.
        summary: Description in one line.
        origin: Origin of the weights: "embedded", "download", "stream-dream[lite]", "file".
        megabytes: Size of the weights on disk, 0 if unknown.
        favourites: Default layers, as in ``--layer``; if empty, the last block of stride 16, which
            dreams heads and eyes in all these networks.
        list_layers: Lists the layers, from the image upward, without weights.
        build: Builds the network.
        granularity: Sides of pictures must be multiples of this, in pixels; None if unknown before
            the network is built.
        fetch: Downloads missing weights; calls a function with (file name, bytes so far, bytes in
            all or 0).
        is_fetched: Returns whether the weights are on this machine; None if they always are.
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
        """Return whether the network can be used without a download or another package."""
        return self.is_fetched is None or self.is_fetched()

    def default_layers(self) -> tuple[str, ...]:
        """Return the layers that are dreamed by default."""
        if self.favourites:
            return self.favourites
        layers = [layer for layer in self.list_layers() if layer.role != "part"]
        layers = [layer for layer in layers if layer.stride == _FAVOURITE_STRIDE] or layers
        layers = [layer for layer in layers if layer.role == "block"] or layers
        if not layers:
            raise NetworkError(f"network {self.name} has no layer that keeps a picture's shape")
        return (layers[-1].name,)

    def stride(self, name: str) -> int:
        """Return the stride of a layer or, for ``CLASSES``, of the last map."""
        return self.list_layers()[-1].stride if name == CLASSES else self.layer(name).stride

    def layer(self, name: str) -> Layer:
        """Return the layer of that name, or raise ``NetworkError`` with the nearest names."""
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
