"""What gives a show its frames."""

from __future__ import annotations

from typing import Protocol

from stream_dream.frame import Image8


class Feed(Protocol):
    """One connection to a source of frames."""

    def read(self) -> Image8 | None:
        """Wait for the next frame, uint8 RGB; None if the connection has ended."""

    def close(self) -> None:
        """Release it, from the thread that reads."""


class Ended(Exception):
    """The end of a file that is not repeated."""
