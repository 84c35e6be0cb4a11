"""Makes the file that was asked for from what was encoded: container, sound, size limit."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.media.ffmpeg import PATIENCE
from stream_dream.media.write import mux
from stream_dream.media.write.atomic import reserve, reserve_folder
from stream_dream.media.write.formats import coded_size, format_of, shrinking_arguments, square_size
from stream_dream.media.write.mux import EncodedVideo
from stream_dream.media.write.size_limit import Compression, make_fitting
from stream_dream.media.write.sound import Soundtrack
from stream_dream.settings.values import Dither


class Finalizer:
    """What is to be made of the encoded images.

    Attributes:
        path: The file, or the pattern of numbered pictures.
        format: Its format.
        size: (width, height) of the images.
        fps: Their rate.
        pixel_aspect: Width of a pixel divided by its height.
        compression: What the file is compressed with, which ``max_bytes`` may make stronger than
            what was asked for.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        fps: Fraction,
        pixel_aspect: Fraction = Fraction(1),
        crf: int = 18,
        colors: int = 256,
        dither: Dither = "bayer",
        max_bytes: int | None = None,
        sound: Soundtrack | None = None,
    ) -> None:
        """Store what ``VideoSink`` is given.

        Raises:
            SinkError: A number is out of range.
        """
        if min(size) < 1 or fps <= 0 or not 0 <= crf <= 51 or not 4 <= colors <= 256:
            raise SinkError(
                f"size {size}, fps {fps}, crf {crf}, colors {colors}: sides and rate must be above "
                "0, crf 0 to 51, colors 4 to 256",
                exit_code=2,
            )
        self.path = path
        self.format = format_of(path)
        self.size, self.fps, self.pixel_aspect = size, fps, pixel_aspect
        self.compression = self._wanted = Compression(crf, colors, dither)
        self._max_bytes, self._sound = max_bytes, sound
        self._square_size = square_size(size, pixel_aspect)

    @property
    def written_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the finished file, without the padding to even sides."""
        return self.compression.size(self._square_size, even=self.format.film)

    def patience(self, frames: int) -> float:
        """Seconds that a step of making the file may take: 10 times a GIF's (measured)."""
        pixels = self.size[0] * self.size[1]
        return PATIENCE + frames * (1 + pixels / 250_000)

    def make(
        self,
        encoded: EncodedVideo,
        frames: int,
        *,
        longest: float | None = None,
        room: Path | None = None,
    ) -> Path:
        """Make the file, under a temporary name still.

        Args:
            encoded: The encoded images.
            frames: Their number.
            longest: Seconds behind which the sound is cut; None to leave it whole.
            room: The folder to make it in, on the same disk; None for the file's own.

        Returns:
            The temporary name: a file or, for numbered pictures, a folder.

        Raises:
            SinkError: If ffmpeg or the disk fails.
        """
        pictures = self.format.muxer == "image2"
        path = self.path if room is None else room / self.path.name
        made = reserve_folder(path) if pictures else reserve(path)
        seconds = self.patience(frames)

        def attempt(compression: Compression) -> int:
            self._make(encoded, made, longest, compression, seconds)
            return made.stat().st_size

        try:
            limit = None if pictures else self._max_bytes
            self.compression = make_fitting(attempt, self._wanted, self.format.muxer, limit)
        except BaseException:
            remove(made)
            raise
        return made

    def _make(
        self,
        encoded: EncodedVideo,
        made: Path,
        longest: float | None,
        compression: Compression,
        seconds: float,
    ) -> None:
        """Make the file, or the pictures, or make them anew."""
        size = compression.size(self._square_size, even=False)
        if self.format.muxer == "gif":
            mux.finish_gif(
                encoded, made, size=size, fps=self.fps, compression=compression, seconds=seconds
            )
        elif self.format.muxer == "webp":
            mux.finish_webp(encoded, made, size=size, crf=compression.crf, seconds=seconds)
        elif self.format.muxer == "apng":
            mux.finish_apng(encoded, made, size=size, seconds=seconds)
        elif self.format.muxer == "image2":
            mux.finish_pictures(encoded, made, size=size, seconds=seconds)
        else:
            mux.finish_film(
                encoded,
                made,
                self.format,
                sound=self._sound,
                longest=longest,
                picture=self._picture_arguments(encoded, compression),
                seconds=seconds,
            )

    def _picture_arguments(self, encoded: EncodedVideo, compression: Compression) -> list[str]:
        """Return ffmpeg's arguments to copy a film's picture, unless it has to become smaller."""
        if compression == self._wanted:
            return [*encoded.copied]
        size = compression.size(coded_size(self.format, self.size), even=True)
        return shrinking_arguments(self.format, size, compression.crf)


def remove(path: Path) -> None:
    """Remove a file or a folder, which need not be there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
