"""Finds new looks by chance, from ingredients that are known to go together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stream_dream.presets import Preset
from stream_dream.settings import DreamSettings, merged

SURPRISE = "surprise"
"""What is given to ``--preset`` for a look that a seed decides on."""

NETWORK = "efficientnet_lite0"
"""The network that the ingredients are of."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Depth:
    """What goes together at one depth of the network.

    Attributes:
        layers: Neighbours, from the image upward.
        octaves: Numbers of octaves that suit their shapes.
        octave_scales: Size ratios that suit them.
        paces: Step sizes, in those of the model's default.
        jitters: In dream pixels.
        suits: What footage it suits.
    """

    layers: tuple[str, ...]
    octaves: tuple[int, ...]
    octave_scales: tuple[float, ...]
    paces: tuple[float, ...]
    jitters: tuple[int, ...]
    suits: str


_LINES = _Depth(
    layers=("block3", "block4", "block5"),
    octaves=(2, 3),
    octave_scales=(1.3, 1.5),
    paces=(0.6, 0.8),
    jitters=(8,),
    suits="drawings, buildings, portraits",
)
_ORNAMENT = _Depth(
    layers=("block5", "block6", "block7"),
    octaves=(2, 3),
    octave_scales=(1.4, 1.6, 1.8),
    paces=(0.8, 1.0),
    jitters=(4, 8),
    suits="drawings, water, soft shapes",
)
_EYES = _Depth(
    layers=("block7", "block8", "block9"),
    octaves=(2, 3, 4),
    octave_scales=(1.3, 1.4),
    paces=(0.9, 1.1),
    jitters=(4, 8, 16),
    suits="faces, foliage, crowds",
)
_CREATURES = _Depth(
    layers=("block9", "block10", "block11"),
    octaves=(3, 4),
    octave_scales=(1.3, 1.4),
    paces=(1.0, 1.2),
    jitters=(4, 8, 16),
    suits="faces and animals, any footage",
)
_BEASTS = _Depth(
    layers=("block11", "block12", "block13"),
    octaves=(4, 5),
    octave_scales=(1.3, 1.4),
    paces=(1.1, 1.3),
    jitters=(8, 16),
    suits="landscapes, crowds",
)
_DEPTHS = (_LINES, _ORNAMENT, _EYES, _CREATURES, _BEASTS)

# Looked at, one by one, on two photos: channels that dream something of their own.
_CHANNELS: dict[str, tuple[_Depth, tuple[int, ...]]] = {
    "block8": (_EYES, (1,)),
}

# The same of classes, by their names in ImageNet.
_CLASSES = ("peacock",)


def surprise(seed: int) -> Preset:
    """Return the look that a seed stands for, the same on every machine.

    Layers and channels are weighed like those of the shipped looks; steps are as long, in terms of
    the default, as suits the depth. The seed is that of the dream, too.
    """
    rng = random.Random(seed)
    depth, what = _pick(rng, (_whole_layer, _neighbours, _channels, _channels, _class))(rng)
    values = {
        "network": NETWORK,
        "octaves": _pick(rng, depth.octaves),
        "octave_scale": _pick(rng, depth.octave_scales),
        "step_size": round(_pick(rng, depth.paces) * DreamSettings().step_size, 5),
        "jitter": _pick(rng, depth.jitters),
        "seed": seed,
    }
    return Preset(
        name=SURPRISE,
        description=f"What chance made of seed {seed}",
        dream=merged(DreamSettings(), values | what),
        suits=depth.suits,
    )


def _whole_layer(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    depth = _pick(rng, _DEPTHS)
    return depth, {"layer": [_pick(rng, depth.layers)]}


def _neighbours(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    """Choose a layer and less of the one before or behind it."""
    depth = _pick(rng, _DEPTHS)
    place = _pick(rng, range(len(depth.layers) - 1))
    pair = depth.layers[place : place + 2]
    main, other = pair if rng.random() < 0.5 else pair[::-1]
    return depth, {"layer": [main, f"{other}={_pick(rng, (0.3, 0.5, 0.8))}"]}


def _channels(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    """Choose one or two channels, with or without a little of their whole layer."""
    layer = _pick(rng, tuple(_CHANNELS))
    depth, channels = _CHANNELS[layer]
    first, second = _pick(rng, channels), _pick(rng, channels)
    numbers = dict.fromkeys((first, second) if rng.random() < 0.5 else (first,))
    dreamed = [f"{layer}:{','.join(map(str, numbers))}"]
    return depth, {"layer": dreamed + ([f"{layer}=0.3"] if rng.random() < 0.5 else [])}


def _class(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    return _BEASTS, {"class": [_pick(rng, _CLASSES)]}


def _pick(rng: random.Random, items: Sequence[_T]) -> _T:
    # Not rng.choice(): of a seed's results Python promises only those of random() for good.
    return items[int(rng.random() * len(items))]
