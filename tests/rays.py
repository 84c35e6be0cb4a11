"""A film for Ray to dream, and a lock: tests run one Ray at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import films
import pytest
from filelock import FileLock
from waiting import SECONDS

from stream_dream.film.in_chunks import render_film
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

CHUNK_FRAMES = 30
SETTINGS = FilmSettings(chunk_seconds=CHUNK_FRAMES / 25)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a pytest run share."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ray"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def only_ray(factory: pytest.TempPathFactory) -> Iterator[None]:
    """Wait until no other test runs Ray: two clusters start slowly and see each other."""
    with FileLock(shared_folder(factory) / "only.lock", timeout=4 * SECONDS):
        yield


class Film:
    """A small film with its network and settings."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        """Create the film, once for all processes."""
        self.folder = shared_folder(factory)
        self.source, self.network = self.folder / "film.mp4", self.folder / "tiny.keras"
        self._lock = FileLock(self.folder / "film.lock")
        with self._lock:
            if not self.network.exists():
                films.make_film(self.source, (2 * CHUNK_FRAMES, 2 * CHUNK_FRAMES), sound=False)
                films.make_network(self.folder / "made.keras").rename(self.network)

    def dream(self, **values: Any) -> DreamSettings:
        """Return settings that use every part of a saved state."""
        small = {"network": str(self.network), "layer": ["conv1"], "octaves": 2, "warm_up": 2}
        return validated(DreamSettings, {**small, "schedule": "rotate", "jitter": 8, **values})

    def here(
        self, source: Path, dream: DreamSettings, output: OutputSettings | None = None
    ) -> list[int]:
        """Return the checksums of the frames dreamed in this process."""
        output = output or OutputSettings()
        key = f"{source} {dream.model_dump_json()} {output.model_dump_json()}"
        kept = self.folder / "here.json"
        with self._lock:
            known: dict[str, list[int]] = json.loads(kept.read_text()) if kept.exists() else {}
            if key not in known:
                target = self.folder / f"here{len(known)}.mp4"
                known[key] = films.checksums(render_film(source, target, dream, output, SETTINGS))
                kept.write_text(json.dumps(known))
        return known[key]
