"""Makes the final file from the encoded images: container, sound, size limit."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

from stream_dream.errors import SinkError
from stream_dream.frame import MatteKind
from stream_dream.media.ffmpeg import PATIENCE
from stream_dream.media.write import mux
from stream_dream.media.write.atomic import reserve, reserve_folder
from stream_dream.media.write.encoder_arguments import copying_arguments, shrinking_arguments
from stream_dream.media.write.formats import Encoding, encoding_of
from stream_dream.media.write.mux import EncodedVideo
from stream_dream.media.write.recipe_tags import fitting, tag
from stream_dream.media.write.size_limit import Compression, make_fitting
from stream_dream.media.write.sound import Soundtrack
from stream_dream.settings.values import Dither


class Finalizer:
    """Makes the final file from encoded images.

    Attributes:
        path: The file, or the pattern of numbered pictures.
        encoding: How it is encoded.
        format: Its format.
        size: (width, height) of the images.
        fps: Frames per second.
        pixel_aspect: Width of a pixel divided by its height.
        compression: Compression of the file; ``max_bytes`` may make it stronger than requested.
        mattes: Files of the grey streams that are encoded beside the images, in their order.
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
        encoding: Encoding | None = None,
        recipe: str | None = None,
        mattes: Mapping[MatteKind, Path] = MappingProxyType({}),
        stream: int = 0,
    ) -> None:
        """Check and store the parameters; see ``VideoSink``.

        Without an encoding, it is the usual one of the format. ``stream`` is the number of the
        stream that becomes the file.

        Raises:
            SinkError: If a number is out of range, or the recipe is not in ASCII.
        """
        if min(size) < 1 or fps <= 0 or not 0 <= crf <= 51 or not 4 <= colors <= 256:
            raise SinkError(
                f"size {size}, fps {fps}, crf {crf}, colors {colors}: sides and rate must be above "
                "0, crf 0 to 51, colors 4 to 256",
                exit_code=2,
            )
        self.path = path
        self.encoding = encoding or encoding_of(path)
        self.format = self.encoding.format
        self.size, self.fps, self.pixel_aspect = size, fps, pixel_aspect
        self.compression = self._wanted = Compression(crf, colors, dither)
        self._max_bytes, self._sound = max_bytes, sound
        self._recipe = fitting(path, recipe)
        self.mattes, self._stream = dict(mattes), stream
        self._square_size = max(1, round(size[0] * pixel_aspect)), size[1]

    def of_matte(self, kind: MatteKind) -> Finalizer:
        """Return the finalizer that makes the file of a matte."""
        return Finalizer(
            self.mattes[kind],
            size=self.size,
            fps=self.fps,
            pixel_aspect=self.pixel_aspect,
            crf=self._wanted.crf,
            encoding=self.encoding.of_matte,
            recipe=self._recipe,
            stream=1 + list(self.mattes).index(kind),
        )

    @property
    def written_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the finished file, without the padding to even sides."""
        return self.compression.size(self._square_size, self.encoding.codec.multiple)

    def patience(self, frames: int) -> float:
        """Return the time limit of a step in seconds: 10 times what a GIF takes (measured)."""
        pixels = self.size[0] * self.size[1]
        return PATIENCE + frames * (1 + pixels / 250_000)

    def cut_sound(self, frames: int) -> None:
        """Cut the sound to the length of the first ``frames``."""
        if self._sound is not None:
            self._sound = self._sound.cut(float(frames / self.fps))

    def make(self, encoded: EncodedVideo, frames: int, *, room: Path | None = None) -> Path:
        """Make the file under a temporary name.

        Args:
            encoded: The encoded images.
            frames: Number of images.
            room: Folder of the temporary file, on the same disk; None for that of ``path``.

        Returns:
            The temporary name: a file or, for numbered pictures, a folder.

        Raises:
            SinkError: If ffmpeg or the disk fails.
        """
        if self._sound is not None and self._sound.ends_with_picture:
            self.cut_sound(frames)
        encoded = encoded._replace(stream=self._stream)
        pictures = self.format.muxer == "image2"
        path = self.path if room is None else room / self.path.name
        made = reserve_folder(path) if pictures else reserve(path)
        seconds = self.patience(frames)

        def attempt(compression: Compression) -> int:
            self._make(encoded, made, compression, seconds)
            return made.stat().st_size

        try:
            limit = None if pictures else self._max_bytes
            self.compression = make_fitting(attempt, self._wanted, self.format.muxer, limit)
        except BaseException:
            remove(made)
            raise
        return made

    def _make(
        self, encoded: EncodedVideo, made: Path, compression: Compression, seconds: float
    ) -> None:
        size = compression.size(self._square_size)
        if self.format.muxer == "gif":
            mux.finish_gif(
                encoded, made, size=size, fps=self.fps, compression=compression, seconds=seconds
            )
        elif self.format.muxer == "image2":
            suffix = self.path.suffix.lower()
            mux.finish_sequence(encoded, made, self.encoding, suffix, size=size, seconds=seconds)
        elif not self.format.film:
            muxer, crf = self.format.muxer, compression.crf
            mux.finish_pictures(encoded, made, muxer, size=size, crf=crf, seconds=seconds)
        else:
            mux.finish_film(
                encoded,
                made,
                self.format,
                sound=self._sound,
                picture=self._picture_arguments(encoded, compression),
                seconds=seconds,
                recipe=self._recipe,
            )
            return
        tag(made, self.format.muxer, size, self._recipe)

    def _picture_arguments(self, encoded: EncodedVideo, compression: Compression) -> list[str]:
        """Return ffmpeg's arguments to copy a film's picture, or encode it again to shrink it."""
        if compression == self._wanted:
            return [*encoded.copy_args, *copying_arguments(self.encoding)]
        size = compression.size(self.encoding.coded_size(self.size), self.encoding.codec.multiple)
        return shrinking_arguments(self.encoding, size, compression.crf)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
