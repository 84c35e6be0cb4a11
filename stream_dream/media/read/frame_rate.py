"""Converts pictures with time stamps to a constant frame rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from stream_dream.frame import Image

FASTEST = 1000
"""Highest rate, in frames per second."""

_DOUBTFUL = 240
"""Frames per second above which time stamps must confirm a file's announced rate."""

FALLBACK_FPS = 25
"""Frames per second of a file with neither a rate nor time stamps."""

LONGEST_HOLD = 60.0
"""Seconds that a time stamp may leap ahead; a longer leap, past the file's announced length, is
damage, not a still picture."""


def exact_rate(fps: float) -> Fraction:
    """Return the fraction behind a rounded rate: 23.976 is 24000/1001, 3.2258 is 100/31."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    return ntsc if abs(fps - ntsc) < 1e-5 * fps else Fraction(fps).limit_denominator(1001)


def picture_rate(announced: float, stamps: Sequence[float]) -> Fraction:
    """Choose the constant rate for a file.

    Args:
        announced: The file's own rate, a mean over all of it; may be nonsense.
        stamps: Time stamps of its first pictures, in seconds.

    Returns:
        The file's rate; that of its first pictures if this is clearly higher (a GIF that rests on
        its last picture would lose many others at its mean rate) or the file's is implausible.
    """
    spacing = float(np.median(np.diff(stamps))) if len(stamps) > 1 else 0.0
    told = spacing >= 0.9 / FASTEST  # Matroska rounds to 1/1000 s
    pauses = told and spacing * announced < 0.8
    believed = 0 < announced <= _DOUBTFUL or (
        announced <= FASTEST and 0.8 <= spacing * announced <= 1.25
    )
    if believed and not pauses:
        return exact_rate(announced)
    return exact_rate(min(1 / spacing, FASTEST) if told else FALLBACK_FPS)


class ConstantRate:
    """Resamples pictures to a constant rate.

    A picture is shown once if it is less than one frame late or 3/4 of a frame early; if later, its
    predecessor is repeated; if earlier, it is dropped. This tolerance keeps every picture of a file
    whose stamps jitter or are rounded (Matroska: to 1 ms, GIF: to 10 ms).

    Attributes:
        slots: Frames yielded so far.
        pictures: Pictures read so far.
        widest: Longest time between two pictures so far, in frames.
    """

    def __init__(self, fps: Fraction, start: float, length: float | None = None) -> None:
        """Start before the first picture.

        Args:
            fps: The rate.
            start: Time of the first frame to yield, in seconds.
            length: Announced length of the picture in seconds; None if unknown.
        """
        self.slots = 0
        self.pictures = 0
        self.widest = 0.0
        self._fps = float(fps)
        self._start = start
        self._length = length or 0.0
        self._held: Image | None = None

    def frames(self, pictures: Iterable[tuple[Image, float]]) -> Iterator[Image]:
        """Yield frames at the constant rate.

        Args:
            pictures: RGB images with their time stamps in seconds. A stamp that does not
                advance, or leaps past the file's length, is replaced by its predecessor's plus one
                frame.
        """
        time = last = 0.0
        for image, stamp in pictures:
            step = stamp - last
            last = stamp
            leaps = step > LONGEST_HOLD and time + step > self._length
            if self.pictures and (step <= 0 or leaps):
                step = 1 / self._fps
            time += step
            self.widest = max(self.widest, step * self._fps if self.pictures else 0.0)
            self.pictures += 1
            yield from self._place(image, (time - self._start) * self._fps)

    def hold(self, count: int) -> Iterator[Image]:
        """Yield the last picture ``count`` more times."""
        if self._held is not None:
            for _ in range(count):
                self.slots += 1
                yield self._held

    def _place(self, image: Image, position: float) -> Iterator[Image]:
        """Yield the frames due when the picture at ``position``, in frames, arrives."""
        yield from self.hold(int(position - self.slots))
        self._held = image
        if position - self.slots > -0.75:
            self.slots += 1
            yield image
