"""Opens video files with OpenCV and asks it and ffmpeg what they know of them."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import cv2

from stream_dream.errors import SourceError
from stream_dream.media.probe import Probe, probe
from stream_dream.quiet import debugging

CAPTURE_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""The variable from which OpenCV reads options whenever it opens something with FFmpeg."""

# ffmpeg takes any text for a picture of a terminal.
_NO_VIDEO = ("", "tty")


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
    """
    problem = None
    found = Probe()
    if not path.exists():
        problem = "does not exist: check the name"
    elif path.is_dir():
        problem = "is a folder: give a video file"
    elif not os.access(path, os.R_OK):
        problem = "may not be read: check its permissions"
    elif path.is_file() and path.stat().st_size == 0:
        problem = "is empty: was it copied completely?"
    else:
        found = probe(path)
        if found.container in _NO_VIDEO:
            problem = "is not a video, or its header is missing: give a complete video file"
        elif found.video is None:
            problem = "has no moving picture: give a video file"
    if problem:
        raise SourceError(f"{path} {problem}")
    return found


def open_capture(path: Path) -> cv2.VideoCapture:
    """Open a file with OpenCV. Raises ``SourceError`` where it has no decoder for it."""
    # The user's options are meant for cameras; many a file cannot be decoded with them.
    options = os.environ.pop(CAPTURE_OPTIONS, None)
    try:
        # An absolute path cannot be mistaken for a protocol, as "take:2.mp4" would be.
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        if options is not None:
            os.environ[CAPTURE_OPTIONS] = options
    if not capture.isOpened():
        raise SourceError(f"OpenCV cannot decode {path}: convert it to H.264 in .mp4")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def pixel_aspect(capture: cv2.VideoCapture) -> Fraction:
    """Read the shape of a pixel of the upright picture; square where the file does not tell."""
    across = round(capture.get(cv2.CAP_PROP_SAR_NUM))
    down = round(capture.get(cv2.CAP_PROP_SAR_DEN))
    if across <= 0 or down <= 0:
        return Fraction(1)
    turned = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 180 == 90
    return Fraction(down, across) if turned else Fraction(across, down)


def picture_length(found: Probe, capture: cv2.VideoCapture) -> float | None:
    """Tell how long the picture lasts, in seconds; None where the file does not tell for sure.

    A file's own duration includes sound that outlasts the picture. MP4 and AVI count the frames
    of the picture (edit lists may hide some of them); Matroska by ffmpeg has its end as a tag.
    """
    if found.video_end is not None:
        return found.video_end - found.video_start
    if found.duration is None:
        return None
    length = found.duration - found.video_start
    if found.audio is None:
        return length
    count, fps = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
    if found.container.startswith(("mov", "avi")) and count > 0 and fps > 0:
        return min(length, count / fps)
    return None
