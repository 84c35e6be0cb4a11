"""The interface of the decoders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from stream_dream.frame import Hdr, Image
from stream_dream.media.read.ffmpeg_report import Probe

SEEK_FROM = 5.0
"""Starts before this many seconds are reached by decoding: as fast as seeking, and always exact."""

SEEK_MARGIN = 1.0
"""Seconds decoded before the start, for a picture that is still shown then."""


class Decoder(Protocol):
    """Decodes the pictures of one file, upright and in their colours.

    Attributes:
        file: Properties of the file.
        deep: True if images have 16 bits.
        hdr: The curve of HDR, if images have twice the height: HDR above, SDR below. None for SDR.
    """

    file: Probe
    deep: bool
    hdr: Hdr | None

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image, float]]:
        """Yield the pictures from ``start`` on; a new call invalidates earlier iterators.

        Args:
            start: Seconds from the first picture. The first result is the picture shown then or an
                earlier one; past the end, one of the last.

        Returns:
            RGB images (height, width, 3), and their original time stamps, in seconds from
            the first picture.
        """

    def is_complete(self, pictures: int) -> bool:
        """Return whether the file has no more than the ``pictures`` that were read."""

    def close(self) -> None:
        """Release the file; safe to call twice and from another thread."""
