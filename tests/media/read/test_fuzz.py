"""Damaged files end in a dream of their readable part, or in one line."""

from __future__ import annotations

from pathlib import Path

import fuzz
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_files_are_dreamed_or_refused_in_one_line(tmp_path: Path, seed: int) -> None:
    found, seen = fuzz.fuzz(20, seed, tmp_path)
    assert found == []
    assert sum(seen.values()) == 20
