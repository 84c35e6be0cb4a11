"""Curved scales: where on a slider, 0 to 1, a parameter's value is."""

from __future__ import annotations

import math
from functools import cache

from stream_dream.settings.live import LiveParameters, parameter_range

# A steeper curve leaves too little of the slider for the far values.
_STEEPEST = 4.0


@cache
def curve(name: str) -> tuple[float, bool]:
    """Return the exponent of a parameter's scale, and whether it is fine at the upper end.

    The default lies in the middle of the slider, or as near to it as an exponent from 1 to 4
    allows; one at an end, or of a parameter with few values, leaves the scale straight.
    """
    low, high = parameter_range(name)
    field = LiveParameters.model_fields[name]
    place = (float(field.default) - low) / (high - low)
    if not 0 < place < 1 or (field.annotation is int and high - low < 10):
        return 1.0, False
    upper = place > 0.5
    exponent = math.log(1 - place if upper else place) / math.log(0.5)
    return min(max(exponent, 1.0), _STEEPEST), upper


def share_of(name: str, value: float) -> float:
    """Return where on its slider a parameter's value is, 0..1; values beyond its range are cut."""
    low, high = parameter_range(name)
    place = min(max((value - low) / (high - low), 0.0), 1.0)
    exponent, upper = curve(name)
    return 1 - math.pow(1 - place, 1 / exponent) if upper else math.pow(place, 1 / exponent)


def value_at(name: str, share: float) -> float:
    """Return the value of a parameter at a share of its slider, 0..1; whole for counts."""
    low, high = parameter_range(name)
    share = min(max(share, 0.0), 1.0)
    exponent, upper = curve(name)
    place = 1 - math.pow(1 - share, exponent) if upper else math.pow(share, exponent)
    value = low + place * (high - low)
    return round(value) if LiveParameters.model_fields[name].annotation is int else value
