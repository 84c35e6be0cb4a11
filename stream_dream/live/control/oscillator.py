"""Low-frequency oscillators that move sliders."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from stream_dream.live.control.scale import share_of, value_at
from stream_dream.settings.live import LiveParameters
from stream_dream.settings.scenes import Lfo


def swung(
    parameters: LiveParameters, lfos: Mapping[str, Lfo], beats: float, seconds: float
) -> LiveParameters:
    """Return parameters as LFOs move them.

    Args:
        parameters: The parameters where all LFOs are at rest.
        lfos: LFOs by the name of their parameter.
        beats: Number of beats so far.
        seconds: Number of seconds so far.
    """
    passed = {"beats": beats, "seconds": seconds}
    moved = {
        name: oscillated(name, getattr(parameters, name), lfo, passed[lfo.unit] / lfo.every)
        for name, lfo in lfos.items()
    }
    return parameters.model_copy(update=moved)


def oscillated(name: str, value: float, lfo: Lfo, cycles: float) -> float:
    """Return a parameter's value as an LFO moves it.

    It moves along the slider, whose scale is curved: evenly to the eye.

    Args:
        name: Name of the parameter.
        value: Its value where the LFO is at rest.
        lfo: The LFO.
        cycles: Number of cycles so far.
    """
    return value_at(name, share_of(name, value) + 0.5 * lfo.depth * wave(lfo.shape, cycles))


def wave(shape: str, cycles: float) -> float:
    """Return the value of a wave, -1..1, after a number of cycles; all but a random one begin low.

    ``random`` has the same values in every show.
    """
    phase = cycles % 1
    if shape == "sine":
        return -math.cos(2 * math.pi * phase)
    if shape == "triangle":
        return 1 - 4 * abs(phase - 0.5)
    if shape == "rise":
        return 2 * phase - 1
    if shape == "fall":
        return 1 - 2 * phase
    if shape == "square":
        return -1.0 if phase < 0.5 else 1.0
    return 2 * random.Random(math.floor(cycles)).random() - 1
