"""Writes video files, GIFs and numbered pictures with ffmpeg."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Self

from stream_dream.errors import SinkError
from stream_dream.frame import Hdr, Image, Layer, Mask8
from stream_dream.media.ffmpeg import playable
from stream_dream.media.write.atomic import place, reserve
from stream_dream.media.write.finalize import Finalizer, remove
from stream_dream.media.write.formats import Encoding, encoding_of
from stream_dream.media.write.intermediate import Encoder
from stream_dream.media.write.mux import EncodedVideo
from stream_dream.media.write.output_paths import check_size, check_target, interrupted_name
from stream_dream.media.write.size_limit import Compression
from stream_dream.media.write.sound import Soundtrack
from stream_dream.settings.values import Dither, EncoderName


class VideoSink:
    """Encodes images to a file, atomically.

    Use it in a ``with`` block: leaving it completes the file, an error discards it.

    Attributes:
        path: The file; a pattern such as ``dream-%05d.png`` starts with ``dream-00001.png``.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        size: tuple[int, int],
        fps: Fraction,
        pixel_aspect: Fraction = Fraction(1),
        codec: str | None = None,
        bits: int | None = None,
        encoder: EncoderName = "software",
        hdr: Hdr | None = None,
        crf: int = 18,
        colors: int = 256,
        dither: Dither = "bayer",
        max_bytes: int | None = None,
        sound: Soundtrack | None = None,
        recipe: str | None = None,
        overwrite: bool = False,
    ) -> None:
        """Start the encoder.

        Args:
            path: .mp4, .mov, .mkv, .webm, .gif, .webp, .apng or a pattern of numbered pictures,
                .png, .tif or .exr.
            size: (width, height) of the images. Films repeat the last row or column of an odd side.
            fps: Frames per second.
            pixel_aspect: Width of a pixel divided by its height. Films keep it as a tag, other
                formats are scaled to square pixels.
            codec: Name of the codec of a film, such as "prores"; None for its usual one.
            bits: Bits a channel; None for 8, or for those that the codec has.
            encoder: What encodes a film, as ``choose_encoder`` returns it.
            hdr: Curve of the images, for a film of more than 8 bits; None for SDR.
            crf: Quality of films and WebP on x264's scale: 0 (best) to 51.
            colors: Colours of a GIF's palette, 4 to 256.
            dither: Dithering of a GIF.
            max_bytes: Size limit of the file: quality and resolution are reduced until it fits.
                None for no limit; numbered pictures have none.
            sound: Sound to add to a film; other formats ignore it.
            recipe: Text in ASCII that the file carries, such as ``Recipe.text``; None for none. It
                is left out where a format cannot hold so much.
            overwrite: True if existing files may be replaced.

        Raises:
            SinkError: If the target cannot be written, its format cannot hold the size or the
                codec, a number is out of range, or ffmpeg cannot be started.
        """
        finalizer = Finalizer(
            Path(path),
            size=size,
            fps=fps,
            pixel_aspect=pixel_aspect,
            crf=crf,
            colors=colors,
            dither=dither,
            max_bytes=max_bytes,
            sound=sound,
            encoding=encoding_of(Path(path), codec, bits, hdr=hdr).encoded_by(encoder),
            recipe=recipe,
        )
        self._start(finalizer, overwrite=overwrite)

    @classmethod
    def of(cls, finalizer: Finalizer, *, overwrite: bool = False) -> Self:
        """Start the encoder of what a finalizer makes files of, with an alpha channel or mattes.

        Raises:
            SinkError: As for a sink that is made otherwise.
        """
        sink = cls.__new__(cls)
        sink._start(finalizer, overwrite=overwrite)
        return sink

    def _start(self, finalizer: Finalizer, *, overwrite: bool) -> None:
        self.path = path = finalizer.path
        for file in (path, *finalizer.mattes.values()):
            check_target(file, overwrite=overwrite)
        check_size(path, finalizer.size, finalizer.encoding)
        self._finalizer = finalizer
        self._overwrite, self._closed = overwrite, False
        self._rough = reserve(path)
        try:
            self._encoder = Encoder(self._rough, self._finalizer)
        except BaseException:  # also Ctrl-C
            self._rough.unlink()
            raise

    @property
    def frames(self) -> int:
        """Images written so far."""
        return self._encoder.frames

    @property
    def encoding(self) -> Encoding:
        """How the file is encoded."""
        return self._finalizer.encoding

    @property
    def compression(self) -> Compression:
        """Compression of the file; ``max_bytes`` may have made it stronger than requested."""
        return self._finalizer.compression

    @property
    def written_size(self) -> tuple[int, int]:
        """(width, height) in pixels of the finished file, without the padding to even sides."""
        return self._finalizer.written_size

    def __enter__(self) -> Self:
        """Return the sink itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Complete the file, or discard it after an error."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, image: Image | Layer, *mattes: Mask8) -> None:
        """Encode the next image.

        Args:
            image: RGB, uint8 or uint16, (height, width, 3); RGBA for a sink with an alpha channel.
            mattes: One for each matte of the finalizer, uint8 (height, width).

        Raises:
            SinkError: If the image has another shape or type, or ffmpeg fails.
        """
        self._encoder.check(image, mattes, self.path)
        if self._closed:
            raise SinkError(f"{self.path} is closed: nothing more can be written")
        try:
            self._encoder.write(image, *mattes)
        except SinkError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Complete the file; safe to call twice.

        Raises:
            SinkError: If no image was written, or ffmpeg or the disk fails.
        """
        if self._closed:
            return
        if self.frames == 0:
            self.discard()
            raise SinkError(f"{self.path} was not made: there was no frame to write")
        mattes = list(self._finalizer.mattes.values())
        wanted = [self.path, *mattes]
        placed = self._complete(wanted, overwrite=self._overwrite)
        others = [pair for pair in zip(wanted, placed, strict=True) if pair[0] != pair[1]]
        if others:
            kept = "; ".join(f"{file} has appeared meanwhile: see {name}" for file, name in others)
            raise SinkError(kept)

    def keep_partial(self) -> list[Path]:
        """Complete the file and its mattes so far under other names, the sound cut to the picture.

        Returns:
            The names, such as ``dream.interrupted.mp4``; empty if no image was written.

        Raises:
            SinkError: If ffmpeg or the disk fails.
        """
        if self._closed or self.frames == 0:
            self.discard()
            return []
        self._finalizer.cut_sound(self.frames)
        files = [self.path, *self._finalizer.mattes.values()]
        return self._complete([interrupted_name(file) for file in files], overwrite=False)

    def discard(self) -> None:
        """Kill ffmpeg and remove the temporary file; does nothing once the file is complete."""
        self._closed = True
        self._encoder.kill()
        self._rough.unlink(missing_ok=True)

    def _complete(self, names: Sequence[Path], *, overwrite: bool) -> list[Path]:
        """Complete the file and its mattes under these names; return those that they got."""
        finalizer, made = self._finalizer, []
        try:
            self._encoder.finish(finalizer.patience(self.frames))
            encoded = EncodedVideo(("-i", str(self._rough)))
            for each in (finalizer, *map(finalizer.of_matte, finalizer.mattes)):
                made.append(each.make(encoded, self.frames))
            placed = [
                place(file, name, overwrite=overwrite)
                for file, name in zip(made, names, strict=True)
            ]
        except (SinkError, OSError) as error:
            for file in made:
                remove(file)
            raise self._failure(error) from error
        self.discard()
        return placed

    def _failure(self, error: SinkError | OSError) -> SinkError:
        """Clean up, keep the film if it plays, and return an error that names it."""
        self._closed = True
        self._encoder.kill()
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{self.path} could not be written: {reason}"
        if playable(self._rough):
            kept = interrupted_name(self.path, f".{self._finalizer.encoding.codec.carrier}")
            shutil.move(self._rough, kept)
            message += f"; the picture up to there is in {kept}"
        self._rough.unlink(missing_ok=True)
        return SinkError(message)
