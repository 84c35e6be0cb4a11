"""Tells across the machines of a cluster how far the chunks are that are being dreamed."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from stream_dream.frame import FrameReport

_TELL_SECONDS = 1.0


class Tally:
    """Knows how far the chunks are: a process of the cluster, which all others can reach."""

    def __init__(self) -> None:
        """Know nothing."""
        self._frames: dict[str, int] = {}

    def put(self, key: str, frames: int) -> None:
        """Record how many frames of a chunk are finished."""
        self._frames[key] = frames

    def read(self, keys: list[str]) -> dict[str, int]:
        """Return how many frames of chunks are done, and forget the others."""
        self._frames = {key: self._frames[key] for key in keys if key in self._frames}
        return self._frames


class Telling:
    """Tells the tally of one chunk, about once a second, without ever waiting for it."""

    def __init__(self, key: str, tally: Any) -> None:
        """Store what the chunk is called, and a handle of the tally."""
        self._key, self._tally = key, tally
        self._first, self._frames = 0, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="telling", daemon=True)

    def __enter__(self) -> Telling:
        """Record that the chunk has begun."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()

    def count(self, report: FrameReport) -> None:
        """Count a finished frame; a chunk that is read anew begins again with its first one."""
        if self._frames == 0:
            self._first = report.index
        self._frames = report.index - self._first + 1

    def _work(self) -> None:
        while True:
            with suppress(Exception):  # a tally that died comes back knowing nothing
                self._tally.put.remote(self._key, self._frames)
            if self._ended.wait(_TELL_SECONDS):
                return
