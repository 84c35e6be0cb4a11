"""The output formats, the choice of their codecs, and ffmpeg's arguments for both.

Every render is encoded to a fragmented MP4 or MOV first, whatever its final format: it keeps the
frame rate exactly (Matroska rounds to milliseconds), plays after a crash up to the last frame on
the disk, and lets sound be cut to the picture. The final format is made from it at the end. A live
show, which may run for days, is recorded directly to Matroska, its final format.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from stream_dream.errors import SinkError
from stream_dream.media.write.codecs import CODECS, LOSSLESS, LOSSLESS_DEEP, Codec

if TYPE_CHECKING:
    from stream_dream.frame import Hdr

# No frame is buffered in the encoder, where a kill would lose it. Threads then share a frame
# instead of having one each, at no cost in size or time (measured).
_UNDELAYED = ("-tune", "zerolatency", "-threads", "4")
# Interval of key frames, to which players can seek. Compared with x264's 250 frames, files grow by
# a seventh at 2 seconds and by a quarter at 1 (measured).
_KEY_SECONDS = 2
# Matroska is written in clusters, and a kill loses the incomplete one: of a calm picture up to
# 0.4 s with 250 ms (measured, 20 kills), 0.8 s with 1000 ms and 0.9 s with ffmpeg's default (4
# kills each). Without -flush_packets 1 the file was still empty after 3.5 s.
_CLUSTER_MS = 250
_WEBP_SIDE = 16_383
_WORST_CRF = 51


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
    """

    format: Format
    codec: Codec
    bits: int = 8
    hdr: Hdr | None = None

    @property
    def deep(self) -> bool:
        """True if the encoder takes images of 16 bits."""
        return self.bits > 8

    @property
    def can_be_hdr(self) -> bool:
        """True if the file can hold HDR: in a film's tags, or as light."""
        tagged = self.format.film and self.format is not _Y4M
        return self.deep and (tagged or self.format.linear)

    @property
    def longest_side(self) -> int:
        """Longest side that can be written, in pixels."""
        return min(self.format.longest_side, self.codec.longest_side)

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
) -> Encoding:
    """Choose the encoding of a file.

    Args:
        path: Its name, with an extension of ``FORMATS``.
        codec: Name of the codec; None for the format's usual one.
        bits: Bits a channel; None for those of the source, as far as common players go.
        source_bits: Bits a channel of the source.
        hdr: Curve of the images; None for SDR.

    Raises:
        SinkError: With ``exit_code`` 2, if the format or the codec does not have them.
    """
    suffix, target = path.suffix.lower(), format_of(path)
    if not target.film:
        return _encoding_of_pictures(path, codec, bits, source_bits, hdr)
    if codec is not None and target is _Y4M:
        _refuse("standard output gets raw frames and has no choice of codecs: leave out --codec")
    if codec is not None and codec not in target.codecs:
        others = [name for name, other in FORMATS.items() if codec in other.codecs]
        _refuse(
            f"{path}: {suffix} does not hold {codec}: choose {_or(target.codecs)}, or write "
            f"{_or(others)}"
        )
    if codec is None:
        codec = _usual_codec(target, bits, source_bits)
    found = CODECS[codec]
    if bits is not None and bits not in found.pixels:
        choice = _or([str(known) for known in found.pixels])
        _refuse(f"{path}: {codec} has {choice} bits, not {bits}: choose --bits {choice}")
    return Encoding(target, found, bits or _bits_for(found, source_bits), hdr)


def _usual_codec(target: Format, bits: int | None, source_bits: int) -> str:
    if (bits or source_bits) == 8:
        return target.codecs[0]
    choice = (target.deep_codec, *target.codecs)
    fitting = [name for name in choice if bits is None or bits in CODECS[name].pixels]
    return fitting[0] if fitting else target.deep_codec


def _encoding_of_pictures(
    path: Path, codec: str | None, bits: int | None, source_bits: int, hdr: Hdr | None
) -> Encoding:
    target = format_of(path)
    if codec is not None:
        _refuse(f"{path}: {path.suffix} is no film and has no choice of codecs: leave out --codec")
    if bits is not None and bits not in target.bits:
        choice = _or([str(known) for known in target.bits])
        _refuse(f"{path}: {path.suffix} has {choice} bits, not {bits}: choose --bits {choice}")
    fitting = [known for known in target.bits if known >= source_bits]
    wanted = bits or min(fitting, default=max(target.bits))
    return Encoding(target, LOSSLESS if wanted == 8 else LOSSLESS_DEEP, wanted, hdr)


def _bits_for(codec: Codec, source_bits: int) -> int:
    """Return the fewest bits that hold those of the source, or the most that are common."""
    common = [bits for bits in codec.pixels if bits <= codec.automatic_bits]
    return min((bits for bits in common if bits >= source_bits), default=max(common))


def _or(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _refuse(problem: str) -> NoReturn:
    raise SinkError(problem, exit_code=2)


def encoder_arguments(
    encoding: Encoding, size: tuple[int, int], fps: Fraction, pixel_aspect: Fraction, crf: int
) -> list[str]:
    """Return ffmpeg's arguments to encode raw RGB from its standard input in fragments.

    Args:
        encoding: Codec and bits; of 16-bit images if it is deep.
        size: (width, height) of the images, as ``Encoding.coded_size`` returns it.
        fps: Frames per second.
        pixel_aspect: Width of a pixel divided by its height.
        crf: Quality on x264's scale: 0 (best) to 51.
    """
    # One fragment a second: a crash loses no more than that and what the encoder holds.
    container = ["-movflags", "empty_moov+default_base_moof", "-frag_duration", "1000000"]
    container += ["-flush_packets", "1", "-f", encoding.codec.carrier]
    return [
        *_raw_source(size, fps, deep=encoding.deep),
        *_picture_arguments(encoding, pixel_aspect, crf),
        *container,
    ]


def recording_arguments(size: tuple[int, int], fps: Fraction, crf: int) -> list[str]:
    """Return ffmpeg's arguments to encode raw RGB from standard input as kill-safe Matroska.

    Args:
        size: (width, height) of the images, both even.
        fps: Frames per second.
        crf: Quality on x264's scale: 0 (best) to 51.
    """
    film = encoding_of(Path("show.mkv"))
    return [
        *_raw_source(size, fps),
        *_picture_arguments(film, Fraction(1), crf),
        *_UNDELAYED,
        *("-g", str(max(1, round(fps * _KEY_SECONDS)))),
        *("-cluster_time_limit", str(_CLUSTER_MS), "-flush_packets", "1"),
        *("-f", film.format.muxer),
    ]


def streaming_arguments(size: tuple[int, int], fps: Fraction) -> list[str]:
    """Return ffmpeg's arguments to encode raw RGB from standard input for a stream, at once.

    The fastest presets of x264 take little from the dream beside it; a key frame a second lets a
    receiver join soon.

    Args:
        size: (width, height) of the images, both even.
        fps: Frames per second.
    """
    return [
        *_raw_source(size, fps),
        *("-vf", _colours(Fraction(1))),
        *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
        *("-crf", "23", "-maxrate", "8M", "-bufsize", "4M"),
        *("-g", str(max(1, round(fps)))),
        *("-flush_packets", "1"),
    ]


def y4m_arguments(
    encoding: Encoding, size: tuple[int, int], fps: Fraction, pixel_aspect: Fraction
) -> list[str]:
    """Return ffmpeg's arguments to pass raw RGB from standard input on as YUV4MPEG2."""
    filters = _colours(pixel_aspect, encoding.codec.pixels[encoding.bits])
    # More than 8 bits are an extension that all its readers know.
    end = ["-strict", "-1", "-f", encoding.format.muxer]
    return [*_raw_source(size, fps, deep=encoding.deep), "-vf", filters, *end]


def raw_arguments(size: tuple[int, int], fps: Fraction) -> list[str]:
    """Return ffmpeg's arguments to pass raw RGB from standard input on as raw 4:2:0."""
    return [*_raw_source(size, fps), "-vf", _colours(Fraction(1)), "-c:v", "rawvideo"]


def _raw_source(size: tuple[int, int], fps: Fraction, *, deep: bool = False) -> list[str]:
    pixels = ("rgb48le" if sys.byteorder == "little" else "rgb48be") if deep else "rgb24"
    source = ["-f", "rawvideo", "-pixel_format", pixels, "-video_size", f"{size[0]}x{size[1]}"]
    return [*source, "-framerate", str(fps), "-i", "pipe:0"]


def shrinking_arguments(encoding: Encoding, size: tuple[int, int], crf: int) -> list[str]:
    """Return ffmpeg's arguments to encode a film again, at another (width, height) or quality."""
    scale = f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd"
    return ["-vf", scale, *encoding.codec.arguments, *_quality(encoding.codec, crf)]


def copying_arguments(encoding: Encoding) -> list[str]:
    """Return ffmpeg's arguments to copy the picture of an encoded film into its container."""
    tagged = encoding.codec.tag is not None and encoding.format.muxer in ("mp4", "mov")
    return ["-c:v", "copy", *(("-tag:v", encoding.codec.tag or "") if tagged else ())]


def _picture_arguments(encoding: Encoding, pixel_aspect: Fraction, crf: int) -> list[str]:
    codec, pixels = encoding.codec, encoding.codec.pixels[encoding.bits]
    if not encoding.format.film:
        return ["-pix_fmt", pixels, *codec.arguments]
    filters = _aspect(pixel_aspect)
    if not codec.is_rgb:
        filters = _colours(pixel_aspect, pixels, encoding.hdr)
    elif encoding.hdr is None:
        filters = f"format={pixels},{filters}"
    else:
        filters = f"format={pixels},{_tags(encoding.hdr)},{filters}"
    return ["-vf", filters, *codec.arguments, *_quality(codec, crf)]


def _colours(pixel_aspect: Fraction, pixels: str = "yuv420p", hdr: Hdr | None = None) -> str:
    """Return the filters that convert RGB to a pixel format, and tag it: BT.709, or HDR."""
    matrix = "bt709" if hdr is None else "bt2020"
    return (
        f"scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd+full_chroma_int,"
        f"format={pixels},{_tags(hdr)},{_aspect(pixel_aspect)}"
    )


def _tags(hdr: Hdr | None) -> str:
    if hdr is None:
        return "setparams=color_primaries=bt709:color_trc=bt709"
    return f"setparams=color_primaries=bt2020:color_trc={CURVES[hdr]}"


CURVES: dict[Hdr, str] = {"pq": "smpte2084", "hlg": "arib-std-b67"}
"""ffmpeg's names of the curves of HDR."""


def _aspect(pixel_aspect: Fraction) -> str:
    return f"setsar=sar={pixel_aspect.numerator}/{pixel_aspect.denominator}:max=65535"


def _quality(codec: Codec, crf: int) -> list[str]:
    if codec.worst_crf is None:
        return []
    return ["-crf", str(round(crf * codec.worst_crf / _WORST_CRF))]
