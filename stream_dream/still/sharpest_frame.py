"""Search for the sharpest frame of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2

from stream_dream.errors import SourceError
from stream_dream.frame import Frame, Image8
from stream_dream.image import fit_size, resize
from stream_dream.media.read.video import VideoSource

_SAMPLES = 40
_SIDE = 480
"""Sharpness is measured at this longer side: grain and blocks of the codec count for little."""

_READ_THROUGH = 1200
"""Frames up to which a clip is decoded from end to end; longer ones are sampled by seeking."""


def sharpness(image: Image8) -> float:
    """Return the variance of the Laplacian of the brightness (Pech-Pacheco et al., 2000)."""
    height, width = image.shape[:2]
    grey = cv2.cvtColor(resize(image, fit_size((width, height), _SIDE)), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def sharpest_frame(path: Path) -> Frame:
    """Return the sharpest of at most 40 frames, in square pixels.

    They are spread evenly over a clip; over its first 1200 frames if its length is unknown, or if
    it is longer and cannot be sought.

    Raises:
        SourceError: It cannot be read.
    """
    with VideoSource(path) as clip:
        best: tuple[float, Frame] | None = None
        for image, time in _samples(clip):
            found = sharpness(image)
            if best is None or found > best[0]:
                best = found, Frame(image, round(time * clip.info.fps), time)
        if best is None:
            raise SourceError(f"no frame of {path} can be read: convert it to H.264")
        width, height = clip.info.display_size
    image = resize(best[1].image, (max(1, round(width)), round(height)))
    return replace(best[1], image=image)


def _samples(clip: VideoSource) -> Iterator[tuple[Image8, float]]:
    """Yield evenly spaced pictures and their times in seconds."""
    count = clip.info.frame_count
    if count is None or count <= _READ_THROUGH or not clip.is_seekable:
        # Of unknown length, or long and without seeking: sampled at its start only.
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
