"""Writes a film to standard output, as raw frames that other programs read."""

from __future__ import annotations

import math
import threading
from fractions import Fraction
from types import TracebackType
from typing import Self

import numpy as np

from stream_dream.errors import SinkError
from stream_dream.frame import Image
from stream_dream.image import pad, to_8bit, to_16bit
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.write.encoder_arguments import y4m_arguments
from stream_dream.media.write.formats import STANDARD_OUTPUT, encoding_of


class StandardOutput:
    """Writes images to standard output as YUV4MPEG2 in 4:2:0, BT.601 or, of HD, BT.709.

    Use it in a ``with`` block: leaving it completes the stream.

    Attributes:
        frames: Images written so far.
        encoding: How they are encoded: in 8 or 10 bits.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int],
        fps: Fraction,
        pixel_aspect: Fraction = Fraction(1),
        bits: int = 8,
    ) -> None:
        """Start ffmpeg.

        Args:
            size: (width, height) of the images; an odd side gains a row or column.
            fps: Frames per second.
            pixel_aspect: Width of a pixel divided by its height.
            bits: Bits a channel, 8 or 10.

        Raises:
            SinkError: ffmpeg cannot be started.
        """
        self.frames, self.encoding = 0, encoding_of(STANDARD_OUTPUT, bits=bits)
        encoding = self.encoding
        arguments = y4m_arguments(encoding, encoding.coded_size(size), fps, pixel_aspect)
        self._ffmpeg = FFmpeg([*arguments, "pipe:1"], fed=True, passed_on=True)

    def __enter__(self) -> Self:
        """Return the output itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Complete the stream, or end it after an error."""
        if kind is None:
            self.close()
        self._ffmpeg.kill()

    def write(self, image: Image) -> None:
        """Write the next image, RGB, uint8 or uint16 (height, width, 3).

        Raises:
            SinkError: Whoever reads has gone.
        """
        padded = pad(to_16bit(image)) if self.encoding.deep else pad(to_8bit(image))
        try:
            # However long whoever reads takes.
            self._ffmpeg.write(np.ascontiguousarray(padded).data.cast("B"), patience=math.inf)
        except SinkError as error:
            raise self._failure(error) from error
        self.frames += 1

    def close(self) -> None:
        """Complete the stream; safe to call twice. Raises ``SinkError``."""
        try:
            self._ffmpeg.finish(threading.TIMEOUT_MAX)
        except SinkError as error:
            raise self._failure(error) from error

    def _failure(self, error: SinkError) -> SinkError:
        if "pipe" in str(error):
            return SinkError("the program that reads standard output has ended")
        return SinkError(f"standard output cannot be written: {error}")
