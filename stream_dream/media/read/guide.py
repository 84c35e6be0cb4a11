"""Reads the pictures that guide a dream: one, or one for each frame."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from stream_dream.errors import SourceError
from stream_dream.frame import Frame, Image8
from stream_dream.media.read.picture import is_picture, read_picture, visible_image
from stream_dream.media.read.video import VideoSource


def guide_images(path: Path) -> Iterator[Image8]:
    """Yield the guide of each frame: the frames of a clip in a loop, or a single picture.

    Raises:
        SourceError: If it cannot be read.
    """
    with closing(GuideReader(path)) as reader:
        yield from reader.images()


class GuideReader:
    """Reads the guide of each frame, from any frame on, and caches the last one.

    A frame's guide does not depend on where reading begins: checksums of the frames read before
    verify each seek, and a seek that misses is replaced by decoding from the beginning.
    """

    def __init__(self, path: Path | None) -> None:
        """Store the path of a picture, by its extension, or of a clip; None without a guide."""
        self.path = path
        self._clip: _Clip | None = None

    def images(self, first: int = 0) -> Iterator[Image8]:
        """Yield the guides from frame ``first`` on: a clip's without end, a picture once, or none.

        Only the latest iterator may be used.

        Raises:
            SourceError: If the guide cannot be read.
        """
        if self.path is None:
            return
        if is_picture(self.path):
            yield visible_image(read_picture(self.path))
            return
        if self._clip is None:
            self._clip = _Clip(self.path)
        number = first
        while True:
            try:
                image = self._clip.image(number)
            except BaseException:
                self.close()  # its checksums may be incomplete
                raise
            yield image
            number += 1

    def close(self) -> None:
        """Close the clip."""
        if self._clip is not None:
            self._clip.close()
            self._clip = None


class _Clip:
    """The frames of a looping clip, by number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = VideoSource(path)
        self._unknown = iter(self._whole)  # continues after the known frames
        self._checksums: list[int] = []
        self._complete = False
        self._jumped: VideoSource | None = None
        self._frames: Iterator[Frame] = iter(())
        self._exact = True
        self._next = -1
        self._shown: tuple[int, Image8] | None = None

    def image(self, number: int) -> Image8:
        """Return the guide of frame ``number``."""
        while not self._complete and number >= len(self._checksums):
            image = self._explored()
            if image is not None and number < len(self._checksums):
                self._shown = number, image
        place = number % len(self._checksums) if self._complete else number
        if self._shown is None or self._shown[0] != place:
            self._shown = place, self._known(place)
        return self._shown[1]

    def close(self) -> None:
        """Close the file."""
        self._whole.close()
        if self._jumped is not None:
            self._jumped.close()

    def _explored(self) -> Image8 | None:
        """Read a frame for the first time and store its checksum; None at the end."""
        frame = next(self._unknown, None)
        if frame is not None:
            self._checksums.append(_checksum(frame.image))
            return frame.image
        if not self._checksums:
            raise SourceError(f"{self._path} has no frame that could guide a dream")
        self._complete = True
        return None

    def _known(self, place: int) -> Image8:
        """Return a frame that was read before; verify it after seeking."""
        if self._next != place:
            self._open(place, exactly=place == 0)
        self._next = -1
        frame = next(self._frames, None)
        # Verify each frame: in a damaged file or a still scene the first one proves too little.
        if not self._exact and (frame is None or _checksum(frame.image) != self._checksums[place]):
            self._open(place, exactly=True)
            frame = next(self._frames, None)
        if frame is None:
            raise SourceError(f"{self._path} has changed while it was used: put back what it was")
        self._next = place + 1
        return frame.image

    def _open(self, place: int, *, exactly: bool) -> None:
        """Go to a frame that was read before, by decoding (``exactly``) or by seeking."""
        self._exact, self._frames = exactly, iter(())
        if exactly and self._complete:  # short clips restart often, and it is open already
            self._frames = islice(self._whole, place, None)
            return
        if self._jumped is not None:
            self._jumped.close()
        start = None if exactly else float(place / self._whole.info.fps)
        try:
            self._jumped = VideoSource(self._path, start=start)
        except SourceError:
            if exactly:
                raise
            return  # the header may announce an earlier end
        self._frames = islice(self._jumped, place if exactly else 0, None)


def _checksum(image: Image8) -> int:
    return zlib.crc32(np.ascontiguousarray(image).data)
