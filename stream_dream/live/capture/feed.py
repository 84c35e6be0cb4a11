"""What gives a show its frames."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from stream_dream.frame import Frame, Image8


class Origin(IntEnum):
    """Where a picture comes from, by how much it says about the size of the show."""

    SUBSTITUTE = 0
    """A picture that stands in until there is one."""

    GUEST = 1
    """A feed that has taken the source's place for a while."""

    SOURCE = 2
    """The source of the show."""


@dataclass(frozen=True, slots=True, eq=False)
class CapturedFrame(Frame):
    """A frame as it was captured.

    Attributes:
        index: Number of the frame, from 1.
        time: When it came, on ``time.monotonic``'s clock.
        origin: Where it comes from.
    """

    origin: Origin = Origin.SOURCE


class Feed(Protocol):
    """One connection to a source of frames."""

    def read(self) -> Image8 | None:
        """Wait for the next frame, uint8 RGB; None if the connection has ended."""

    def close(self) -> None:
        """Release it, from the thread that reads."""


class Ended(Exception):
    """The end of a file that is not repeated."""
