"""Fixtures shared by all tests."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
import synthetic

from stream_dream.settings import DreamSettings, validated

# A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def tiny() -> Callable[..., DreamSettings]:
    """Return a function that makes settings for the tiny network."""
    synthetic.register_tiny()

    def make(**values: Any) -> DreamSettings:
        small = {"network": synthetic.TINY, "layer": ["conv2"], "octaves": 2, "warm_up": 2}
        return validated(DreamSettings, {**small, "jitter": 4, **values})

    return make
