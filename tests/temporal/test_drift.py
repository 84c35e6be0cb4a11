"""The dream of a still picture keeps changing but neither drifts nor burns."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic

from stream_dream.dream.ascent import Ascent
from stream_dream.image import to_float
from stream_dream.settings.presets import load_preset
from stream_dream.temporal.dreamer import TemporalDreamer


@pytest.mark.slow
def test_no_drift_over_300_frames() -> None:
    settings = load_preset("dogs").dream
    ascent = Ascent(settings)
    dreamer = TemporalDreamer(ascent, settings)
    means, strengths = [], []
    for frame in synthetic.still(301, (192, 144)):
        dream = dreamer(frame).image
        if frame.index >= 100:
            means.append(dream.mean(axis=(0, 1)))
        if frame.index >= 100 and frame.index % 20 == 0:
            strengths.append(ascent.loss(to_float(dream)))
    channels = np.array(means) / means[0]
    assert np.abs(channels - 1).max() < 0.01  # and so the brightness, their mean
    relative = np.array(strengths) / strengths[0]
    assert relative.min() > 0.8
    assert relative.max() < 1.25
