"""Random looks, from ingredients that are known to go together."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from stream_dream.settings.dream import DreamSettings, merged
from stream_dream.settings.presets import Preset
from stream_dream.settings.presets.look_files import SURPRISE as SURPRISE

NETWORK = "efficientnet_lite0"
"""Network of the ingredients."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Depth:
    """Settings that go together at one depth of the network, for one kind of footage.

    Layers are neighbours, the shallowest first; paces are step sizes, as multiples of the default;
    jitters are in dream pixels.
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
    octaves=(5, 6),
    octave_scales=(1.4, 1.5),
    paces=(1.0, 1.2),
    jitters=(16, 32),
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

_THINGS = _Depth(
    layers=("block11",),
    octaves=(5, 6),
    octave_scales=(1.4, 1.5),
    paces=(1.2, 1.4),
    jitters=(24, 40),
    suits="portraits, streets, landscapes",
)

# Channels of block11 that dream things with a body, not a texture, and what each dreamed on a face,
# a street, a meadow and noise.
_CHANNELS = (
    2,  # lizards
    6,  # bears, owls
    7,  # lanterns, glass bricks
    8,  # walnut shells, masks
    10,  # skulls, shawls
    13,  # parrots, scales
    16,  # mushrooms
    20,  # beetles, boxes
    21,  # pearls, horns
    22,  # tents, sails
    25,  # nets, roller coasters
    26,  # lapdogs
    28,  # drums, snails
    30,  # foxes
    32,  # fruit, soap bubbles
    36,  # badgers
    39,  # turtles, caterpillars
    40,  # domes, asters
    42,  # monkeys
    43,  # butterflies
    46,  # fans
    53,  # cathedrals
    54,  # corduroy, velvet
    59,  # burdocks
    60,  # gardens, gates
    61,  # roses, toadstools
    65,  # roofs from above
    70,  # faces
    71,  # snakes
    73,  # engines
    76,  # toads
    78,  # baskets, libraries
    79,  # scales, spines
    80,  # spaniels
    81,  # amber, autumn leaves
    82,  # spiders
    83,  # jewels, stars
    86,  # globes
    88,  # lace
    90,  # eyes on tiles
    93,  # beehives, arches
    97,  # frogs, boots
    99,  # speckled fans
    101,  # cats
    102,  # freckles
    103,  # starfish
    106,  # grapes, baskets
    107,  # shuttlecocks
    108,  # arcades
    112,  # pebbles, beans
    113,  # manes
    116,  # woolly faces
    119,  # vases, paisley
    125,  # street lamps, kettles
    126,  # crocodiles
    128,  # fur
    132,  # snakes, scales
    135,  # apples, lightning
    139,  # gorillas
    142,  # domes
    149,  # cherry blossom
    150,  # chameleons
    158,  # snakes of beads
    160,  # hounds
    161,  # balloons, barrels
    163,  # viaducts
    164,  # beetles
    171,  # robots
    172,  # wheels, thorns
    175,  # canals
    177,  # marigolds
    179,  # marbles
    181,  # fruit, parrots' scales
    184,  # hedgehogs, elephants
    185,  # bees, dandelions
    187,  # petals
    189,  # raspberries
    191,  # cupolas, lanterns
)

# From nearly free colours to nearly natural ones.
_COLOURS = (0.4, 0.6, 0.8)

# Classes, chosen like the channels, and the layer that gives them a body: alone they are little
# more than grain.
_CLASSES = ("leopard", "lion", "macaw", "peacock", "snail", "tiger")
_BODY = "block12"


def surprise(seed: int) -> Preset:
    """Return the look of a seed, the same on every machine.

    Layers and channels have weights like those of the shipped looks. The dream gets the same seed.
    """
    rng = random.Random(seed)
    depth, what = _pick(rng, _MIXES)(rng)
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
    """Choose a layer, and less of a neighbour."""
    depth = _pick(rng, _DEPTHS)
    place = _pick(rng, range(len(depth.layers) - 1))
    pair = depth.layers[place : place + 2]
    main, other = pair if rng.random() < 0.5 else pair[::-1]
    return depth, {"layer": [main, f"{other}={_pick(rng, (0.3, 0.5, 0.8))}"]}


def _channels(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    """Choose one to three channels; each grows where it suits the picture."""
    chosen = {_pick(rng, _CHANNELS) for _ in range(_pick(rng, (1, 2, 3)))}
    channels = ",".join(map(str, sorted(chosen)))
    return _THINGS, {
        "layer": [f"{_THINGS.layers[0]}:{channels}"],
        "detail": _pick(rng, (0.4, 0.5)),
        "evenness": _pick(rng, (0.4, 0.7)),
        "limit": 0.45,
        "warm_up": 16,
    }


def _class(rng: random.Random) -> tuple[_Depth, dict[str, Any]]:
    weight = _pick(rng, (0.3, 0.4))
    return _BEASTS, {"layer": [_BODY], "class": [f"{_pick(rng, _CLASSES)}={weight}"]}


def _pick(rng: random.Random, items: Sequence[_T]) -> _T:
    # Not rng.choice(): Python guarantees the results of a seed for random() alone.
    return items[int(rng.random() * len(items))]


_Mix = Callable[[random.Random], tuple[_Depth, dict[str, Any]]]
# Channels come most often: they differ most from the shipped looks.
_MIXES: tuple[_Mix, ...] = (_neighbours, _neighbours, _channels, _channels, _channels, _class)
