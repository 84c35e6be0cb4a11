"""Decodes, with the bundled ffmpeg, files that OpenCV decodes wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import SinkError, SourceError
from stream_dream.frame import Image
from stream_dream.image import Level
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.read.decoder import SEEK_FROM, SEEK_MARGIN
from stream_dream.media.read.ffmpeg_report import Probe
from stream_dream.media.read.packets import end_of_picture
from stream_dream.media.read.picture import over

_TICK = 1_000_000
"""Ticks of a time stamp per second; ffmpeg rounds seconds to six digits."""

# Writes each time stamp, before its picture, to standard error, which every system has.
_STAMPED = (
    f"metadata=add:key=n:value=0,settb=1/{_TICK},"
    r"metadata=print:key=n:file='pipe\:2':direct=1"
)
_STAMP = re.compile(r"frame:\d+ +pts:(\S+)")
_STAMPS_KEY = "n=0"

_DEINTERLACED = "bwdif=mode=send_frame:deint=interlaced"
"""Changes only pictures marked as interlaced (Weston 3-field and BBC's filter)."""

_SMALLEST_DEINTERLACED = 4

# Header lines of a picture in PAM format.
_HEADER = (b"P7", b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL", b"TUPLTYPE", b"ENDHDR")

_RGB16 = "format=rgb48be"
# ffmpeg's usual filter makes 65283 of white.
_TO_RGB16 = "zscale=m=gbr:r=full:f=bicubic:param_a=0:param_b=0.6,format={pixels}"

# White of SDR is 203 cd/m2 (ITU-R BT.2408). Up to 3/5 of its light nothing changes, and 1000 cd/m2
# become white; ffmpeg's other curves darken skin and walls (looked at).
_TONE_MAP = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=mobius:param=0.6:desat=0:peak=4.93,zscale=t=bt709:m=gbr:r=full,format=gbrp16le"
)
# Light above 1 is cut off.
_LIGHT_TO_SRGB = "zscale=tin=linear:min=gbr:t=iec61966-2-1,format=gbrp16le"
_TO_BT2020 = "zscale=p=bt2020:m=gbr:r=full,format=gbrp16le"
_WIDE_TO_BT709 = "zscale=p=bt709:m=gbr:r=full,format=gbrp16le"
_UNTAGGED = ("", "unknown", "reserved")
_YUV = ("yuv", "nv", "p0", "y2")

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders of WebM's separate alpha, which ffmpeg's own decoders ignore."""

_COMPLETE = 0.05
"""Seconds by which the last picture may end before the file: containers round both."""


class FFmpegDecoder:
    """Decodes a file with ffmpeg, through a pipe; see ``Decoder``.

    Interlaced pictures are deinterlaced, transparent ones composed over a background colour.
    """

    _TOLD = _STAMPED  # filter that tells of each picture

    def __init__(
        self,
        file: Probe,
        background: tuple[int, int, int] = (0, 0, 0),
        *,
        deep: bool = False,
        hdr: bool = False,
    ) -> None:
        """Store the file and the colour behind transparent pixels, RGB, 0..255.

        With ``deep``, images of a file of more than 8 bits have 16. With ``hdr`` as well, those of
        an HDR file are HDR.
        """
        self.file, self._background = file, background
        self.deep = deep and file.bits > 8
        self.hdr = file.hdr if hdr and self.deep else None
        self._type = np.dtype(">u2" if self.deep else "u1")  # PAM has the high byte first
        self._process: FFmpeg | None = None
        self._closed = False
        self._origin: float | None = None

    def pictures(self, start: float = 0.0) -> Iterator[tuple[Image, float]]:
        """Yield the pictures. The first one raises ``SourceError`` if ffmpeg cannot be started."""
        self._end()
        if start >= SEEK_FROM and self.file.length is not None and self._origin is not None:
            return self._sought(start)
        return self._decoded()

    def is_complete(self, pictures: int) -> bool:
        """Return whether the file reaches its announced end."""
        if self.file.delays:
            return pictures >= len(self.file.delays)
        end = end_of_picture(self.file.path)
        if end is None or self._origin is None or self.file.length is None:
            return False
        return end - self._origin >= self.file.length - _COMPLETE

    def close(self) -> None:
        """Stop ffmpeg."""
        self._closed = True
        self._end()

    def _sought(self, start: float) -> Iterator[tuple[Image, float]]:
        """Seek and yield the pictures from just before ``start`` on; all if seeking misses it."""
        assert self.file.length is not None
        pictures = self._decoded(min(start, self.file.length) - SEEK_MARGIN)
        first = next(pictures, None)
        if first is not None and 0 < first[1] <= start:
            yield first
        else:
            self._end()
            pictures = self._decoded()
        yield from pictures

    def _decoded(self, start: float | None = None) -> Iterator[tuple[Image, float]]:
        if self._closed:
            return
        stamps: SimpleQueue[int | None] = SimpleQueue()

        def on_message(line: str) -> bool:
            stamp = _STAMP.search(line)  # possibly after the start of an error message
            if stamp is not None:
                ticks = stamp[1]
                stamps.put(int(ticks) if ticks.removeprefix("-").isdecimal() else None)
            return stamp is not None or line == _STAMPS_KEY

        process = self._start([*self._given(start), "-i", self._source], on_message)
        delays = self.file.delays
        times = accumulate(delays, initial=0.0) if delays else self._times(stamps)
        try:
            yield from zip(self._images(process), times, strict=False)
        finally:
            process.kill()

    @property
    def _source(self) -> str:
        """Return ffmpeg's name of the input."""
        return str(self.file.path.absolute())

    def _given(self, start: float | None) -> list[str]:
        """Return ffmpeg's arguments of the input."""
        file, given = self.file, ["-copyts"]
        if file.transparent and file.video in _WITH_ALPHA:
            given += ["-c:v", _WITH_ALPHA[file.video]]
        if start is not None and self._origin is not None:
            given += ["-ss", f"{self._origin + start - file.start:.6f}"]
        return given

    def _start(self, source: Sequence[str], on_message: Callable[[str], bool]) -> FFmpeg:
        """Start ffmpeg. ``on_message`` gets what is told of a picture before that is written."""
        pixels = {
            (1, False): "rgb24",
            (1, True): "rgba",
            (2, False): "rgb48be",
            (2, True): "rgba64be",
        }[self._type.itemsize, self.file.transparent]
        made = ["-fps_mode", "passthrough", "-c:v", "pam", "-pix_fmt", pixels]
        made += ["-map", "0:V:0", "-vf", self._filters, "-f", "image2pipe", "-"]
        try:
            process = self._launch(["-nostdin", *source, *made], on_message)
        except SinkError as error:
            raise SourceError(str(error)) from error
        self._process = process
        return process

    def _launch(self, arguments: Sequence[str], on_message: Callable[[str], bool]) -> FFmpeg:
        return FFmpeg(arguments, read=True, on_message=on_message)

    @property
    def _filters(self) -> str:
        file, matrix = self.file, "auto"
        width, height = file.size
        if file.untagged_yuv:  # as players do
            matrix = "bt709" if width >= 1280 or height >= 720 else "bt601"
        scale = f"scale=in_color_matrix={matrix}:flags=bicubic+accurate_rnd+full_chroma_int"
        made = [_DEINTERLACED, self._TOLD]
        if not file.interlaced or min(width, height) < _SMALLEST_DEINTERLACED:
            made.remove(_DEINTERLACED)
        if self.hdr is not None:
            kept = _TO_BT2020 if file.has_other_primaries else self._to_rgb16 or scale
            kept = f"{kept},{_RGB16}"
            split = f"split[h][s];[h]{kept}[h];[s]{_TONE_MAP},{_RGB16}[s];[h][s]vstack"
            return ",".join([*made, _tagged(file), *self._whole_chroma, split])
        if file.transparent and file.video != "exr":
            # The other conversions lose what is transparent.
            return ",".join([*made, *self._tagged_to_rgb16(matrix, otherwise=scale)])
        if file.video == "exr":
            # ffmpeg's other conversion of half floats loses more than they have (measured).
            floats = [] if file.pixels.startswith("gbr") else ["format=gbrpf32le"]
            return ",".join([*made, *floats, _LIGHT_TO_SRGB])
        if file.hdr is not None:
            return ",".join([*made, _tagged(file), *self._whole_chroma, _TONE_MAP])
        if file.wide:
            return ",".join([*made, _tagged(file), *self._whole_chroma, _WIDE_TO_BT709])
        return ",".join([*made, *self._tagged_to_rgb16(matrix, otherwise=scale)])

    @property
    def _to_rgb16(self) -> str:
        """The filters that convert deep, tagged YUV to RGB; empty for other pictures."""
        file = self.file
        if not self.deep or not file.pixels.startswith(_YUV):
            return ""
        return _TO_RGB16.format(pixels=f"gbr{'a' if file.transparent else ''}p16le")

    @property
    def _whole_chroma(self) -> list[str]:
        """The filter for odd sizes, which zscale refuses with half samples of chroma; or none."""
        file = self.file
        if not file.pixels.startswith(_YUV) or not (file.size[0] % 2 or file.size[1] % 2):
            return []
        return [f"scale=flags=bicubic,format=yuv{'a' if file.transparent else ''}444p12le"]

    def _tagged_to_rgb16(self, matrix: str, *, otherwise: str) -> list[str]:
        """Return ``_to_rgb16`` behind its tags, by the matrix of an untagged picture."""
        if not self._to_rgb16:
            return [otherwise]
        tagged = _tagged(self.file, "smpte170m" if matrix == "bt601" else "bt709")
        return [tagged, *self._whole_chroma, self._to_rgb16]

    def _times(self, stamps: SimpleQueue[int | None]) -> Iterator[float]:
        """Yield time stamps in seconds from the first picture; missing ones at the file's rate."""
        last: float | None = None
        while True:
            ticks = stamps.get()
            if ticks is not None:
                time = ticks / _TICK
                if self._origin is None:
                    self._origin = time
                last = time - self._origin
            else:
                self._origin = self._origin or 0.0
                last = (
                    0.0 if last is None else last + (1 / self.file.rate if self.file.rate else 0.0)
                )
            yield last

    def _images(self, process: FFmpeg) -> Iterator[Image]:
        """Yield the pictures that ffmpeg writes, without an incomplete last one."""
        assert process.output is not None
        while True:
            try:
                header = [process.output.readline() for _ in _HEADER]
                if tuple(line.split(b" ")[0].strip() for line in header) != _HEADER:
                    return
                width, height, depth = (int(line.split()[1]) for line in header[1:4])
                image = np.empty((height, width, depth), self._type)
                if process.output.readinto(image.data.cast("B")) < image.nbytes:
                    return
            except ValueError:  # closed by another thread
                return
            image = image.astype(self._type.newbyteorder("="), copy=False)
            yield image if depth == 3 else self._laid_over(image)

    def _laid_over(self, image: NDArray[Level]) -> NDArray[Level]:
        colours, alpha = image[..., :3], image[..., 3]
        if alpha.min() == np.iinfo(image.dtype).max:
            return np.ascontiguousarray(colours)
        return over(colours, alpha, self._background)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()


def _tagged(file: Probe, usual: str = "bt709") -> str:
    """Return the filter that completes the tags of a picture, all of which zscale needs.

    ``usual`` is the matrix of an untagged picture of SDR.
    """
    matrix, primaries = ("bt2020nc", "bt2020") if file.hdr is not None else (usual, "bt709")
    if file.is_rgb:
        matrix = "gbr"
    elif file.matrix != "gbr":  # a wrong tag, which some films have
        matrix = file.matrix or matrix
    primaries = primaries if file.primaries in _UNTAGGED else file.primaries
    curve = "bt709" if file.transfer in _UNTAGGED else file.transfer
    return f"setparams=colorspace={matrix}:color_primaries={primaries}:color_trc={curve}"
