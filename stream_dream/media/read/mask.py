"""The mask of a render: where the dream shows, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from stream_dream.errors import SourceError
from stream_dream.frame import Image8, Mask8
from stream_dream.image import resize
from stream_dream.media.read.picture import is_picture, over, read_picture
from stream_dream.media.read.video import VideoSource

_TOLERANCE = 8
"""Levels near black and white that count as such: codecs blur flat black (measured: 99.9 % of the
black pixels of H.264, VP9 and MPEG-4 masks are within 4, of Motion JPEG within 7)."""

_SLOWEST = 20
"""Fewest slots per second: a picture is shown less than 3/4 of a slot early."""

_EARLY = 0.25
"""Share of a slot by which a time stamp may be too early: containers round them."""

_ALMOST = Fraction(1, 1000)
"""Share of a slot that is ignored: rates are rounded, too."""

_SHARES = np.arange(256) / 255
_STRETCH = np.interp(_SHARES * 255, (_TOLERANCE, 255 - _TOLERANCE), (0, 255))
_LEVELS = np.rint(_STRETCH).astype(np.uint8)
_SMOOTHSTEP = np.rint(_SHARES**2 * (3 - 2 * _SHARES) * 255).astype(np.uint8)


class Mask:
    """Yields the mask of each frame, 255 for the dream to 0 for the source.

    A picture is the mask of all frames. A clip starts with the source file's first picture,
    whatever part of the source is rendered: a frame's mask is what the clip shows at the frame's
    time, and its last picture after the end. It does not depend on where reading began.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        fps: Fraction,
        first: int = 0,
        softness: float = 0.0,
    ) -> None:
        """Open a mask and read that of the first frame.

        Args:
            path: A picture, by its extension, or a clip. Its brightness is the mask, 0 where it is
                transparent.
            size: (width, height) of the masks, to which it is stretched.
            fps: Frames per second.
            first: Number of the first frame, counted from the source file's first picture.
            softness: Width of the soft edges, in pixels of ``size``; see ``mask_levels``.

        Raises:
            SourceError: If it cannot be read; the message names ``--mask``.
        """
        self._size, self._softness = size, softness
        self._fps, self._number = fps, first
        self._clip: _TimedPictures | None = None
        try:
            if path.is_dir():
                raise SourceError(f"{path} is a folder: give a picture or a video file")
            if is_picture(path):
                shown = _picture(path)
            else:
                self._clip = _TimedPictures(path)
                shown = self._clip.begin(self._time())
        except SourceError as error:
            self.close()
            raise SourceError(f"--mask: {error}") from error
        self._mask = mask_levels(shown, size, softness)

    def __enter__(self) -> Self:
        """Return the mask itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Release the file; safe to call twice."""
        if self._clip is not None:
            self._clip.source.close()

    def __iter__(self) -> Iterator[Mask8]:
        """Return itself."""
        return self

    def __next__(self) -> Mask8:
        """Return the mask of the next frame, uint8 (height, width), without end."""
        shown = None if self._clip is None else self._clip.shown(self._time())
        if shown is not None:
            self._mask = mask_levels(shown, self._size, self._softness)
        self._number += 1
        return self._mask

    def _time(self) -> Fraction:
        return self._number / self._fps


class _TimedPictures:
    """The pictures of a clip by their time.

    Time is divided into slots, one for each picture of a regular clip; a picture is shown from the
    slot of its time stamp on. ``VideoSource`` yields nearly the same frames, but with irregular
    stamps they depend on where it starts.
    """

    def __init__(self, path: Path) -> None:
        self.source = VideoSource(path)
        fps = self.source.info.fps
        self._rate = fps * max(1, math.ceil(_SLOWEST / fps))
        self._ahead: tuple[Image8, int] | None = None
        self._pictures: Iterator[tuple[Image8, int]] = iter(())

    def begin(self, time: Fraction) -> Image8:
        """Return the picture shown at a time, in seconds from the first one."""
        for start in (float(time), 0.0):  # from the beginning if the file is cut short
            self._pictures = self._placed(start)
            self._ahead = next(self._pictures, None)
            shown = self.shown(time)
            if shown is not None:
                return shown
        raise SourceError(f"no picture of {self.source.path} can be decoded")

    def shown(self, time: Fraction) -> Image8 | None:
        """Return the picture shown at a later time; None if it has not changed."""
        slot = math.floor(time * self._rate + _ALMOST)
        shown = None
        while self._ahead is not None and self._ahead[1] <= slot:
            shown = self._ahead[0]
            self._ahead = next(self._pictures, None)
        return shown

    def _placed(self, start: float) -> Iterator[tuple[Image8, int]]:
        """Yield pictures with the first slots in which they are shown."""
        usual, last = float(1 / self.source.info.fps), -math.inf
        for image, stamp in self.source.pictures(start):
            # Raw streams and the ends of some AVI files have no usable time stamps.
            last = stamp if stamp > last else last + usual
            yield image, math.floor(last * float(self._rate) + _EARLY)


def mask_levels(image: Image8, size: tuple[int, int], softness: float) -> Mask8:
    """Convert a picture's brightness to a mask.

    Edges are softened on the white side only, so that black stays exactly the source: the mask is
    multiplied by ``smoothstep(d / (softness + 1))`` with ``d`` the distance to the nearest black.
    Greys are kept.

    Args:
        image: uint8 RGB, of any size.
        size: (width, height) of the mask, to which it is stretched.
        softness: Width of the soft edges, in pixels of the result; 0 leaves them as drawn.

    Returns:
        uint8, (height, width): 255 shows the dream, 0 the source.
    """
    levels = resize(np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8), size)
    levels = np.asarray(cv2.LUT(levels, _LEVELS), np.uint8)
    if softness:
        distance = cv2.distanceTransform(levels, cv2.DIST_L2, cv2.DIST_MASK_5)
        # The distance is the largest float where nothing is black.
        near = np.minimum(distance, np.float32(softness + 1))
        ramp = cv2.LUT(cv2.convertScaleAbs(near, alpha=255 / (softness + 1)), _SMOOTHSTEP)
        levels = np.asarray(cv2.multiply(levels, ramp, scale=1 / 255), np.uint8)
    return levels


def _picture(path: Path) -> Image8:
    picture = read_picture(path)
    if picture.alpha is None:
        return picture.image
    return over(picture.image, picture.alpha, (0, 0, 0))
