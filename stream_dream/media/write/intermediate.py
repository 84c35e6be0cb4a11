"""Encodes images with ffmpeg to the intermediate file that the final one is made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.image import pad_even
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.write.finalize import Finalizer
from stream_dream.media.write.formats import coded_size, encoder_arguments


class Encoder:
    """Encodes images to a fragmented MP4, which plays up to its last second after a crash.

    Attributes:
        frames: Images written so far.
    """

    def __init__(self, path: Path, finalizer: Finalizer) -> None:
        """Start ffmpeg, which replaces the file at an absolute path.

        ``finalizer`` will make the final file of it. Raises ``SinkError``.
        """
        self.frames = 0
        self._film, self._size = finalizer.format.film, finalizer.size
        arguments = encoder_arguments(
            finalizer.format,
            coded_size(finalizer.format, finalizer.size),
            finalizer.fps,
            finalizer.pixel_aspect,
            finalizer.compression.crf,
        )
        self._ffmpeg = FFmpeg([*arguments, "-y", str(path)], fed=True)

    def write(self, image: Image8) -> None:
        """Encode the next image, uint8 RGB (height, width, 3). Raises ``SinkError``."""
        if self._film:
            image = pad_even(image)
        self._ffmpeg.write(np.ascontiguousarray(image).data.cast("B"))
        self.frames += 1

    def check(self, image: Image8, path: Path) -> None:
        """Raise ``SinkError`` for an image of an unexpected shape or type."""
        expected = (self._size[1], self._size[0], 3)
        if image.shape != expected or image.dtype != np.uint8:
            raise SinkError(
                f"an image is {image.dtype} {image.shape}: {path} takes uint8 {expected}"
            )

    def finish(self, seconds: float) -> None:
        """Complete the file within ``seconds``. Raises ``SinkError`` if that fails."""
        self._ffmpeg.finish(seconds)

    def kill(self) -> None:
        """Kill ffmpeg if it still runs."""
        self._ffmpeg.kill()
