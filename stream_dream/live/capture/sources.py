"""Sources of frames: cameras, network streams, files, a test picture, and the choice of one."""

from __future__ import annotations

import math
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.image import fit_size, resize
from stream_dream.live.capture.feed import Ended, Feed
from stream_dream.live.capture.pace import Pace
from stream_dream.live.capture.playlist import LONGEST_SIDE, PlaylistFeed
from stream_dream.live.capture.pushed_feed import nobody_sends
from stream_dream.live.capture.screen import ScreenFeed
from stream_dream.media.read.opencv_decoder import CAPTURE_OPTIONS, quiet_decoder
from stream_dream.media.read.picture import is_picture, read_picture, visible_image
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.live import NOISE, LiveSettings
from stream_dream.settings.values import parse_path
from stream_dream.temporal.start_noise import start_noise

_PROTOCOLS = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "srt", "rtp", "mms")
_OPEN_MILLISECONDS = 5000
# A stalled stream stays open this long, while another connection is tried.
_READ_MILLISECONDS = 30_000
# Connectionless streams are reopened: another sender may follow, and OpenCV would resize its
# frames to the size of the first.
_UNCONNECTED = ("udp", "rtp")
_READ_UNCONNECTED_MILLISECONDS = 1500
# By default FFmpeg analyses five seconds, and twenty frames for their rate, before it gives the
# first one: 20 s of a camera of 1 fps. (``fflags;nobuffer`` would drop what it has analysed: the
# only key frame for many seconds, and nothing is gained, as the newest frame wins.)
_FFMPEG_OPTIONS = "flags;low_delay|analyzeduration;500000|fpsprobesize;0|rtsp_transport;tcp"
_opening = threading.Lock()
_TEST_SIZE = (640, 360)
_TEST_FPS = 30.0
_STILL_FPS = 25.0
_NOISE_SIZE = (1280, 720)


class CaptureFeed:
    """A camera or stream, through OpenCV."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        """Store an open capture."""
        self._capture = capture

    def read(self) -> Image8 | None:
        """Wait for the next frame."""
        ok, image = self._capture.read()
        if not ok or image is None or image.size == 0:
            return None
        code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(image, code), np.uint8)

    def close(self) -> None:
        """Release the capture."""
        self._capture.release()


class FileFeed:
    """A video file, played at its own rate."""

    def __init__(self, path: Path, *, loop: bool, begun: Callable[[], bool] = lambda: True) -> None:
        """Open a file.

        Args:
            path: A file that ``VideoSource`` reads.
            loop: True to repeat it.
            begun: Returns True once the show has started; until then the first frame is held.

        Raises:
            SourceError: It cannot be read.
        """
        self._begun = begun
        self._newest: Image8 | None = None
        self._source = VideoSource(path)
        self._frames = self._all(loop)
        info = self._source.info
        self._interval = float(1 / info.fps)
        # Pixels that are not square are resized to square ones.
        width, height = info.display_size
        self._size = (max(1, round(width)), max(1, round(height)))
        self._pace = Pace()

    def read(self) -> Image8 | None:
        """Wait until the next frame is due. Raises ``Ended``."""
        holding = self._newest is not None and not self._begun()
        image = self._newest if holding else next(self._frames, None)
        if image is None:
            raise Ended
        self._newest = image
        self._pace.wait(self._interval)
        return resize(image, self._size)

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _all(self, loop: bool) -> Iterator[Image8]:
        while True:
            for frame in self._source:
                yield frame.image
            if not loop:
                return


class StillFeed:
    """A picture that stays as it is."""

    def __init__(self, image: Image8) -> None:
        """Give a picture, uint8 RGB, again and again."""
        self._image, self._pace = image, Pace()

    def read(self) -> Image8:
        """Wait until the next frame is due."""
        self._pace.wait(1 / _STILL_FPS)
        return self._image

    def close(self) -> None:
        """Do nothing."""


class TestFeed:
    """A moving test picture: soft colours, and discs that travel over them."""

    __test__ = False  # keeps pytest from collecting it

    def __init__(self) -> None:
        """Start now."""
        width, height = _TEST_SIZE
        y, x = np.mgrid[:height, :width].astype(np.float32)
        self._x, self._y = x / width, y / height
        self._pace = Pace()
        self._begun = self._pace.due

    def read(self) -> Image8:
        """Wait until the next frame is due, and draw it."""
        self._pace.wait(1 / _TEST_FPS)
        return self._drawn(self._pace.due - self._begun)

    def close(self) -> None:
        """Do nothing."""

    def _drawn(self, seconds: float) -> Image8:
        """Draw the picture at a time."""
        turn = seconds * 0.25
        waves = [
            np.sin(9 * self._x + 2 * turn + phase) * np.cos(7 * self._y - turn + phase)
            for phase in (0.0, 2.1, 4.2)
        ]
        image = np.ascontiguousarray((120 + 60 * np.stack(waves, axis=-1)).astype(np.uint8))
        height, width = image.shape[:2]
        for number in range(5):
            angle = turn * (1 + 0.17 * number) + number * 1.3
            centre = (
                round(width * (0.5 + 0.38 * math.cos(angle))),
                round(height * (0.5 + 0.36 * math.sin(1.3 * angle))),
            )
            colour = [int(128 + 110 * math.sin(number * 2.4 + phase)) for phase in (0, 2, 4)]
            cv2.circle(image, centre, height // (7 + number), colour, -1, cv2.LINE_AA)
            cv2.circle(image, centre, height // (16 + 2 * number), (20, 20, 30), -1, cv2.LINE_AA)
        return image


def feed_opener(
    settings: LiveSettings, begun: Callable[[], bool] = lambda: True, *, seed: int = 0
) -> Callable[[], Feed]:
    """Return a function that opens the source; each call is a new connection.

    Args:
        settings: The source and its capture settings.
        begun: Returns True once the show has started; until then a file's first frame is held.
        seed: Seed of a picture of noise.

    Raises:
        SourceError: It can never be opened: a file that does not exist or is no video, no screen.
    """
    quiet_decoder()
    source = settings.source
    if source == "test":
        return TestFeed
    if source == NOISE:
        width, height = settings.size or _NOISE_SIZE
        noise = start_noise((width, height), seed)
        return lambda: StillFeed(noise)
    if source == "phone":
        return nobody_sends
    if re.match(r"screen(:|$)", source):
        ScreenFeed(source).close()
        return lambda: ScreenFeed(source)
    if (match := re.match(r"(\w+)://", source)) and match[1].lower() in _PROTOCOLS:
        return lambda: _open_stream(source)
    if source.isdecimal():
        return lambda: _open_camera(settings)
    try:
        path = parse_path(source)
    except ValueError as error:
        raise SourceError(f"--source cannot be {source!r}: {error}") from None
    if source.startswith("/dev/"):
        return lambda: _open_camera(settings)
    return _path_opener(path, settings, begun)


def list_cameras() -> list[str]:
    """List the cameras of this machine, by stable names where there are such."""
    if sys.platform != "linux":
        return [str(number) for number in range(8) if _opens(number)]
    by_id = sorted(Path("/dev/v4l/by-id").glob("*-index0"))
    named = {path.resolve() for path in by_id}
    others = sorted(path for path in Path("/dev").glob("video*") if path not in named)
    return [f"{path} ({path.resolve()})" for path in by_id] + [str(path) for path in others]


def _path_opener(
    path: Path, settings: LiveSettings, begun: Callable[[], bool]
) -> Callable[[], Feed]:
    """Return a function that opens a folder, picture or clip; see ``feed_opener``."""
    if path.is_dir():
        playlist = partial(PlaylistFeed, path, shuffle=settings.shuffle, fade=settings.source_fade)
        playlist().close()
        return lambda: playlist(begun=begun)
    if is_picture(path):
        picture = visible_image(read_picture(path))
        height, width = picture.shape[:2]
        fitted = resize(picture, fit_size((width, height), LONGEST_SIDE))
        return lambda: StillFeed(fitted)
    FileFeed(path, loop=False).close()  # a wrong name is reported at once
    return lambda: FileFeed(path, loop=settings.loop, begun=begun)


def _opens(number: int) -> bool:
    capture = cv2.VideoCapture(number)
    opened = capture.isOpened()
    capture.release()
    return opened


def _open_camera(settings: LiveSettings) -> Feed:
    source = settings.source
    name: int | str = int(source) if source.isdecimal() else os.path.realpath(source)
    api = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
    capture = cv2.VideoCapture(name, api)
    if not capture.isOpened():
        raise SourceError(f"camera {source} cannot be opened: see --list-cameras")
    # Set before size and rate: USB has bandwidth for few raw frames a second.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    if settings.capture_size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.capture_size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.capture_size[1])
    if settings.capture_fps is not None:
        capture.set(cv2.CAP_PROP_FPS, settings.capture_fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return CaptureFeed(capture)


def _open_stream(source: str) -> Feed:
    limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_MILLISECONDS]
    unconnected = source.lower().startswith(_UNCONNECTED)
    reading = _READ_UNCONNECTED_MILLISECONDS if unconnected else _READ_MILLISECONDS
    limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, reading]
    with _low_delay():
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
    if not capture.isOpened():
        # Without credentials: messages end up in logs.
        raise SourceError(f"stream {re.sub(r'//[^/@]*@', '//', source)} cannot be opened")
    return CaptureFeed(capture)


@contextmanager
def _low_delay() -> Iterator[None]:
    """Set OpenCV's FFmpeg options for streams, unless the user has; they would harm files."""
    # Several connections may be opened at once; one that hangs must not block the others.
    alone = _opening.acquire(timeout=2 * _OPEN_MILLISECONDS / 1000)
    given = os.environ.get(CAPTURE_OPTIONS)
    os.environ[CAPTURE_OPTIONS] = given or _FFMPEG_OPTIONS
    try:
        yield
    finally:
        if given is None:
            os.environ.pop(CAPTURE_OPTIONS, None)
        if alone:
            _opening.release()
