"""Encodes images with ffmpeg to the intermediate file that the final one is made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stream_dream.errors import SinkError
from stream_dream.frame import Image, Layer, Mask8
from stream_dream.image import pad, to_8bit, to_16bit
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.write.encoder_arguments import encoder_arguments
from stream_dream.media.write.finalize import Finalizer


class Encoder:
    """Encodes images to a file in fragments, which plays up to its last second after a crash.

    Attributes:
        frames: Images written so far.
    """

    def __init__(self, path: Path, finalizer: Finalizer) -> None:
        """Start ffmpeg, which replaces the file at an absolute path.

        ``finalizer`` will make the final file of it. Raises ``SinkError``.
        """
        self.frames = 0
        self._encoding, self._size = finalizer.encoding, finalizer.size
        self._mattes = len(finalizer.mattes)
        arguments = encoder_arguments(
            finalizer.encoding,
            finalizer.encoding.coded_size(finalizer.size),
            finalizer.fps,
            finalizer.pixel_aspect,
            finalizer.compression.crf,
            mattes=self._mattes,
        )
        self._ffmpeg = FFmpeg([*arguments, "-y", str(path)], fed=True)

    def write(self, image: Image | Layer, *mattes: Mask8) -> None:
        """Encode the next image, RGB or RGBA of 8 or 16 bits, and its mattes.

        Raises ``SinkError``.
        """
        like = image.shape[2]
        parts = [image, *(np.dstack([matte] * like) for matte in mattes)]
        for part in parts:
            self._ffmpeg.write(np.ascontiguousarray(self._padded(part)).data.cast("B"))
        self.frames += 1

    def _padded(self, image: Image | Layer) -> Image | Layer:
        step = self._encoding.codec.multiple
        return pad(to_16bit(image), step) if self._encoding.deep else pad(to_8bit(image), step)

    def check(self, image: Image | Layer, mattes: Sequence[Mask8], path: Path) -> None:
        """Raise ``SinkError`` for an image or mattes of an unexpected number, shape or type."""
        expected = (self._size[1], self._size[0], 4 if self._encoding.alpha else 3)
        if image.shape != expected or image.dtype not in (np.uint8, np.uint16):
            raise SinkError(
                f"an image is {image.dtype} {image.shape}: {path} takes uint8 or uint16 {expected}"
            )
        found = [f"{matte.dtype} {matte.shape}" for matte in mattes]
        if found != [f"uint8 {expected[:2]}"] * self._mattes:
            wanted = f"{self._mattes} mattes of uint8 {expected[:2]}"
            raise SinkError(f"{path} takes {wanted} with each image, not {found}")

    def finish(self, seconds: float) -> None:
        """Complete the file within ``seconds``. Raises ``SinkError`` if that fails."""
        self._ffmpeg.finish(seconds)

    def kill(self) -> None:
        """Kill ffmpeg if it still runs."""
        self._ffmpeg.kill()
