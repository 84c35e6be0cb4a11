"""Turns pictures with time stamps into a constant frame rate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from stream_dream.frame import Image8

FASTEST = 1000
"""Most frames per second."""

_DOUBTFUL = 240
"""Frames per second above which a file's own figure needs time stamps that confirm it."""

FALLBACK_FPS = 25
"""Frames per second where nothing in a file tells."""

LONGEST_HOLD = 60.0
"""Seconds that a time stamp may leap ahead; what leaps further, and beyond the file's own length,
is damaged, and no picture that stands still."""


def exact_rate(fps: float) -> Fraction:
    """Recover the fraction behind a rate: 23.976 is 24000/1001, 3.2258 is 100/31."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    return ntsc if abs(fps - ntsc) < 1e-5 * fps else Fraction(fps).limit_denominator(1001)


def picture_rate(announced: float, stamps: Sequence[float]) -> Fraction:
    """Choose the constant rate for a file.

    Args:
        announced: The file's own rate, a mean over all of it; may be nonsense.
        stamps: Time stamps of its first pictures, in seconds.

    Returns:
        The file's rate; but that of its first pictures where this is clearly higher (a GIF that
        rests on its last picture would lose many others at its mean rate) or where the file's is
        no frame rate at all.
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
    """Gives each picture its place at a constant rate.

    A picture is shown once where it comes less than one frame late or 3/4 of a frame early;
    beyond that the one before it is repeated, or it is left out itself. This play keeps every
    picture of a file whose stamps jitter or are rounded (Matroska: to 1 ms, GIF: to 10 ms).

    Attributes:
        slots: Frames given out so far.
        pictures: Pictures taken in so far.
        widest: Longest time between two pictures so far, in frames.
    """

    def __init__(self, fps: Fraction, start: float, length: float | None = None) -> None:
        """Create a pacing before its first picture.

        Args:
            fps: The rate.
            start: The time that the first frame given out stands for, in seconds.
            length: How many seconds the file says that its picture lasts; None if it does not.
        """
        self.slots = 0
        self.pictures = 0
        self.widest = 0.0
        self._fps = float(fps)
        self._start = start
        self._length = length or 0.0
        self._held: Image8 | None = None

    def frames(self, pictures: Iterable[tuple[Image8, float]]) -> Iterator[Image8]:
        """Yield frames at the constant rate.

        Args:
            pictures: Images, uint8 RGB, with their time stamps in seconds. A stamp that does not
                advance, or leaps beyond the file's length, is replaced by its predecessor's plus
                one frame.
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

    def hold(self, count: int) -> Iterator[Image8]:
        """Yield the last picture ``count`` times more."""
        if self._held is not None:
            for _ in range(count):
                self.slots += 1
                yield self._held

    def _place(self, image: Image8, position: float) -> Iterator[Image8]:
        """Yield what is due when a picture with this place, in frames, arrives."""
        yield from self.hold(int(position - self.slots))
        self._held = image
        if position - self.slots > -0.75:
            self.slots += 1
            yield image
