"""What decodes the pictures of a file, whichever library does it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from stream_dream.frame import Image8
from stream_dream.media.read.ffmpeg_report import Probe

SEEK_FROM = 5.0
"""Starts before this many seconds are reached by decoding: as quick, and exact in any file."""

SEEK_MARGIN = 1.0
"""Seconds decoded ahead of the start, so that a picture held across it is known."""


class Decoder(Protocol):
    """Decodes the pictures of one file, upright and in their colours.

    Attributes:
        file: What is known of the file.
    """

    file: Probe

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image8, float]]:
        """Yield the pictures; anew each time it is called, and only the last call's goes on.

        Args:
            start: In seconds from the first picture. It begins with the picture that is shown then,
                or an earlier one; behind the end, with one of the last.

        Returns:
            Images, uint8 RGB (height, width, 3), and their time stamps as they are, in seconds from
            the first picture.
        """

    def is_complete(self, pictures: int) -> bool:
        """Return whether the file has no more pictures than those that were read.

        Args:
            pictures: How many were read.
        """

    def close(self) -> None:
        """Release the file; safe to call twice and from another thread."""
