"""The output formats, and the choice of their codecs.

Every render is encoded to a fragmented MP4 or MOV first, whatever its final format: it keeps the
frame rate exactly (Matroska rounds to milliseconds), plays after a crash up to the last frame on
the disk, and lets sound be cut to the picture. The final format is made from it at the end. A live
show, which may run for days, is recorded directly to Matroska, its final format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from stream_dream.errors import SinkError
from stream_dream.media.write.codecs import CODECS, LOSSLESS, LOSSLESS_DEEP, Codec
from stream_dream.media.write.hardware_encoders import HardwareEncoder, hardware_encoder

if TYPE_CHECKING:
    from stream_dream.frame import Hdr
    from stream_dream.settings.values import EncoderName

_WEBP_SIDE = 16_383


@dataclass(frozen=True, slots=True)
class Format:
    """An output format.

    Attributes:
        muxer: ffmpeg's name of the container.
        codecs: Names of the codecs that it holds, in ``CODECS``, the usual one first; none for
            GIF, WebP and PNG: encoded losslessly and converted at the end.
        deep_codec: The one for more than 8 bits.
        copied_sound: Sound codecs that are copied.
        sound_encoders: Arguments of the encoder for other sound, tried in order.
        longest_side: Longest side that it holds, in pixels; its codec may hold less.
        bits: Bits a channel, if it is no film.
        encoder: Arguments of its own encoder, if it is a numbered picture.
        linear: True if values are light, without a curve.
    """

    muxer: str
    codecs: tuple[str, ...] = ()
    deep_codec: str = ""
    copied_sound: frozenset[str] = frozenset()
    sound_encoders: tuple[tuple[str, ...], ...] = ()
    longest_side: int = 65_535
    bits: tuple[int, ...] = (8,)
    encoder: tuple[str, ...] = ()
    linear: bool = False

    @property
    def film(self) -> bool:
        """True for films, which have a codec, a pixel aspect and possibly sound."""
        return bool(self.codecs)


# Channel layouts that every encoder accepts. libopus refuses others, such as 5.1(side), which is
# common in films; flac labels them as one of these; aac refuses those with height channels.
_NEAREST = ("-af", "aformat=channel_layouts=7.1|6.1|5.1|5.0|quad|3.0|stereo|mono")
# Nine channels have no known layout: two of them are better than none.
_FIRST_TWO = ("-af", "pan=stereo|c0=c0|c1=c1")

# aac's default is 64 kb/s a channel.
_AAC = (("-c:a", "aac"), ("-c:a", "aac", *_NEAREST), ("-c:a", "aac", *_FIRST_TWO))
_OPUS = (("-c:a", "libopus", *_NEAREST), ("-c:a", "libopus", *_FIRST_TWO))
_FLAC = (("-c:a", "flac", *_NEAREST), ("-c:a", "flac", *_FIRST_TWO))

_MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac"})
_MOV_SOUND = _MP4_SOUND | {"pcm_s16le", "pcm_s24le"}
_MKV_SOUND = _MOV_SOUND | {"opus", "vorbis", "flac", "mp2", "dts", "truehd", "pcm_f32le"}

_MP4 = ("h264", "h265", "av1", "vp9")
_MOV = ("h264", "h265", "prores", "prores4444", "dnxhr", "hap", "hapq", "ffv1")
_MKV = ("h264", "h265", "av1", "vp9", "ffv1", "prores", "prores4444", "dnxhr")

_TIFF = Format("image2", bits=(8, 16), encoder=("-c:v", "tiff", "-compression_algo", "deflate"))
# Sixteen rows are compressed together, as most programs do.
_HALF_FLOATS = ("-c:v", "exr", "-format", "half", "-compression", "zip16")

FORMATS = {
    ".mp4": Format("mp4", _MP4, "h265", _MP4_SOUND, _AAC),
    ".mov": Format("mov", _MOV, "prores", _MOV_SOUND, _AAC),
    ".mkv": Format("matroska", _MKV, "h265", _MKV_SOUND, _FLAC),
    ".webm": Format("webm", ("vp9", "av1"), "vp9", frozenset({"opus", "vorbis"}), _OPUS),
    ".gif": Format("gif"),
    ".webp": Format("webp", longest_side=_WEBP_SIDE),
    ".apng": Format("apng"),
    ".png": Format("image2", bits=(8, 16), encoder=("-c:v", "png")),
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".exr": Format("image2", bits=(16,), encoder=_HALF_FLOATS, linear=True),
}

NUMBERED = tuple(suffix for suffix, known in FORMATS.items() if known.muxer == "image2")
"""Extensions of pictures that make a sequence, one a frame."""


STANDARD_OUTPUT = Path("-")
"""The name of standard output, which gets raw frames."""

_Y4M = Format("yuv4mpegpipe", ("y4m",), "y4m")


def format_of(path: Path) -> Format:
    """Return the format of a name's extension, or that of standard output."""
    return _Y4M if path == STANDARD_OUTPUT else FORMATS[path.suffix.lower()]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file is encoded.

    Attributes:
        format: Its container.
        codec: The codec of its picture; that of the intermediate file if it is no film.
        bits: Bits a channel.
        hdr: Curve of the images, if they are HDR; None for SDR.
        alpha: True for images with an alpha channel.
        matte: True for a matte, whose values are shares, not light.
        hardware: The hardware encoder, None for software.
    """

    format: Format
    codec: Codec
    bits: int = 8
    hdr: Hdr | None = None
    alpha: bool = False
    matte: bool = False
    hardware: HardwareEncoder | None = None

    @property
    def of_matte(self) -> Encoding:
        """How a matte beside the file is encoded."""
        return replace(self, hdr=None, alpha=False, matte=True)

    @property
    def linear(self) -> bool:
        """True if values are written as light, without a curve."""
        return self.format.linear and not self.matte

    @property
    def codec_name(self) -> str | None:
        """Name of the codec in ``CODECS``; None if it is no film."""
        return next((name for name, known in CODECS.items() if known is self.codec), None)

    @property
    def deep(self) -> bool:
        """True if the encoder takes images of 16 bits."""
        return self.bits > 8

    @property
    def pixels(self) -> str:
        """Ffmpeg's pixel format."""
        return (self.codec.alpha_pixels if self.alpha else self.codec.pixels)[self.bits]

    @property
    def encoder(self) -> tuple[str, ...]:
        """Ffmpeg's arguments of the encoder."""
        return (self.alpha and self.codec.alpha_arguments) or self.codec.arguments

    @property
    def can_be_hdr(self) -> bool:
        """True if the file can hold HDR: in a film's tags, or as light."""
        tagged = self.format.film and self.format is not _Y4M
        return self.deep and (tagged or self.format.linear)

    @property
    def longest_side(self) -> int:
        """Longest side that can be written, in pixels."""
        return min(self.format.longest_side, self.codec.longest_side)

    def encoded_by(self, encoder: EncoderName) -> Encoding:
        """Return the same from a hardware encoder; in software, if that does not have the codec."""
        found = hardware_encoder(encoder, self.codec_name, self.bits)
        return replace(self, hardware=None if self.alpha else found)

    def coded_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (width, height) that is encoded, padded as the codec demands."""
        step = self.codec.multiple
        return size[0] + -size[0] % step, size[1] + -size[1] % step


def encoding_of(
    path: Path,
    codec: str | None = None,
    bits: int | None = None,
    *,
    source_bits: int = 8,
    hdr: Hdr | None = None,
    alpha: bool = False,
) -> Encoding:
    """Choose the encoding of a file.

    Args:
        path: Its name, with an extension of ``FORMATS``.
        codec: Name of the codec; None for the format's usual one.
        bits: Bits a channel; None for those of the source, as far as common players go.
        source_bits: Bits a channel of the source.
        hdr: Curve of the images; None for SDR.
        alpha: True for images with an alpha channel.

    Raises:
        SinkError: With ``exit_code`` 2, if the format or the codec does not have them.
    """
    suffix, target = path.suffix.lower(), format_of(path)
    if not target.film:
        return _encoding_of_pictures(path, codec, bits, source_bits, hdr, alpha)
    if codec is not None and target is _Y4M:
        _refuse("standard output gets raw frames and has no choice of codecs: leave out --codec")
    if codec is not None and codec not in target.codecs:
        others = [name for name, other in FORMATS.items() if codec in other.codecs]
        _refuse(
            f"{path}: {suffix} does not hold {codec}: choose {_or(target.codecs)}, or write "
            f"{_or(others)}"
        )
    if alpha:
        codec = _codec_with_alpha(path, codec)
    if codec is None:
        codec = _usual_codec(target, bits, source_bits)
    found = CODECS[codec]
    if bits is not None and bits not in found.pixels:
        choice = _or([str(known) for known in found.pixels])
        _refuse(f"{path}: {codec} has {choice} bits, not {bits}: choose --bits {choice}")
    chosen = Encoding(target, found, bits or _bits_for(found, source_bits), hdr, alpha)
    if hdr is not None and not chosen.can_be_hdr:
        _refuse(f"{path}: HDR needs more than 8 bits, and a format with tags for it")
    return chosen


def _usual_codec(target: Format, bits: int | None, source_bits: int) -> str:
    if (bits or source_bits) == 8:
        return target.codecs[0]
    choice = (target.deep_codec, *target.codecs)
    fitting = [name for name in choice if bits is None or bits in CODECS[name].pixels]
    return fitting[0] if fitting else target.deep_codec


def _codec_with_alpha(path: Path, codec: str | None) -> str:
    fitting = [
        name
        for name in format_of(path).codecs
        if CODECS[name].alpha_pixels and codec in (None, name)
    ]
    if not fitting:
        _refuse_alpha(path)
    return fitting[0]


def _refuse_alpha(path: Path) -> NoReturn:
    kinds = "prores4444 or ffv1 in .mov or .mkv, or numbered .png, .tif or .exr"
    name = "standard output" if path == STANDARD_OUTPUT else path
    _refuse(f"{name} would have no alpha channel, which a layer needs: choose {kinds}")


def _encoding_of_pictures(
    path: Path,
    codec: str | None,
    bits: int | None,
    source_bits: int,
    hdr: Hdr | None,
    alpha: bool,
) -> Encoding:
    target = format_of(path)
    if alpha and path.suffix.lower() not in NUMBERED:
        _refuse_alpha(path)
    if codec is not None:
        _refuse(f"{path}: {path.suffix} is no film and has no choice of codecs: leave out --codec")
    if bits is not None and bits not in target.bits:
        choice = _or([str(known) for known in target.bits])
        _refuse(f"{path}: {path.suffix} has {choice} bits, not {bits}: choose --bits {choice}")
    fitting = [known for known in target.bits if known >= source_bits]
    wanted = bits or min(fitting, default=max(target.bits))
    lossless = LOSSLESS if wanted == 8 and not alpha else LOSSLESS_DEEP
    return Encoding(target, lossless, wanted, hdr, alpha)


def _bits_for(codec: Codec, source_bits: int) -> int:
    """Return the fewest bits that hold those of the source, or the most that are common."""
    common = [bits for bits in codec.pixels if bits <= codec.automatic_bits]
    return min((bits for bits in common if bits >= source_bits), default=max(common))


def _or(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _refuse(problem: str) -> NoReturn:
    raise SinkError(problem, exit_code=2)
