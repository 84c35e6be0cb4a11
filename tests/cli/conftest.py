"""The command ``render`` with a fake render."""

from __future__ import annotations

import pytest
from fake_render import FakeRender


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRender:
    made = FakeRender()
    monkeypatch.setattr("stream_dream.film.one_piece.render", made)
    monkeypatch.setattr("stream_dream.film.in_chunks.is_long", lambda *arguments: False)
    return made
