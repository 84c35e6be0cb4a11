"""The ranges of the live parameters, for controls that move within them."""

from __future__ import annotations

import math

from stream_dream.live_settings import LiveParameters


def limits(name: str) -> tuple[float, float]:
    """Return the least and the greatest value of a live parameter; infinite where it has none."""
    least, most = -math.inf, math.inf
    for limit in LiveParameters.model_fields[name].metadata:
        least = getattr(limit, "ge", least)
        most = getattr(limit, "le", most)
    return least, most
