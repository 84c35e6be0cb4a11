"""The sizes of an image pyramid."""

from __future__ import annotations

import math

from stream_dream.dream.gradient import Gradient
from stream_dream.frame import Shape
from stream_dream.settings.dream import DreamSettings


def octave_shapes(shape: Shape, octaves: int, scale: float, smallest: int) -> tuple[Shape, ...]:
    """Return the (height, width) of the octaves, small to large; the last one is ``shape``.

    Sides are ``int(side / scale**level)``, as in the Keras notebook. Octaves with a side below
    ``smallest`` pixels are left out, but never the last one.
    """
    shapes = [
        (max(1, int(shape[0] / scale**level)), max(1, int(shape[1] / scale**level)))
        for level in range(octaves - 1, -1, -1)
    ]
    return (*(small for small in shapes[:-1] if min(small) >= smallest), shapes[-1])


def workable_shapes(
    shape: Shape, settings: DreamSettings, gradient: Gradient, octaves: int | None = None
) -> tuple[Shape, ...]:
    """Return the octaves that a network can dream.

    A picture too small for the network is dreamed at the smallest size that works.

    Args:
        shape: (height, width) of the picture.
        settings: ``octaves`` and ``octave_scale`` are used.
        gradient: The network's gradient, which knows what sizes it takes.
        octaves: Number of octaves wanted; that of the settings by default.
    """
    shape = max(shape[0], gradient.smallest), max(shape[1], gradient.smallest)
    # Sides below two steps of the coarsest map are not worth dreaming.
    smallest = max(2 * gradient.stride, gradient.smallest)
    wanted = settings.octaves if octaves is None else octaves
    return octave_shapes(shape, wanted, settings.octave_scale, smallest)


def step_share(shape: Shape, whole: Shape, settings: DreamSettings) -> float:
    """Return the step length of an octave relative to the coarsest one.

    ``detail ** fineness``, where ``fineness`` goes from 0 at the coarsest to 1 at the finest.

    Args:
        shape: (height, width) of the octave.
        whole: (height, width) of the finest octave.
        settings: ``octaves``, ``octave_scale`` and ``detail`` are used.
    """
    if settings.octaves == 1:
        return 1.0
    below = math.log(max(whole) / max(shape), settings.octave_scale)
    fineness = 1 - round(below) / (settings.octaves - 1)
    # Clipped, as pictures too small for the network are dreamed larger than they are.
    return float(settings.detail ** min(1.0, max(0.0, fineness)))
