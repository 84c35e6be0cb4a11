"""Opens video files, and decides which decoder reads each."""

from __future__ import annotations

import os
import sys
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np

from stream_dream.errors import SourceError
from stream_dream.media.probe import THUMBNAIL, Probe, look_at
from stream_dream.media.read.decoder import Decoder
from stream_dream.media.read.ffmpeg_decoder import FFmpegDecoder
from stream_dream.media.read.opencv_decoder import OpenCVDecoder, open_capture
from stream_dream.quiet import debugging

# ffmpeg takes any text for a picture of a terminal.
_NO_VIDEO = ("", "tty")

_BROADCAST = ("mpegts", "mpeg", "mxf")
_INTERLACEABLE = ("h264", "mpeg2video", "vc1")
"""In such containers these codecs may change to interlaced pictures at any time."""

_USUAL_MATRICES = ("", "bt709", "bt470bg", "smpte170m", "gbr")
"""Those that OpenCV converts right."""

_OWN_FORMATS = ("gif", "apng", "webp_anim")
"""Formats whose time stamps OpenCV does not take as viewers do, or that it cannot read."""

_LIKE = 20
"""Levels that a pixel of a thumbnail may differ between both decoders (measured: 3 or less in real
clips, 14 in a test pattern of 96x64 pixels)."""


def quiet_decoder() -> None:
    """Silence what OpenCV and its FFmpeg write to the terminal, unless STREAM_DREAM_DEBUG=1."""
    if debugging():
        return
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # AV_LOG_QUIET; read at each opening
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def look_into(path: Path) -> Probe:
    """Check that a path leads to a video and see what ffmpeg says of it.

    Raises:
        SourceError: If it does not.
        StreamDreamError: ffmpeg cannot be run, or gives no answer.
    """
    problem = None
    found = Probe()
    # os.path, not pathlib, to which a name that is too long is an error.
    if not os.path.exists(path):
        problem = "does not exist: check the name"
    elif os.path.isdir(path):
        problem = "is a folder: give a video file"
    elif not os.path.isfile(path):
        problem = "is a pipe or a device, which cannot be read twice: save it to a file first"
    elif not os.access(path, os.R_OK):
        problem = "may not be read: check its permissions"
    elif os.path.getsize(path) == 0:
        problem = "is empty: was it copied completely?"
    else:
        found = _known(path).probe
        if found.container in _NO_VIDEO:
            problem = "is not a video, or its header is missing: give a complete video file"
        elif found.video is None:
            problem = "has no moving picture: give a video file"
    if problem:
        raise SourceError(f"{path} {problem}")
    return found


def why_ffmpeg(path: Path) -> str | None:
    """Say why ffmpeg has to read a file; None where OpenCV does it right.

    Raises:
        SourceError, StreamDreamError: As ``look_into``.
    """
    look_into(path)
    return _known(path).why_ffmpeg


def open_decoder(path: Path, background: tuple[int, int, int] = (0, 0, 0)) -> Decoder:
    """Open a file with the decoder that reads it right: OpenCV's where that does.

    Args:
        path: A video file.
        background: What shows through where it is transparent, RGB, 0..255.

    Raises:
        SourceError: It is no video, or cannot be decoded.
        StreamDreamError: ffmpeg cannot be run, or gives no answer.
    """
    quiet_decoder()
    found = look_into(path)
    if why_ffmpeg(path) is None:
        return OpenCVDecoder(path, found)
    return FFmpegDecoder(path, found, background)


class _Known:
    """What was found out of a file, as long as the file stays the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.probe = look_at(path)

    @cached_property
    def why_ffmpeg(self) -> str | None:
        reason = _reason(self.probe, self._path)
        if debugging():
            by = "OpenCV" if reason is None else f"ffmpeg: {reason}"
            sys.stderr.write(f"{self._path} is read by {by}\n")
        return reason


def _known(path: Path) -> _Known:
    state = os.stat(path)
    return _remembered(path.absolute(), state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=32)  # chunks of a film are opened one by one
def _remembered(path: Path, *state: int) -> _Known:
    return _Known(path)


def _reason(found: Probe, path: Path) -> str | None:
    """Say why ffmpeg has to read a file: by its header or, at last, by its first picture."""
    broadcast = found.container.startswith(_BROADCAST) and found.video in _INTERLACEABLE
    reasons = {
        "its name is not UTF-8": not _is_utf8(path),
        "it is interlaced": found.interlaced,
        "it may be interlaced": broadcast,
        "it is AV1": found.video == "av1",
        "it is an animation": found.container in _OWN_FORMATS,
        "it is transparent": found.transparent,
        "it has more than 8 bits a channel": found.pixels.endswith(("le", "be")),
        "it is turned or mirrored": found.oriented,
        f"its matrix is {found.matrix}": found.matrix not in _USUAL_MATRICES,
    }
    for reason, holds in reasons.items():
        if holds:
            return reason
    return None if _is_alike(found, path) else "OpenCV decodes other pictures"


def _is_utf8(path: Path) -> bool:
    """Return whether a path can be handed to OpenCV, which crashes otherwise."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_alike(found: Probe, path: Path) -> bool:
    """Return whether OpenCV's first picture is that of ffmpeg; OpenCV's word is no proof."""
    if found.thumbnail is None:
        return True
    try:
        capture = open_capture(path)
    except SourceError:
        return False
    try:
        ok, image = capture.read()
    finally:
        capture.release()
    if not ok or image is None:
        return False
    small = cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)[..., ::-1]
    return int(np.abs(small.astype(np.int16) - found.thumbnail).max()) <= _LIKE
