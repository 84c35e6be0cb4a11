"""Settings of the full dream that benchmarks compare with, and measures of coherence."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow, Image8
from stream_dream.image import to_float
from stream_dream.temporal.visibility import visibility
from stream_dream.temporal.warp import warp

JUDGED_FRAMES = 30


# The original growth, independent of the present defaults.
PLAIN_GROWTH: dict[str, Any] = {
    "whitening": 1,
    "evenness": 0,
    "colours": 0,
    "detail": 1,
    "limit": None,
    "momentum": 0,
    "catch_up": 0,
    "cadence": 1,
    "dream_size": 480,
    "enlarge": 1,
}

# A still's full dream on every frame: the field's usual way.
FULL = PLAIN_GROWTH | {
    "octaves": 5,
    "octave_scale": 1.4,
    "steps": 10,
    "step_size": 2 / 255,
    "jitter": 4,
    "schedule": "all",
    "gradient_norm": "std",
    "persistence": 0,
    "warm_up": 0,
}


def judging_flows(images: Sequence[Image8]) -> list[tuple[Flow, NDArray[np.float32]]]:
    """Return flow and visibility between neighbours, by a finer estimator than the dream's."""
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    flows = []
    for before, now in pairwise(greys):
        empty = np.zeros((*now.shape, 2), np.float32)
        there = np.asarray(estimator.calc(now, before, empty.copy()), np.float32)
        back = np.asarray(estimator.calc(before, now, empty), np.float32)
        flows.append((there, visibility(there, back)))
    return flows


def warping_error(
    images: Sequence[Image8], flows: Sequence[tuple[Flow, NDArray[np.float32]]]
) -> float:
    """Return the mean squared difference to the warped frame before, where visible (Lai, 2018)."""
    errors = []
    judged = list(zip(pairwise(images), flows, strict=True))[-JUDGED_FRAMES:]
    for (before, now), (flow, visible) in judged:
        difference = np.square(to_float(now) - warp(to_float(before), flow)).mean(axis=-1)
        errors.append((difference * visible).sum() / visible.sum())
    return float(np.mean(errors))


def added_flicker(
    sources: Sequence[Image8],
    dreams: Sequence[Image8],
    flows: Sequence[tuple[Flow, NDArray[np.float32]]],
) -> float:
    """Return the warping error of the dreams less that of their sources, in 1e-4.

    Args:
        sources: Successive frames, uint8 RGB, (height, width, 3); the last 30 are judged.
        dreams: Their dreams, as many and of the same shape.
        flows: ``judging_flows`` of the sources.
    """
    return (warping_error(dreams, flows) - warping_error(sources, flows)) * 1e4
