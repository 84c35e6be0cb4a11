"""What decodes the pictures of a file, whichever library does it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Protocol

from stream_dream.frame import Image8
from stream_dream.media.probe import Probe

SEEK_FROM = 5.0
"""Starts before this many seconds are reached by decoding: as quick, and exact in any file."""

SEEK_MARGIN = 1.0
"""Seconds decoded ahead of the start, so that a picture held across it is known."""


class Decoder(Protocol):
    """Decodes the pictures of one file, upright and in their colours.

    Attributes:
        rate: Pictures per second by what the file says; may be nonsense, 0 where it says nothing.
        pixel_aspect: Width of a pixel of the upright picture divided by its height.
        length: How many seconds the picture lasts; None where the file does not tell for sure.
    """

    rate: float
    pixel_aspect: Fraction
    length: float | None

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


def length_of_picture(found: Probe, count: float, rate: float) -> float | None:
    """Return how long the picture lasts, in seconds; None where the file does not tell for sure.

    A file's own duration includes sound that outlasts the picture. MP4 and AVI count the frames
    of the picture (edit lists may hide some of them); Matroska by ffmpeg has its end as a tag.

    Args:
        found: What the file says of itself.
        count: Its number of pictures; 0 or less where that is unknown.
        rate: Their rate; 0 or less where that is unknown.
    """
    if found.video_end is not None:
        return found.video_end - found.video_start
    if found.duration is None:
        return None
    length = found.duration - found.video_start
    if found.audio is None:
        return length
    if found.container.startswith(("mov", "avi")) and count > 0 and rate > 0:
        return min(length, count / rate)
    return None
