"""Writes video files, GIFs and pictures through ffmpeg."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.image import pad_even
from stream_dream.media import finishing
from stream_dream.media.ffmpeg import PATIENCE, FFmpeg, playable
from stream_dream.media.fitting import Compression, make_fitting
from stream_dream.media.formats import (
    encoder_arguments,
    format_of,
    shrinking_arguments,
    square_size,
)
from stream_dream.media.sound import Soundtrack
from stream_dream.media.target import (
    check_target,
    interrupted_name,
    place,
    reserve,
    reserve_folder,
)
from stream_dream.setting_values import Dither

__all__ = ["Soundtrack", "VideoSink", "check_target"]


class VideoSink:
    """Encodes images to a file, whose name appears only when it is complete.

    Use it in a ``with`` block: leaving it completes the file, an error discards it.

    Attributes:
        path: The file; a pattern such as ``dream-%05d.png`` starts with ``dream-00001.png``.
        frames: Images written so far.
        compression: What the finished file was compressed with, which ``max_bytes`` may have made
            stronger than what was asked for.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        size: tuple[int, int],
        fps: Fraction,
        pixel_aspect: Fraction = Fraction(1),
        crf: int = 18,
        colors: int = 256,
        dither: Dither = "bayer",
        max_bytes: int | None = None,
        sound: Soundtrack | None = None,
        overwrite: bool = False,
    ) -> None:
        """Start the encoder.

        Args:
            path: .mp4, .mov, .mkv, .webm, .gif, .webp, .apng or a numbered pattern of .png files.
            size: (width, height) of the images. Where a film needs even sides, odd ones get one
                more row or column, which repeats the last one.
            fps: Frames per second.
            pixel_aspect: Width of a pixel divided by its height. Films keep it as a tag, the
                other formats are scaled to square pixels.
            crf: Quality of films and WebP on x264's scale: 0 (best) to 51.
            colors: Colours of a GIF's palette, 4 to 256.
            dither: How a GIF mixes them.
            max_bytes: Largest size of the finished file: quality and size in pixels are given up
                until it fits. None for no limit; pictures have none.
            sound: Sound to add when the picture is complete; only films take it.
            overwrite: True if what exists under this name may be replaced.

        Raises:
            SinkError: If the target cannot be written, a number is out of range, or ffmpeg cannot
                be started.
        """
        if min(size) < 1 or fps <= 0 or not 0 <= crf <= 51 or not 4 <= colors <= 256:
            raise SinkError(
                f"size {size}, fps {fps}, crf {crf}, colors {colors}: sides and rate must be above "
                "0, crf 0 to 51, colors 4 to 256",
                exit_code=2,
            )
        self.path = path = Path(path)
        self.compression = Compression(crf, colors, dither)
        check_target(path, overwrite=overwrite)
        self.frames = 0
        self._format = format_of(path)
        self._size, self._fps, self._max_bytes = size, fps, max_bytes
        self._square_size = square_size(size, pixel_aspect)
        self._sound, self._overwrite = sound, overwrite
        self._padding = tuple(side % 2 if self._format.film else 0 for side in size)
        self._closed = False
        self._rough = reserve(path)
        coded = (size[0] + self._padding[0], size[1] + self._padding[1])
        arguments = encoder_arguments(self._format, coded, fps, pixel_aspect, crf)
        try:
            self._encoder = FFmpeg([*arguments, "-y", str(self._rough)], fed=True)
        except SinkError:
            self._rough.unlink()
            raise

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Complete the file, or discard it where the block ended with an error."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, image: Image8) -> None:
        """Encode the next image.

        Args:
            image: uint8 RGB, (height, width, 3).

        Raises:
            SinkError: If the image has another shape or type, or ffmpeg fails.
        """
        expected = (self._size[1], self._size[0], 3)
        if image.shape != expected or image.dtype != np.uint8:
            raise SinkError(
                f"an image is {image.dtype} {image.shape}: {self.path} takes uint8 {expected}"
            )
        if self._closed:
            raise SinkError(f"{self.path} is closed: nothing more can be written")
        if self._format.film:
            image = pad_even(image)
        try:
            self._encoder.write(np.ascontiguousarray(image).data.cast("B"))
        except SinkError as error:
            raise self._failure(error) from error
        self.frames += 1

    def close(self) -> None:
        """Complete the file; calling it again does nothing.

        Raises:
            SinkError: If nothing was written, or ffmpeg or the disk fails.
        """
        if self._closed:
            return
        if self.frames == 0:
            self.discard()
            raise SinkError(f"{self.path} was not made: there was no frame to write")
        placed = self._complete(self.path, overwrite=self._overwrite, longest=None)
        if placed != self.path:
            raise SinkError(f"{self.path} has appeared meanwhile and was kept: see {placed}")

    def keep_partial(self) -> Path | None:
        """Complete what was written so far, its sound cut to the picture, under another name.

        Returns:
            The name, such as ``dream.interrupted.mp4``; None if nothing was written.

        Raises:
            SinkError: If ffmpeg or the disk fails.
        """
        if self._closed or self.frames == 0:
            self.discard()
            return None
        return self._complete(
            interrupted_name(self.path), overwrite=False, longest=float(self.frames / self._fps)
        )

    def discard(self) -> None:
        """End ffmpeg and remove what was written; does nothing once the file is complete."""
        self._closed = True
        self._encoder.kill()
        self._rough.unlink(missing_ok=True)

    def _complete(self, path: Path, *, overwrite: bool, longest: float | None) -> Path:
        """Make the final file and move it to its name."""
        made = None
        try:
            self._encoder.finish(self._patience)
            made = self._finish(longest)
            placed = place(made, path, overwrite=overwrite)
        except (SinkError, OSError) as error:
            if made is not None:
                _remove(made)
            raise self._failure(error) from error
        self.discard()
        return placed

    def _finish(self, longest: float | None) -> Path:
        """Make the final file, under a temporary name still."""
        pictures = self._format.muxer == "image2"
        final = reserve_folder(self.path) if pictures else reserve(self.path)
        try:
            if pictures:
                size, seconds = self._square_size, self._patience
                finishing.finish_pictures(self._rough, final, size=size, seconds=seconds)
            elif self._max_bytes is None:
                self._make(final, longest, self.compression)
            else:
                self._make_fitting(final, longest, self._max_bytes)
        except BaseException:
            _remove(final)
            raise
        return final

    @property
    def written_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the finished file, without the padding to even sides."""
        return self.compression.size(self._square_size, even=self._format.film)

    def _make_fitting(self, final: Path, longest: float | None, limit: int) -> None:
        def make(compression: Compression) -> int:
            self._make(final, longest, compression)
            return final.stat().st_size

        self.compression = make_fitting(make, self.compression, self._format.muxer, limit)

    def _make(self, final: Path, longest: float | None, compression: Compression) -> None:
        """Make the final file, or make it anew."""
        rough, muxer, seconds = self._rough, self._format.muxer, self._patience
        size = compression.size(self._square_size, even=False)
        if muxer == "gif":
            finishing.finish_gif(
                rough, final, size=size, fps=self._fps, compression=compression, seconds=seconds
            )
        elif muxer == "webp":
            finishing.finish_webp(rough, final, size=size, crf=compression.crf, seconds=seconds)
        elif muxer == "apng":
            finishing.finish_apng(rough, final, size=size, seconds=seconds)
        else:
            finishing.finish_film(
                rough,
                final,
                self._format,
                sound=self._sound,
                longest=longest,
                picture=self._picture_arguments(compression),
                seconds=seconds,
            )

    def _picture_arguments(self, compression: Compression) -> list[str]:
        """Tell ffmpeg to copy a film's picture, unless it has to become smaller."""
        if compression == self.compression:
            return ["-c:v", "copy"]
        width, height = (s + p for s, p in zip(self._size, self._padding, strict=True))
        size = compression.size((width, height), even=True)
        return shrinking_arguments(self._format, size, compression.crf)

    @property
    def _patience(self) -> float:
        """Seconds that a step of completing the file may take: 10 times a GIF's (measured)."""
        pixels = self._size[0] * self._size[1]
        return PATIENCE + self.frames * (1 + pixels / 250_000)

    def _failure(self, error: SinkError | OSError) -> SinkError:
        """Clean up after a failure, keep what can be played, and say so in one line."""
        self._closed = True
        self._encoder.kill()
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{self.path} could not be written: {reason}"
        if playable(self._rough):
            kept = interrupted_name(self.path, ".mp4")
            self._rough.rename(kept)
            message += f"; the picture up to there is in {kept}"
        self._rough.unlink(missing_ok=True)
        return SinkError(message)


def _remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
