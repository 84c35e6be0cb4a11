"""The ranges of the live parameters, for controls that move within them."""

from __future__ import annotations

import math

from stream_dream.live_settings import LiveParameters
from stream_dream.settings import limits as limits_of


def limits(name: str) -> tuple[float, float]:
    """Return the least and the greatest value of a live parameter; infinite for a switch."""
    found = limits_of(LiveParameters.model_fields[name])
    return found.get("ge", -math.inf), found.get("le", math.inf)
