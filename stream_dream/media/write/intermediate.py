"""Encodes images with ffmpeg to the intermediate file that the final one is made from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.image import pad_even
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.write.formats import Format, coded_size, encoder_arguments


class Encoder:
    """Encodes images to a fragmented MP4, which plays up to its last second after a crash.

    Attributes:
        path: The file.
        frames: Images written so far.
    """

    def __init__(
        self,
        path: Path,
        made: Format,
        *,
        size: tuple[int, int],
        fps: Fraction,
        pixel_aspect: Fraction,
        crf: int,
    ) -> None:
        """Start ffmpeg.

        Args:
            path: The file to write, absolute; it is replaced.
            made: The final format.
            size: (width, height) of the images.
            fps: Frames per second.
            pixel_aspect: Width of a pixel divided by its height.
            crf: Quality on x264's scale: 0 (best) to 51.

        Raises:
            SinkError: If ffmpeg cannot be started.
        """
        self.path = path
        self.frames = 0
        self._made, self._size = made, size
        arguments = encoder_arguments(made, coded_size(made, size), fps, pixel_aspect, crf)
        self._ffmpeg = FFmpeg([*arguments, "-y", str(path)], fed=True)

    @property
    def pid(self) -> int:
        """The process id of ffmpeg."""
        return self._ffmpeg.pid

    def write(self, image: Image8) -> None:
        """Encode the next image, uint8 RGB (height, width, 3). Raises ``SinkError``."""
        if self._made.film:
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
