"""Frames, the properties of their stream, and the types of images.

Images are RGB throughout; ``size`` is (width, height), ``shape`` is (height, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Image8 = NDArray[np.uint8]
"""An RGB image, uint8, (height, width, 3)."""

Image16 = NDArray[np.uint16]
"""An RGB image, uint16, (height, width, 3): 65535 is white, as 255 is in uint8."""

Image = Image8 | Image16
"""An RGB image of 8 or 16 bits a channel."""

Layer = NDArray[np.uint8] | NDArray[np.uint16]
"""An RGBA image of 8 or 16 bits a channel, straight alpha, (height, width, 4)."""

ImageF = NDArray[np.float32]
"""An RGB image, float32 in [0, 1], (height, width, 3); a residual has the range [-1, 1]."""

Mask8 = NDArray[np.uint8]
"""How much of the dream shows, uint8, (height, width): 0 is the source, 255 is the dream."""

Hdr = Literal["pq", "hlg"]
"""Curves of HDR: SMPTE ST 2084 and the hybrid log-gamma of ITU-R BT.2100, both with the colours of
BT.2020."""

MatteKind = Literal["mask", "visibility"]
"""Kinds of mattes: where the dream shows, and what the previous frame shows too."""

Flow = NDArray[np.float32]
"""Optical flow in pixels, float32, (height, width, 2) with (dx, dy) last."""

Shape = tuple[int, int]
"""(height, width) of an image."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Properties of a stream, known before its first frame.

    Attributes:
        size: (width, height) in stored pixels, upright (any rotation tag is already applied).
        fps: Constant frame rate.
        pixel_aspect: Width of a pixel divided by its height; 1 for square pixels.
        frame_count: Expected number of frames; None if unknown (cameras).
        bits: Bits a channel: 8, or more if frames have a ``deep`` image.
        hdr: The curve of the ``deep`` images if they are HDR; None for SDR.
    """

    size: tuple[int, int]
    fps: Fraction
    pixel_aspect: Fraction = Fraction(1)
    frame_count: int | None = None
    bits: int = 8
    hdr: Hdr | None = None

    @property
    def display_size(self) -> tuple[float, float]:
        """(width, height) in square pixels, not rounded."""
        return self.size[0] * float(self.pixel_aspect), float(self.size[1])


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a stream.

    Attributes:
        image: uint8 RGB, (height, width, 3).
        index: Position in the stream, from 0.
        time: Seconds since the first frame of the stream.
        cut: True if a new shot begins with this frame.
        deep: The same picture with more than 8 bits a channel, uint16; None if it has no more.
        hdr: The curve of ``deep`` if that is HDR; ``image`` is SDR then as well. None for SDR.
    """

    image: Image8
    index: int = 0
    time: float = 0.0
    cut: bool = False
    deep: Image16 | None = None
    hdr: Hdr | None = None


@dataclass(frozen=True, slots=True)
class FrameReport:
    """Measurements of one frame: the single event that every display and log reads.

    Attributes:
        index: Position of the frame in the stream, from 0.
        seconds: Seconds spent on this frame, by stage name ("flow", "ascent", ...).
        loss: Objective of the dream before its last step (no unit); None without a step.
        visible_share: Share of the frame that the previous frame shows too, 0..1.
        cut: True if a new shot began; False for the very first frame.
        checksum: CRC-32 of the dreamed image, uint8 RGB, before encoding; None if not requested.
    """

    index: int
    seconds: dict[str, float]
    loss: float | None
    visible_share: float
    cut: bool = False
    checksum: int | None = None
