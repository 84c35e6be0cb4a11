"""Finds how much has to be given up for a file to fit a size."""

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
        dither: How a GIF mixes them: "bayer" (a fixed pattern, which stands still), "sierra"
            (error diffusion) or "none".
        scale: Of the picture's sides, 0..1.
    """

    crf: int = 18
    colors: int = 256
    dither: Dither = "bayer"
    scale: float = 1.0

    def size(self, full: tuple[int, int], *, even: bool) -> tuple[int, int]:
        """Return the (width, height) of what is written, from that of the whole picture."""
        if self.scale == 1:
            return full
        step = 2 if even else 1
        width, height = (max(step, round(side * self.scale / step) * step) for side in full)
        return width, height


def ever_smaller(asked: Compression, muxer: str) -> list[Compression]:
    """Return what is tried after what was asked for, best first.

    Args:
        asked: What was asked for.
        muxer: ffmpeg's name of the format.
    """
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
    """Make a file with the best compression that fits.

    Args:
        make: Makes the file, in place of the one before, and returns its size in bytes.
        asked: What is tried first.
        muxer: ffmpeg's name of the format.
        limit: Bytes; None for no limit.

    Returns:
        What it was made with in the end.

    Raises:
        SinkError: Not even the smallest fits.
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
        raise SinkError(f"it has {made / 1e6:.2g} MB at the least, wanted were {limit / 1e6:.2g}")
    return tried[low]
