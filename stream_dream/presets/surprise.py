"""Finds new looks by chance, from ingredients that are known to go together."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
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
    octaves=(4, 5),
    octave_scales=(1.4, 1.5),
    paces=(0.7, 0.9),
    jitters=(8,),
    suits="drawings, buildings, portraits",
)
_ORNAMENT = _Depth(
    layers=("block5", "block6", "block7"),
    octaves=(4, 5),
    octave_scales=(1.4, 1.5, 1.6),
    paces=(0.8, 1.0),
    jitters=(8, 16),
    suits="drawings, water, soft shapes",
)
_EYES = _Depth(
    layers=("block7", "block8", "block9"),
    octaves=(4, 5),
    octave_scales=(1.4, 1.5),
    paces=(0.9, 1.0, 1.1),
    jitters=(8, 16),
    suits="faces, foliage, crowds",
)
_CREATURES = _Depth(
    layers=("block9", "block10", "block11"),
    octaves=(4, 5),
    octave_scales=(1.4, 1.5),
    paces=(1.0, 1.2),
    jitters=(8, 16),
    suits="faces and animals, any footage",
)
_BEASTS = _Depth(
    layers=("block11", "block12", "block13"),
    octaves=(4, 5),
    octave_scales=(1.4,),
    paces=(1.1, 1.3),
    jitters=(16, 32),
    suits="landscapes, crowds",
)
_DEPTHS = (_LINES, _ORNAMENT, _EYES, _CREATURES, _BEASTS)

# Looked at, one by one, on a drawn meadow and a photo of a cat: channels that dream things of their
# own, and not only a texture.
_CHANNELS: tuple[tuple[_Depth, str, int], ...] = (
    (_ORNAMENT, "block6", 54),  # paisley
    (_ORNAMENT, "block6", 57),  # fans of coral
    (_ORNAMENT, "block6", 68),  # panes full of glass beads
    (_ORNAMENT, "block7", 14),  # striped plumes
    (_ORNAMENT, "block7", 15),  # clouds as in old prints
    (_ORNAMENT, "block7", 25),  # ribbons of marble, tartan
    (_ORNAMENT, "block7", 27),  # scales of a fish
    (_ORNAMENT, "block7", 35),  # strings of beads, tufts
    (_EYES, "block8", 1),  # jars of coloured glass
    (_EYES, "block8", 18),  # buttons on velvet
    (_EYES, "block8", 24),  # horns, beaded ropes
    (_EYES, "block8", 31),  # painted eggs under arches
    (_EYES, "block8", 36),  # knitted ropes, small suns
    (_EYES, "block8", 38),  # black fur, honeycombs
    (_EYES, "block8", 56),  # striped cats, lace
    (_EYES, "block8", 58),  # arcades
    (_EYES, "block8", 59),  # tentacles
    (_EYES, "block8", 62),  # hearts of thread, cross-stitch
    (_EYES, "block8", 76),  # a chameleon's skin
    (_EYES, "block8", 82),  # corals full of eyes
    (_EYES, "block8", 85),  # circuit boards, long hair
    (_EYES, "block8", 88),  # large blue eyes
    (_EYES, "block8", 102),  # cut gems, ivy
    (_EYES, "block9", 6),  # leaded glass
    (_EYES, "block9", 57),  # muzzles of deer, antlers
    (_EYES, "block9", 67),  # fans of feathers, beads
    (_EYES, "block9", 95),  # striped tubes
    (_EYES, "block9", 109),  # beds of tulips, fish
    (_CREATURES, "block10", 18),  # treasure chests
    (_CREATURES, "block10", 58),  # arches of bridges
    (_CREATURES, "block10", 106),  # feathers of a peacock
    (_CREATURES, "block10", 110),  # hawks' plumage, stone meanders
    (_BEASTS, "block11", 50),  # beetles
    (_BEASTS, "block11", 61),  # shells, roses
    (_BEASTS, "block11", 120),  # black dogs with curls
    (_BEASTS, "block11", 125),  # coaches, kettles
    (_BEASTS, "block11", 177),  # anemones
    (_BEASTS, "block12", 110),  # limbs, horned heads
)

# From nearly free ones to nearly those of the picture.
_COLOURS = (0.4, 0.6, 0.8)

# Classes, looked at as the channels were, beside a layer that gives them a body: alone they are
# little more than grain.
_CLASSES = ("leopard", "lion", "macaw", "peacock", "snail", "tiger")
_BODY = "block12"


def surprise(seed: int) -> Preset:
    """Return the look that a seed stands for, the same on every machine.

    Layers and channels are weighed like those of the shipped looks; steps are as long, in terms of
    the default, as suits the depth. The seed is that of the dream, too.
    """
    rng = random.Random(seed)
    depth, what = _pick(rng, _RECIPES)(rng)
    values = {
        "network": NETWORK,
        "octaves": _pick(rng, depth.octaves),
        "octave_scale": _pick(rng, depth.octave_scales),
        "step_size": round(_pick(rng, depth.paces) * DreamSettings().step_size, 5),
        "jitter": _pick(rng, depth.jitters),
        "colours": _pick(rng, _COLOURS),
        "seed": seed,
    }
    return Preset(
        name=SURPRISE,
        description=f"What chance made of seed {seed}",
        dream=merged(DreamSettings(), values | what),
        suits=depth.suits,
    )


def _neighbours(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    """Choose a layer and less of the one before or behind it."""
    depth = _pick(rng, _DEPTHS)
    place = _pick(rng, range(len(depth.layers) - 1))
    pair = depth.layers[place : place + 2]
    main, other = pair if rng.random() < 0.5 else pair[::-1]
    return depth, {"layer": [main, f"{other}={_pick(rng, (0.3, 0.5, 0.8))}"]}


def _channels(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    """Choose a channel, alone or with another one or with a little of its whole layer."""
    depth, layer, channel = _pick(rng, _CHANNELS)
    others = [number for _, name, number in _CHANNELS if name == layer and number != channel]
    with_another, with_layer = rng.random() < 0.4, rng.random() < 0.4
    numbers = (channel, _pick(rng, others)) if with_another and others else (channel,)
    dreamed = [f"{layer}:{','.join(map(str, numbers))}"]
    return depth, {"layer": dreamed + ([f"{layer}={_pick(rng, (0.2, 0.5))}"] if with_layer else [])}


def _class(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    weight = _pick(rng, (0.3, 0.4))
    return _BEASTS, {"layer": [_BODY], "class": [f"{_pick(rng, _CLASSES)}={weight}"]}


def _pick(rng: random.Random, items: Sequence[_T]) -> _T:
    # Not rng.choice(): of a seed's results Python promises only those of random() for good.
    return items[int(rng.random() * len(items))]


_Recipe = Callable[[random.Random], tuple[_Depth, dict[str, Any]]]
# Channels differ most from what ships with the package.
_RECIPES: tuple[_Recipe, ...] = (_neighbours, _neighbours, _channels, _channels, _channels, _class)
