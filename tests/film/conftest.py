"""Fixtures for films: a small one, and a network in a file."""

from __future__ import annotations

from pathlib import Path

import films
import pytest


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film of 43 frames in 3 shots, with sound."""
    return films.make_film(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny network in a file, which worker processes can load."""
    return films.make_network(tmp_path_factory.mktemp("network") / "tiny.keras")
