"""The registry of networks, by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_dream.errors import NetworkError
from stream_dream.networks import (
    applications,
    efficientnet_lite,
    efficientnet_lite_weights,
    inception_v1,
    own_model,
)
from stream_dream.networks.efficientnet_lite import LITE0, LITE1, LITE2, Variant
from stream_dream.networks.spec import CLASSES, NetworkSpec, Weights
from stream_dream.runtime.plugins import NETWORKS, attempt, loaded, warn

if TYPE_CHECKING:
    import keras

# Judged by eye from each layer's dreams of a photo and a video.
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
    "head": "tufts",
}

_SPECS: dict[str, NetworkSpec] = {}


def register(spec: NetworkSpec) -> None:
    """Register a network under its name, replacing any earlier one of that name."""
    _SPECS[spec.name] = spec


def networks() -> tuple[NetworkSpec, ...]:
    """Return all networks, in order of registration, then those of plug-ins."""
    return (*_SPECS.values(), *(spec for _, spec in _of_plugins()))


def provider(name: str) -> str:
    """Return the plug-in that a network is from, such as ``my-nets 1.2``; "" if from none."""
    return next((package for package, spec in _of_plugins() if spec.name == name), "")


def find(name: str) -> NetworkSpec:
    """Return the network of that name, or a user's own model by the path of its file.

    Case, underscores and hyphens are ignored: ``ResNet50_V2`` is ``resnet50v2``. Plug-ins are
    imported only if no other network has the name.

    Raises:
        NetworkError: There is no such network; the message suggests the nearest names.
    """
    if Path(name).suffix in own_model.SUFFIXES:
        return own_model.spec_of(Path(name))
    plain = {_plain(known): spec for known, spec in _SPECS.items()}
    if _plain(name) not in plain:
        plain |= {_plain(spec.name): spec for _, spec in _of_plugins()}
    if _plain(name) not in plain:
        nearest = difflib.get_close_matches(_plain(name), plain, n=3)
        names = [plain[near].name for near in nearest] or list(_SPECS)[:4]
        raise NetworkError(
            f"there is no network {name!r}: did you mean {', '.join(names)}? (all of them: "
            "stream-dream networks; a model of your own: the path of its .keras file)"
        )
    return plain[_plain(name)]


def _of_plugins() -> list[tuple[str, NetworkSpec]]:
    """Return networks and the plug-ins they are from; a name that is taken is left out."""
    taken = {_plain(name): "stream-dream" for name in _SPECS}
    found = []
    for package, spec in _offered():
        name = _plain(spec.name)
        if name in taken:
            problem = f"{taken[name]} has that name"
        elif not name or Path(spec.name).suffix in own_model.SUFFIXES:
            problem = "that is no name of a network"
        else:
            taken[name] = package
            found.append((package, spec))
            continue
        warn(f"the network {spec.name!r} of the plug-in {package}", f"left out: {problem}")
    return found


@cache
def _offered() -> tuple[tuple[str, NetworkSpec], ...]:
    return tuple(
        (plugin.provider, spec)
        for plugin, value in loaded(NETWORKS)
        for spec in attempt(plugin, _specs_of, value) or ()
    )


def _specs_of(value: Any) -> list[NetworkSpec]:
    if not isinstance(value, NetworkSpec) and callable(value):
        value = value()
    specs = [value] if isinstance(value, NetworkSpec) else list(value)
    for spec in specs:
        if not isinstance(spec, NetworkSpec):
            raise TypeError(f"it gives {type(spec).__name__}, not NetworkSpec")
    return specs


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _build_lite(
    variant: Variant,
    names: Sequence[str],
    *,
    weights: Weights = "pretrained",
    fold: bool = True,  # no effect: the weights are folded already
) -> keras.Model:
    arrays: efficientnet_lite.Arrays | None
    if isinstance(weights, Path):
        arrays = efficientnet_lite_weights.read_file(weights, variant)
    elif weights == "random":
        arrays = None
    elif variant is LITE0:
        classifier = not {"head", CLASSES}.isdisjoint(names)
        arrays = efficientnet_lite_weights.embedded_weights(classifier=classifier)
    else:
        arrays = efficientnet_lite_weights.pretrained(variant)
    return efficientnet_lite.build(variant, names, arrays)


def _lite(
    variant: Variant, summary: str, origin: str, megabytes: float, dreams: Mapping[str, str]
) -> NetworkSpec:
    return NetworkSpec(
        name=variant.name,
        summary=summary,
        origin=origin,
        megabytes=megabytes,
        favourites=(),
        list_layers=partial(efficientnet_lite.layers, variant, dreams),
        build=partial(_build_lite, variant),
        is_fetched=None
        if variant is LITE0
        else lambda: bool(efficientnet_lite_weights.checkpoints(variant)),
    )


_EXTRA = "stream-dream[lite]"
register(_lite(LITE0, "EfficientNet-Lite0, ImageNet", "embedded", 10, _LITE0_DREAMS))
register(_lite(LITE1, "EfficientNet-Lite1, ImageNet", _EXTRA, 22, {}))
register(_lite(LITE2, "EfficientNet-Lite2, ImageNet", _EXTRA, 25, {}))
register(inception_v1.spec())
for _application in applications.APPLICATIONS:
    register(applications.spec(_application))
