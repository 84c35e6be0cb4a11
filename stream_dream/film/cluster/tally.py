"""Tells across the machines of a cluster how far the chunks are that are being dreamed."""

from __future__ import annotations

import platform
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

_TELL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """How far a chunk is.

    Attributes:
        machine: Who dreams it.
        node: What Ray calls it.
        frames: Frames done.
    """

    machine: str
    node: str
    frames: int


class Tally:
    """Knows how far the chunks are: a process of the cluster, which all others can reach."""

    def __init__(self) -> None:
        """Know nothing."""
        self._running: dict[str, Running] = {}

    def put(self, key: str, running: Running) -> None:
        """Take how far a chunk is."""
        self._running[key] = running

    def read(self, keys: list[str]) -> dict[str, Running]:
        """Tell how far chunks are, and forget the others."""
        self._running = {key: self._running[key] for key in keys if key in self._running}
        return self._running


class Telling:
    """Tells the tally of one chunk, about once a second, without ever waiting for it."""

    def __init__(self, key: str, tally: Any) -> None:
        """Take what the chunk is called, and a handle of the tally."""
        import ray

        self._key, self._tally = key, tally
        self._node = ray.get_runtime_context().get_node_id()
        self._frames = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="telling", daemon=True)

    def __enter__(self) -> Telling:
        """Begin: the chunk has begun."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def count(self, report: object) -> None:
        """Take that a frame is done."""
        self._frames += 1

    def _work(self) -> None:
        while True:
            running = Running(platform.node(), self._node, self._frames)
            with suppress(Exception):  # a tally that died comes back knowing nothing
                self._tally.put.remote(self._key, running)
            if self._ended.wait(_TELL_SECONDS):
                return
