"""A web page on this machine and an HTTP client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import shows
from waiting import SECONDS

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.view import WebView


@pytest.fixture
def controls() -> Controls:
    return shows.make_controls()


@pytest.fixture
def view(controls: Controls, tmp_path: Path) -> Iterator[WebView]:
    view = WebView(
        ("127.0.0.1", 0), Surface(controls), token=None, recordings=tmp_path / "recordings"
    )
    yield view
    view.close()
    assert view.problem is None


@pytest.fixture
def client(view: WebView) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=view.link, timeout=SECONDS) as client:
        yield client
