"""Search for the sharpest frame of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.image import fit_size, resize
from stream_dream.media.read.video import VideoSource

_SAMPLES = 40
_SIDE = 480
"""Sharpness is measured at this longer side: grain and blocks of the codec count for little."""

_READ_THROUGH = 1200
"""Frames up to which a clip is decoded from end to end; longer ones are sampled by seeking."""


class Candidate(NamedTuple):
    """A frame of a clip.

    Attributes:
        image: uint8 RGB, (height, width, 3), in square pixels.
        time: Seconds from the first picture.
        number: Frame number at the clip's rate, from 0.
    """

    image: Image8
    time: float
    number: int


def sharpness(image: Image8) -> float:
    """Return the variance of the Laplacian of the brightness (Pech-Pacheco et al., 2000)."""
    height, width = image.shape[:2]
    grey = cv2.cvtColor(resize(image, fit_size((width, height), _SIDE)), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def sharpest_frame(path: Path) -> Candidate:
    """Return the sharpest of at most 40 frames, spread evenly over a clip.

    Raises:
        SourceError: It cannot be read.
    """
    with VideoSource(path) as clip:
        best: tuple[float, Candidate] | None = None
        for image, time in _samples(clip):
            found = sharpness(image)
            if best is None or found > best[0]:
                best = found, Candidate(image, time, round(time * clip.info.fps))
        if best is None:
            raise SourceError(f"no frame of {path} can be read: convert it to H.264")
        width, height = clip.info.display_size
    frame = best[1]
    return frame._replace(image=resize(frame.image, (max(1, round(width)), round(height))))


def _samples(clip: VideoSource) -> Iterator[tuple[Image8, float]]:
    """Yield evenly spaced pictures and their times in seconds."""
    count = clip.info.frame_count
    if count is None or count <= _READ_THROUGH or not clip.is_seekable:
        # A clip of unknown length is sampled at its start only.
        every = -(-min(count or _READ_THROUGH, _READ_THROUGH) // _SAMPLES)
        first = 0 if count is None else every // 2
        yield from islice(clip.pictures(), first, every * _SAMPLES, every)
        return
    for number in range(_SAMPLES):
        start = float((number + 0.5) * count / _SAMPLES / clip.info.fps)
        for image, time in clip.pictures(start):
            if time >= start - 0.5 / clip.info.fps:
                yield image, time
                break
