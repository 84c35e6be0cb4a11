"""Programs of settings that change, without a film."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from stream_dream.automation.assemble import assemble
from stream_dream.automation.curves import Curve, TimeCurve
from stream_dream.automation.program import Program
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.validation import validated

TIMELINE = Timeline(Fraction(25), 1000, (0, 300, 600), BeatGrid.regular(120))
"""40 s in three shots, with a beat every 12.5 frames."""

RISING = TimeCurve(np.array([0.0, 40.0]), np.array([0, 1], np.float32))
"""A curve that rises from 0 to 1 in the time of ``TIMELINE``."""


def look(**values: Any) -> DreamSettings:
    """Return the settings of a look that names its layer."""
    return validated(DreamSettings, {"layer": ["block10"], **values})


def program(
    dream: DreamSettings | None = None,
    timeline: Timeline = TIMELINE,
    sound: Mapping[str, Curve] | None = None,
    rest: Mapping[str, Any] | None = None,
    **automation: Any,
) -> Program:
    """Return a program; ``rest`` are further arguments of ``assemble``."""
    made = validated(Automation, automation)
    first = dream or (made.looks[0] if made.looks else look())
    return assemble(first, made, timeline, sound or {}, **(rest or {}))
