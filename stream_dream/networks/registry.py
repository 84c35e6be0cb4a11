"""All networks by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stream_dream.errors import NetworkError
from stream_dream.networks import efficientnet_lite
from stream_dream.networks.layers import NetworkSpec

if TYPE_CHECKING:
    import keras

# Looked at, one by one: what each layer makes of a photo and of a video.
_LITE0_DREAMS = {
    "stem": "edges",
    "block0": "edges",
    "block1": "edges",
    "block2": "edges",
    "block3": "edges",
    "block4": "edges",
    "block5": "edges",
    "block6": "edges",
    "block7": "edges",
    "block8": "edges",
    "block9": "edges",
    "block10": "edges",
    "block11": "edges",
    "block12": "edges",
    "block13": "edges",
    "block14": "edges",
    "block15": "edges",
}

_SPECS: dict[str, NetworkSpec] = {}


def register(spec: NetworkSpec) -> None:
    """Make a network known by its name, in place of any earlier one of that name."""
    _SPECS[spec.name] = spec


def networks() -> tuple[NetworkSpec, ...]:
    """Return all known networks, in the order of their registration."""
    return tuple(_SPECS.values())


def find(name: str) -> NetworkSpec:
    """Return the network of that name. Raises ``NetworkError`` with the nearest names."""
    if name not in _SPECS:
        nearest = difflib.get_close_matches(name, _SPECS, n=3) or list(_SPECS)
        raise NetworkError(f"there is no network {name!r}: did you mean {', '.join(nearest)}?")
    return _SPECS[name]


def _build_lite0(names: Sequence[str]) -> keras.Model:
    return efficientnet_lite.build(names, efficientnet_lite.embedded_weights())


register(
    NetworkSpec(
        name="efficientnet_lite0",
        summary="EfficientNet-Lite0, ImageNet; embedded, works offline",
        layers=efficientnet_lite.layers(_LITE0_DREAMS),
        build=_build_lite0,
    )
)
