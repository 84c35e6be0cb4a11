"""A folder of clips and pictures as a source: one fades into the next, for ever."""

from __future__ import annotations

import logging
import math
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np

from stream_dream.errors import SourceError, StreamDreamError
from stream_dream.frame import Image8
from stream_dream.image import fit_size, resize
from stream_dream.live.capture.framing import filling
from stream_dream.live.capture.pace import Pace
from stream_dream.media.read.picture import is_picture, read_picture, visible_image
from stream_dream.media.read.video import VideoSource

log = logging.getLogger("stream_dream.live")

_PICTURE_SECONDS, _PICTURE_FPS = 8.0, 25.0
# Larger ones are made smaller before they are mixed: a show is no sharper.
LONGEST_SIDE = 1920
"""Longest side of the pictures of a show, in pixels."""


class PlaylistFeed:
    """The clips and pictures of a folder in the order of their names, again and again.

    All have the size of the first one, to which others are cropped and resized. Each round takes
    what is in the folder then.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shuffle: bool = False,
        fade: float = 1.0,
        begun: Callable[[], bool] = lambda: True,
    ) -> None:
        """Open the first clip.

        Args:
            folder: A folder; hidden files and folders in it are left out.
            shuffle: True for another order in every round.
            fade: Seconds of the fade from one clip to the next, half a short one's length at most.
            begun: Returns True once the show has started; until then the first frame is held.

        Raises:
            SourceError: Nothing in the folder can be read.
        """
        self._folder, self._shuffle, self._fade, self._begun = folder, shuffle, fade, begun
        self._told: set[Path] = set()
        self._size: tuple[int, int] | None = None
        self._clips = self._opened()
        self._opener = ThreadPoolExecutor(1, "playlist")
        self._ahead: Future[_Clip] = self._opener.submit(next, self._clips)
        self._playing: list[_Clip] = []
        self._pace = Pace()
        try:
            self._ahead.result()
        except SourceError:
            self.close()
            raise
        self._frames = self._all()
        self._newest: Image8 | None = None

    def read(self) -> Image8:
        """Wait until the next frame is due.

        Raises:
            SourceError: Nothing in the folder can be read any more.
        """
        if self._newest is None or self._begun():
            self._newest, self._interval = next(self._frames)
        self._pace.wait(self._interval)
        return self._newest

    def close(self) -> None:
        """Close all clips."""
        self._opener.shutdown(cancel_futures=True)
        with suppress(Exception):
            self._ahead.result().close()
        for clip in self._playing:
            clip.close()

    def _all(self) -> Iterator[tuple[Image8, float]]:
        """Yield frames, each with the seconds until the next one."""
        last: _Clip | None = None
        while True:
            clip = self._ahead.result()
            self._playing = [one for one in (last, clip) if one is not None]
            # Opened in a thread while this one plays: that takes longer than a frame.
            self._ahead = self._opener.submit(next, self._clips)
            fade = 0.0 if last is None else min(self._fade, last.longest_fade, clip.longest_fade)
            ends, passed = min(self._fade, clip.longest_fade), 0.0
            while passed == 0 or clip.left > ends:
                image = clip.image
                if last is not None and passed < fade:
                    share = passed / fade
                    image = np.asarray(
                        cv2.addWeighted(image, share, last.image, 1 - share, 0), np.uint8
                    )
                yield image, clip.interval
                passed += clip.interval
                clip.advance(clip.interval)
                if last is not None and passed < fade:
                    last.advance(clip.interval)
            if last is not None:
                last.close()
            last = clip

    def _opened(self) -> Iterator[_Clip]:
        """Yield clip after clip, round after round."""
        last: Path | None = None
        while True:
            played, paths = 0, _files(self._folder)
            if self._shuffle:
                random.shuffle(paths)
                if len(paths) > 1 and paths[0] == last:
                    paths.append(paths.pop(0))
            for path in paths:
                try:
                    clip = _Clip(path, self._size)
                except StreamDreamError as error:
                    self._tell(path, error)
                    continue
                self._size, last, played = clip.size, path, played + 1
                yield clip
            if not played:
                raise SourceError(
                    f"--source: no clip or picture in {self._folder} can be read: put some there"
                )

    def _tell(self, path: Path, error: StreamDreamError) -> None:
        if path not in self._told:
            self._told.add(path)
            log.warning("left out of the playlist: %s", error)


class _Clip:
    """A clip or picture that is being played.

    Attributes:
        size: (width, height) of its images.
        interval: Seconds from frame to frame.
        image: The image at the present time; the last one after the end.
        left: Seconds until its end; infinite where they are unknown, 0 after the end.
        longest_fade: Seconds that it may take to fade in, and to fade out.
    """

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        """Open a file and decode its first frame; ``size`` is its own by default.

        Raises:
            SourceError: It cannot be read.
        """
        self._source: VideoSource | None = None
        self._path = path
        if is_picture(path):
            image = visible_image(read_picture(path))
            self.size = size or fit_size((image.shape[1], image.shape[0]), LONGEST_SIDE)
            self.interval, count = 1 / _PICTURE_FPS, round(_PICTURE_SECONDS * _PICTURE_FPS)
            # Framed once: a large photo would take a whole core if each of its frames were.
            image = resize(filling(image, self.size), self.size)
            self._own = self.size
            self._images: Iterator[Image8] = repeat(image, count)
        else:
            self._source = VideoSource(path)
            info = self._source.info
            self._own = round(info.display_size[0]), round(info.display_size[1])
            self.size = size or fit_size(self._own, LONGEST_SIDE)
            self.interval, count = float(1 / info.fps), info.frame_count or 0
            self._images = (frame.image for frame in self._source)
        self._due = 0.0
        length = count * self.interval if count else math.inf
        self.left, self.longest_fade = length, length / 2
        try:
            self.image = self._framed(next(self._images))
        except (StreamDreamError, StopIteration) as error:
            self.close()
            raise SourceError(f"{path}: no picture can be decoded ({error})") from error

    def advance(self, seconds: float) -> None:
        """Go on by some time."""
        self._due += seconds
        self.left = max(0.0, self.left - seconds)
        newest: Image8 | None = None
        try:
            while self._due >= (1 - 1e-6) * self.interval:
                self._due -= self.interval
                newest = next(self._images)
        except StopIteration:
            self.left = 0.0
        except StreamDreamError as error:
            log.warning("%s ends early: %s", self._path, error)
            self.left = 0.0
        if newest is not None:
            self.image = self._framed(newest)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._source is not None:
            self._source.close()

    def _framed(self, image: Image8) -> Image8:
        # Pixels that are not square are resized to square ones.
        if self._own != (image.shape[1], image.shape[0]):
            image = resize(image, self._own)
        return resize(filling(image, self.size), self.size)


def _files(folder: Path) -> list[Path]:
    """List the files of a folder; numbers in their names count as such: 9 is before 10."""
    found = []
    try:
        for path in folder.iterdir():
            with suppress(OSError):  # a link into a forbidden folder, a dead mount
                if path.is_file():
                    found.append(path)
    except OSError as error:
        raise SourceError(f"--source: {folder} cannot be read: {error.strerror}") from error

    def order(path: Path) -> list[str | int]:
        parts = re.split(r"(\d+)", path.name.casefold())
        return [int(part) if part.isdecimal() else part for part in parts]

    return sorted((path for path in found if not path.name.startswith(".")), key=order)
