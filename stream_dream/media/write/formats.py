"""The output formats and ffmpeg's arguments for each.

Every render is encoded to a fragmented MP4 first, whatever its final format: the MP4 keeps the
frame rate exactly (Matroska rounds to milliseconds), plays after a crash up to the last frame on
the disk, and lets sound be cut to the picture. The final format is made from it at the end. A live
show, which may run for days, is recorded directly to Matroska, its final format.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

# Renders of 720p and more wait for the encoder. Compared with "veryfast": the same SSIM, two thirds
# of the time, files a fifth larger.
_H264 = ("-c:v", "libx264", "-preset", "superfast")
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
_VP9 = (
    "-c:v",
    "libvpx-vp9",
    "-b:v",
    "0",
    "-deadline",
    "realtime",
    "-cpu-used",
    "6",
    "-row-mt",
    "1",
)
# VP9's limit is that of the intermediate MP4, whose sides have 16 bits.
_H264_SIDE, _VP9_SIDE, _WEBP_SIDE = 16_384, 65_534, 16_383
_LOSSLESS = ("-c:v", "libx264rgb", "-preset", "ultrafast", "-qp", "0")


@dataclass(frozen=True, slots=True)
class Format:
    """An output format.

    Attributes:
        muxer: ffmpeg's name of the container.
        codec: Arguments of the encoder.
        reordered: Most frames by which a frame is decoded before it is shown.
        film: True for films: 4:2:0 with even sides, a pixel aspect and possibly sound. False for
            GIF, WebP and PNG: encoded losslessly and converted at the end.
        copied_sound: Sound codecs that are copied.
        sound_encoders: Arguments of the encoder for other sound, tried in order.
        longest_side: Longest side that the encoders accept, in pixels; even for a film.
    """

    muxer: str
    codec: tuple[str, ...] = _LOSSLESS
    reordered: int = 0
    film: bool = False
    copied_sound: frozenset[str] = frozenset()
    sound_encoders: tuple[tuple[str, ...], ...] = ()
    longest_side: int = _H264_SIDE


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

FORMATS = {
    ".mp4": Format("mp4", _H264, 2, True, _MP4_SOUND, _AAC),
    ".mov": Format("mov", _H264, 2, True, _MOV_SOUND, _AAC),
    ".mkv": Format("matroska", _H264, 2, True, _MKV_SOUND, _FLAC),
    ".webm": Format("webm", _VP9, 0, True, frozenset({"opus", "vorbis"}), _OPUS, _VP9_SIDE),
    ".gif": Format("gif"),
    ".webp": Format("webp", longest_side=_WEBP_SIDE),
    ".apng": Format("apng"),
    ".png": Format("image2"),
}


def format_of(path: Path) -> Format:
    """Return the format of a name's extension."""
    return FORMATS[path.suffix.lower()]


def encoder_arguments(
    target_format: Format, size: tuple[int, int], fps: Fraction, pixel_aspect: Fraction, crf: int
) -> list[str]:
    """Return ffmpeg's arguments to encode raw RGB from its standard input as a fragmented MP4.

    Args:
        target_format: The final format.
        size: (width, height) of the images; even for a film.
        fps: Frames per second.
        pixel_aspect: Width of a pixel divided by its height.
        crf: Quality on x264's scale: 0 (best) to 51.
    """
    # One fragment a second: a crash loses no more than that and what the encoder holds.
    container = ["-movflags", "empty_moov+default_base_moof", "-frag_duration", "1000000"]
    container += ["-flush_packets", "1", "-f", "mp4"]
    return [
        *_raw_source(size, fps),
        *_picture_arguments(target_format, pixel_aspect, crf),
        *container,
    ]


def recording_arguments(size: tuple[int, int], fps: Fraction, crf: int) -> list[str]:
    """Return ffmpeg's arguments to encode raw RGB from standard input as kill-safe Matroska.

    Args:
        size: (width, height) of the images, both even.
        fps: Frames per second.
        crf: Quality on x264's scale: 0 (best) to 51.
    """
    film = FORMATS[".mkv"]
    return [
        *_raw_source(size, fps),
        *_picture_arguments(film, Fraction(1), crf),
        *_UNDELAYED,
        *("-g", str(max(1, round(fps * _KEY_SECONDS)))),
        *("-cluster_time_limit", str(_CLUSTER_MS), "-flush_packets", "1"),
        *("-f", film.muxer),
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


def raw_arguments(size: tuple[int, int], fps: Fraction) -> list[str]:
    """Return ffmpeg's arguments to pass raw RGB from standard input on as raw 4:2:0."""
    return [*_raw_source(size, fps), "-vf", _colours(Fraction(1)), "-c:v", "rawvideo"]


def _raw_source(size: tuple[int, int], fps: Fraction) -> list[str]:
    source = ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", f"{size[0]}x{size[1]}"]
    return [*source, "-framerate", str(fps), "-i", "pipe:0"]


def shrinking_arguments(target_format: Format, size: tuple[int, int], crf: int) -> list[str]:
    """Return ffmpeg's arguments to encode a film again, at another (width, height) or quality."""
    scale = f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd"
    return ["-vf", scale, *target_format.codec, *_quality(target_format, crf)]


def _picture_arguments(target_format: Format, pixel_aspect: Fraction, crf: int) -> list[str]:
    if not target_format.film:
        return [*target_format.codec]
    filters = _colours(pixel_aspect)
    return ["-vf", filters, *target_format.codec, *_quality(target_format, crf)]


def _colours(pixel_aspect: Fraction) -> str:
    """Return the filters that convert RGB to BT.709 with 4:2:0, and tag it."""
    return (
        "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,"
        "format=yuv420p,setparams=color_primaries=bt709:color_trc=bt709,"
        f"setsar=sar={pixel_aspect.numerator}/{pixel_aspect.denominator}:max=65535"
    )


def _quality(target_format: Format, crf: int) -> list[str]:
    scaled = round(crf * 63 / 51) if target_format.codec is _VP9 else crf  # VP9's scale ends at 63
    return ["-crf", str(scaled)]


def coded_size(target_format: Format, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) that is encoded: a film's sides are even."""
    width, height = size
    return (width + width % 2, height + height % 2) if target_format.film else size
