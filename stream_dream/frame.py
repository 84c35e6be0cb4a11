"""What travels through a stream: frames, and what is known of their stream.

Images are RGB throughout; ``size`` is (width, height), ``shape`` is (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Image8 = NDArray[np.uint8]
"""An RGB image, uint8, (height, width, 3)."""

ImageF = NDArray[np.float32]
"""An RGB image, float32 in [0, 1], (height, width, 3); a residual has the range [-1, 1]."""

Mask8 = NDArray[np.uint8]
"""How much of the dream shows, uint8, (height, width): 0 is the source, 255 is the dream."""

Flow = NDArray[np.float32]
"""Optical flow in pixels, float32, (height, width, 2) with (dx, dy) last."""

Shape = tuple[int, int]
"""(height, width) of an image."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What is known of a stream before its first frame is used.

    Attributes:
        size: (width, height) in stored pixels, upright (any rotation tag is already applied).
        fps: Constant frame rate at which the frames are delivered.
        pixel_aspect: Width of a pixel divided by its height; 1 for square pixels.
        frame_count: Expected number of frames; None where it cannot be known (cameras).
    """

    size: tuple[int, int]
    fps: Fraction
    pixel_aspect: Fraction = Fraction(1)
    frame_count: int | None = None

    @property
    def display_size(self) -> tuple[float, float]:
        """(width, height) in square pixels, as shown on a screen; not rounded."""
        return self.size[0] * float(self.pixel_aspect), float(self.size[1])


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a stream.

    Attributes:
        image: uint8 RGB, (height, width, 3).
        index: Position in the stream, from 0.
        time: Seconds since the first frame of the stream.
        cut: True where a new shot begins with this frame.
    """

    image: Image8
    index: int = 0
    time: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What happened to one frame: the single event that every display and log reads.

    Attributes:
        index: Position of the frame in the stream, from 0.
        seconds: Seconds spent on this frame, by stage name ("flow", "ascent", ...).
        loss: Objective of the dream before its last step (no unit); None where nothing ascended.
        visible_share: Share of the frame that the previous frame shows too, 0..1.
        cut: True where a new shot began.
        checksum: CRC-32 of the dreamed image, uint8 RGB, before it is encoded; None where it was
            not asked for.
    """

    index: int
    seconds: dict[str, float]
    loss: float | None
    visible_share: float
    cut: bool = False
    checksum: int | None = None
