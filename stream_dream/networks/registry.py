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
    "stem": "grain",
    "block0": "hatching",
    "block1": "ribbons",
    "block2": "tiles",
    "block3": "stripes",
    "block4": "zigzags",
    "block5": "ripples",
    "block6": "spirals",
    "block7": "rings",
    "block8": "eyes",
    "block9": "eyes, snouts",
    "block10": "dogs",
    "block11": "scales",
    "block12": "blossoms, scales",
    "block13": "birds",
    "block14": "plumage",
    "block15": "ornaments",
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
