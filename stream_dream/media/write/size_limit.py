"""Finds the mildest compression that fits a file into a size limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stream_dream.errors import SinkError
from stream_dream.settings.values import Dither

_SCALES = tuple(0.9**step for step in range(1, 16))
_COARSEST_CRF = 38


@dataclass(frozen=True, slots=True)
class Compression:
    """How a file is compressed.

    Attributes:
        crf: Quality of films and WebP on x264's scale: 0 (best) to 51.
        colors: Colours of a GIF's palette, 4 to 256.
        dither: Dithering of a GIF: "bayer" (a fixed pattern, which stands still), "sierra" (error
            diffusion) or "none".
        scale: Factor of the sides, 0..1.
    """

    crf: int = 18
    colors: int = 256
    dither: Dither = "bayer"
    scale: float = 1.0

    def size(self, full: tuple[int, int], step: int = 1) -> tuple[int, int]:
        """Return the (width, height) that is written for a picture of full size.

        Where that is smaller, its sides are multiples of ``step``.
        """
        if self.scale == 1:
            return full
        width, height = (max(step, round(side * self.scale / step) * step) for side in full)
        return width, height


def ever_smaller(asked: Compression, muxer: str) -> list[Compression]:
    """Return the compressions to try after the requested one, mildest first."""
    if muxer == "gif":
        fewer = [replace(asked, colors=c) for c in (192, 128, 96) if c < asked.colors]
        smallest = replace(asked, colors=min(128, asked.colors))
    elif muxer == "apng":
        fewer, smallest = [], asked
    else:
        fewer = [replace(asked, crf=crf) for crf in range(asked.crf + 4, _COARSEST_CRF + 1, 4)]
        smallest = fewer[-1] if fewer else asked
    return fewer + [replace(smallest, scale=scale) for scale in _SCALES]


def make_fitting(
    make: Callable[[Compression], int], asked: Compression, muxer: str, limit: int | None
) -> Compression:
    """Make a file with the mildest compression that fits.

    Args:
        make: Makes the file, replacing the previous one, and returns its size in bytes.
        asked: The compression to try first.
        muxer: ffmpeg's name of the format.
        limit: Size limit in bytes; None for no limit.

    Returns:
        The compression of the file.

    Raises:
        SinkError: If not even the smallest file fits.
    """
    size = make(asked)
    if limit is None or size <= limit:
        return asked
    tried: Sequence[Compression] = ever_smaller(asked, muxer)
    low, high = 0, len(tried) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if make(tried[middle]) <= limit else (middle + 1, high)
    made = make(tried[low])
    if made > limit:
        raise SinkError(f"it has {made / 1e6:.3g} MB at the least, wanted were {limit / 1e6:.3g}")
    return tried[low]
