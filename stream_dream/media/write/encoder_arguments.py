"""ffmpeg's arguments to encode films, recordings, streams and raw frames."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from stream_dream.media.write.codecs import Codec
from stream_dream.media.write.formats import Encoding, encoding_of

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
# The scale on which users give quality, that of x264, ends there.
_WORST_CRF = 51


def encoder_arguments(
    encoding: Encoding,
    size: tuple[int, int],
    fps: Fraction,
    pixel_aspect: Fraction,
    crf: int,
    *,
    mattes: int = 0,
) -> list[str]:
    """Return ffmpeg's arguments to encode raw RGB or RGBA from its standard input in fragments.

    Args:
        encoding: Codec and bits; of 16-bit images if it is deep.
        size: (width, height) of the images, as ``Encoding.coded_size`` returns it.
        fps: Frames per second.
        pixel_aspect: Width of a pixel divided by its height.
        crf: Quality on x264's scale: 0 (best) to 51.
        mattes: Number of mattes that follow each image, below it; each becomes another stream.
    """
    # One fragment a second: a crash loses no more than that and what the encoder holds.
    container = ["-movflags", "empty_moov+default_base_moof", "-frag_duration", "1000000"]
    container += ["-flush_packets", "1", "-f", encoding.codec.carrier]
    whole = size[0], size[1] * (1 + mattes)
    return [
        *_raw_source(whole, fps, deep=encoding.deep, alpha=encoding.alpha),
        *_filter_arguments(encoding, size, pixel_aspect, mattes),
        *_encoder(encoding, crf),
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
        *("-vf", _filters(film, Fraction(1))),
        *film.codec.arguments,
        *_quality(film.codec, crf),
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
    # It has no tags: whoever reads it takes small pictures for BT.601 and HD for BT.709.
    matrix = "bt709" if size[0] >= 1280 or size[1] >= 720 else "bt601"
    pixels = encoding.pixels
    filters = f"{_matrix(matrix, deep=encoding.deep)},format={pixels},{_aspect(pixel_aspect)}"
    # More than 8 bits are an extension that all its readers know.
    end = ["-strict", "-1", "-f", encoding.format.muxer]
    return [*_raw_source(size, fps, deep=encoding.deep), "-vf", filters, *end]


def raw_arguments(size: tuple[int, int], fps: Fraction) -> list[str]:
    """Return ffmpeg's arguments to pass raw RGB from standard input on as raw 4:2:0."""
    return [*_raw_source(size, fps), "-vf", _colours(Fraction(1)), "-c:v", "rawvideo"]


def _raw_source(
    size: tuple[int, int], fps: Fraction, *, deep: bool = False, alpha: bool = False
) -> list[str]:
    if deep:
        pixels = f"{'rgba64' if alpha else 'rgb48'}{'le' if sys.byteorder == 'little' else 'be'}"
    else:
        pixels = "rgba" if alpha else "rgb24"
    source = ["-f", "rawvideo", "-pixel_format", pixels, "-video_size", f"{size[0]}x{size[1]}"]
    return [*source, "-framerate", str(fps), "-i", "pipe:0"]


def shrinking_arguments(encoding: Encoding, size: tuple[int, int], crf: int) -> list[str]:
    """Return ffmpeg's arguments to encode a film again, at another (width, height) or quality.

    That is done in software.
    """
    scale = f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd"
    codec = encoding.codec
    return ["-vf", scale, *codec.arguments, *_quality(codec, crf), *_tag(encoding)]


def copying_arguments(encoding: Encoding) -> list[str]:
    """Return ffmpeg's arguments to copy the picture of an encoded film into its container."""
    return ["-c:v", "copy", *_tag(encoding)]


def _tag(encoding: Encoding) -> list[str]:
    tag = encoding.codec.tag if encoding.format.muxer in ("mp4", "mov") else None
    return [] if tag is None else ["-tag:v", tag]


def _filter_arguments(
    encoding: Encoding, size: tuple[int, int], pixel_aspect: Fraction, mattes: int
) -> list[str]:
    """Return the arguments that make a stream of the image, and one of each matte below it."""
    if not mattes:
        return ["-vf", _filters(encoding, pixel_aspect)]
    width, height = size
    kinds = [encoding, *[encoding.of_matte] * mattes]
    parts = "".join(f"[part{n}]" for n in range(len(kinds)))
    chains = [
        f"[part{n}]crop={width}:{height}:0:{n * height},{_filters(kind, pixel_aspect)}[stream{n}]"
        for n, kind in enumerate(kinds)
    ]
    graph = ";".join([f"[0:v]split={len(kinds)}{parts}", *chains])
    mapped = [word for n in range(len(kinds)) for word in ("-map", f"[stream{n}]")]
    return ["-filter_complex", graph, *mapped]


def _filters(encoding: Encoding, pixel_aspect: Fraction) -> str:
    """Return the filters that convert an image for its encoder."""
    pixels, hardware = encoding.pixels, encoding.hardware
    if hardware is not None:
        colours = _colours(pixel_aspect, pixels, encoding.hdr, deep=encoding.deep)
        return ",".join((colours, f"format={hardware.pixels[encoding.bits]}", *hardware.filters))
    if not encoding.format.film:
        return f"format={pixels}"
    if not encoding.codec.is_rgb:
        return _colours(pixel_aspect, pixels, encoding.hdr, deep=encoding.deep)
    tags = () if encoding.hdr is None else (_tags(encoding.hdr),)
    return ",".join([f"format={pixels}", *tags, _aspect(pixel_aspect)])


def _colours(
    pixel_aspect: Fraction,
    pixels: str = "yuv420p",
    hdr: Hdr | None = None,
    *,
    deep: bool = False,
) -> str:
    """Return the filters that convert RGB to a pixel format, and tag it: BT.709, or HDR."""
    matrix = "bt709" if hdr is None else "bt2020"
    converted = _matrix(matrix, deep=deep, alpha=pixels.startswith("yuva"))
    return f"{converted},format={pixels},{_tags(hdr)},{_aspect(pixel_aspect)}"


def _matrix(matrix: str, *, deep: bool, alpha: bool = False) -> str:
    if deep:  # for the other filter, white of 16 bits is 65280
        source = f"setparams=colorspace=gbr:range=pc,format={'gbrap16le' if alpha else 'gbrp16le'}"
        return f"{source},zscale=m={_ZIMG[matrix]}:r=limited:f=bicubic:param_a=0:param_b=0.6"
    return f"scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd+full_chroma_int"


_ZIMG = {"bt601": "170m", "bt709": "709", "bt2020": "2020_ncl"}
"""Names of matrices in ffmpeg's filter zscale."""


def _tags(hdr: Hdr | None) -> str:
    if hdr is None:
        return "setparams=color_primaries=bt709:color_trc=bt709"
    return f"setparams=color_primaries=bt2020:color_trc={CURVES[hdr]}"


CURVES: dict[Hdr, str] = {"pq": "smpte2084", "hlg": "arib-std-b67"}
"""ffmpeg's names of the curves of HDR."""


def _aspect(pixel_aspect: Fraction) -> str:
    return f"setsar=sar={pixel_aspect.numerator}/{pixel_aspect.denominator}:max=65535"


def _encoder(encoding: Encoding, crf: int) -> list[str]:
    if encoding.hardware is not None:
        return encoding.hardware.picture_arguments(encoding.bits, crf)
    return [*encoding.encoder, *_quality(encoding.codec, crf)]


def _quality(codec: Codec, crf: int) -> list[str]:
    if codec.worst_crf is None:
        return []
    return ["-crf", str(max(codec.best_crf, round(crf * codec.worst_crf / _WORST_CRF)))]
