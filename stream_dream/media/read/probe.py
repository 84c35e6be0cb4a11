"""Probes a file and chooses the decoder that reads it correctly."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.media.read.ffmpeg_report import THUMBNAIL, Probe, look_at
from stream_dream.media.read.input_paths import check_input
from stream_dream.media.read.opencv_decoder import open_capture, quiet_decoder
from stream_dream.media.read.packets import animation_delays, end_of_picture
from stream_dream.media.read.sequence import is_sequence, sequence_files
from stream_dream.runtime.quiet import debugging

# ffmpeg reads any text as a picture of a terminal.
_NO_VIDEO = ("", "tty")

_BROADCAST = ("mpegts", "mpeg", "mxf")
_INTERLACEABLE = ("h264", "mpeg2video", "vc1")
"""In these containers, these codecs may switch to interlaced pictures at any time."""

_USUAL_MATRICES = ("", "bt709", "bt470bg", "smpte170m", "gbr")
"""YUV matrices that OpenCV converts correctly."""

_ANIMATIONS = ("gif", "apng", "webp_anim")
"""Formats with delays meant for browsers; OpenCV interprets them otherwise or cannot read them."""

_LIKE = 20
"""Levels by which a thumbnail may differ between the decoders (measured: 3 or less in real clips,
14 in a test pattern of 96x64 pixels)."""


NUMBERED_FPS = 25
"""Frames per second of numbered pictures, if nothing else is said."""


def probe_video(path: Path, fps: float | None = None) -> Probe:
    """Probe a file or a sequence of pictures, and check that it is a video.

    Args:
        path: The file, or the name of a sequence; see ``sequence.is_sequence``.
        fps: Frames per second of a sequence; None for 25.

    Raises:
        SourceError: If it is not.
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    if is_sequence(path):
        return _probe_sequence(path, NUMBERED_FPS if fps is None else fps)
    check_input(path, "a video file")
    if fps is not None:
        raise SourceError(f"{path} has a frame rate of its own: leave out --fps")
    found = probe(path)
    if found.container in _NO_VIDEO:
        raise SourceError(
            f"{path} is not a video, or its header is missing: give a complete video file"
        )
    if found.video is None:
        raise SourceError(f"{path} has no moving picture: give a video file")
    return found


def _probe_sequence(path: Path, fps: float) -> Probe:
    """Return the properties of a sequence of pictures, from the first one."""
    files = sequence_files(path)
    check_input(files[0], "a picture")
    found, _ = look_at(files[0])
    if found.video in (None, *_NO_VIDEO):
        raise SourceError(f"{files[0]} is no picture that can be read: convert it to PNG")
    return replace(
        found,
        path=path,
        files=files,
        rate=fps,
        length=len(files) / fps,
        start=0.0,
        video_start=0.0,
        audio=None,
        why_ffmpeg="it is a sequence of pictures",
    )


def probe(path: Path) -> Probe:
    """Return the properties of a file, cached while it is unchanged.

    They are an empty ``Probe`` if ffmpeg does not recognise the file or it does not exist. Of a
    sequence of pictures and of standard input, they tell only that it has no sound.

    Raises:
        StreamDreamError: If ffmpeg cannot be run or does not answer.
    """
    if is_sequence(path):
        return Probe(path, container="image2")
    if path == Path("-"):
        return Probe(path, container="pipe")
    try:
        state = os.stat(path)
    except OSError:
        return Probe()
    return _probed(path, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=32)  # each chunk of a film opens its file
def _probed(path: Path, *state: int) -> Probe:
    quiet_decoder()
    found, thumbnail = look_at(path)
    if found.container in _NO_VIDEO or found.video is None:
        return found
    reason = _why_ffmpeg(found)
    read = None if reason else as_opencv_reads(found, thumbnail)
    if read is None:
        read = as_ffmpeg_reads(found, reason or "OpenCV decodes other pictures")
    if debugging():
        by = "OpenCV" if read.why_ffmpeg is None else f"ffmpeg: {read.why_ffmpeg}"
        sys.stderr.write(f"{path.absolute()} is read by {by}\n")
    return read


def _why_ffmpeg(found: Probe) -> str | None:
    """Return why, by its header, ffmpeg has to read a file; None if OpenCV may read it."""
    broadcast = found.container.startswith(_BROADCAST) and found.video in _INTERLACEABLE
    reasons = {
        "its name is not UTF-8": not _is_utf8(found.path),
        "it is interlaced": found.interlaced,
        "it may be interlaced": broadcast,
        "it is AV1": found.video == "av1",
        "it is an animation": found.container in _ANIMATIONS,
        "it is transparent": found.transparent,
        "it has more than 8 bits a channel": found.pixels.endswith(("le", "be")),
        "it is turned or mirrored": found.oriented,
        f"its matrix is {found.matrix}": found.matrix not in _USUAL_MATRICES,
        f"its curve is {found.transfer}": found.hdr is not None,
        f"its primaries are {found.primaries}": found.wide,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _is_utf8(path: Path) -> bool:
    """Return whether a path is UTF-8; OpenCV crashes on any other."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def as_opencv_reads(found: Probe, thumbnail: Image8 | None) -> Probe | None:
    """Add OpenCV's properties of a file; None if its first picture differs from ffmpeg's.

    If ffmpeg decodes no picture either, the file stays with OpenCV.
    """
    try:
        capture = open_capture(found.path)
    except SourceError:
        return found if thumbnail is None else None
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
        length = _known_length(found, capture.get(cv2.CAP_PROP_FRAME_COUNT), rate)
        aspect = _pixel_aspect(capture)
        if thumbnail is not None and not _shows(capture, thumbnail):
            return None
    finally:
        capture.release()
    return replace(found, rate=rate, length=length, pixel_aspect=aspect)


def _shows(capture: cv2.VideoCapture, thumbnail: Image8) -> bool:
    """Return whether the first picture of a capture matches a thumbnail."""
    ok, image = capture.read()
    if not ok or image is None:
        return False
    small = cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)[..., ::-1]
    return int(np.abs(small.astype(np.int16) - thumbnail).max()) <= _LIKE


def _pixel_aspect(capture: cv2.VideoCapture) -> Fraction:
    """Return the pixel aspect of the upright picture; 1 if untagged."""
    across = round(capture.get(cv2.CAP_PROP_SAR_NUM))
    down = round(capture.get(cv2.CAP_PROP_SAR_DEN))
    return Fraction(across, down) if across > 0 and down > 0 else Fraction(1)


def as_ffmpeg_reads(found: Probe, reason: str) -> Probe:
    """Add the delays and length of a file that ffmpeg has to read, from its packets."""
    found = replace(found, why_ffmpeg=reason)
    delays = animation_delays(found.path) if found.container in _ANIMATIONS else []
    if delays:
        length = sum(delays)
        return replace(found, delays=tuple(delays), length=length, rate=len(delays) / length)
    known = _known_length(found)
    if known is not None or found.duration is None or found.container.startswith("mpeg"):
        return replace(found, length=known)
    end = end_of_picture(found.path)
    last = found.duration if end is None else end - found.start
    return replace(found, length=last - found.video_start)


def _known_length(found: Probe, count: float = 0, rate: float = 0) -> float | None:
    """Return the length of the picture in seconds; None if uncertain.

    A file's own duration includes sound that outlasts the picture. MP4 and AVI count the frames
    of the picture (edit lists may hide some of them); Matroska by ffmpeg has its end as a tag.
    ``count`` and ``rate`` of the pictures are 0 or less if unknown.
    """
    if found.video_end is not None:
        return found.video_end - found.video_start
    if found.duration is None:
        return None
    length = found.duration - found.video_start
    if found.audio is None:
        return length
    if found.container.startswith(("mov", "avi")) and count > 0 and rate > 0:
        return min(length, count / rate)
    return None
