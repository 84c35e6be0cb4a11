"""The source of a journey: the picture that it begins with, as every frame of a film."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np

from stream_dream.errors import SettingsError, SourceError
from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.image import resize
from stream_dream.media.read.picture import is_picture, read_picture, visible_image
from stream_dream.media.read.standard_input import STANDARD_INPUT
from stream_dream.media.read.video import VideoSource
from stream_dream.runtime.memory import available_memory
from stream_dream.settings.journey import JourneySettings
from stream_dream.temporal.start_noise import start_noise

NOISE = Path("noise")
"""Stands for the file of a journey that begins with noise."""

DRAFT_SIDE = 240
"""Longer side of a draft in pixels."""

_LEAST_SIDE = 16
_NOISE_SHAPE = (16, 9)
# What a journey holds for each pixel of the picture, and of the dream (measured up to 2560 pixels).
_BYTES_OF_PICTURE, _BYTES_OF_DREAM = 120, 400


class JourneySource:
    """Yields the start of a journey as every frame; each iteration starts anew.

    It has what renders use of a ``VideoSource``. The start is read and resized once.

    Attributes:
        path: The picture or clip; ``NOISE`` for noise.
        info: Properties of the stream.
        settings: Where it begins, its size and length.
        seed: Start of the noise's random numbers.
        start: Time of its first frame: 0.
        first: Number of its first frame, counted from the journey's.
        end: None: it ends with the journey.
        background: Not used: what is transparent has the picture's mean colour.
        shortfall: None: nothing is missing.
    """

    start = 0.0
    end: float | None = None
    background = (0, 0, 0)
    shortfall: str | None = None
    deep = hdr = tone_mapped = is_piped = is_sequence = False
    is_seekable = True

    def __init__(
        self, path: Path, image: Image8, settings: JourneySettings, *, seed: int, first: int
    ) -> None:
        """Create the source of an image at the size of the output; see ``open_journey``."""
        self.path, self.settings, self.seed, self.first = path, settings, seed, first
        self._image = image
        height, width = image.shape[:2]
        frames = settings.frames - first
        self.info = StreamInfo(size=(width, height), fps=settings.fps, frame_count=frames)

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close nothing."""

    def close(self) -> None:
        """Close nothing: no file is open."""

    def stop(self) -> None:
        """End no wait: there is none."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        for index in range(self.info.frame_count or 0):
            yield Frame(self._image, index, float(index / self.info.fps))


def open_journey(
    path: Path,
    settings: JourneySettings,
    *,
    seed: int = 0,
    dream_size: int | None = None,
    first: int = 0,
) -> JourneySource:
    """Open the start of a journey at the size of its output.

    Args:
        path: A picture, by its extension, or a clip; ``NOISE`` if the settings ask for it.
        settings: Where the journey begins, its size and length.
        seed: Start of the noise's random numbers.
        dream_size: Longer side of the dream in pixels, for which memory has to suffice; None not to
            ask: it is taken already.
        first: Number of the first frame to yield.

    Raises:
        SourceError: The start cannot be read, or is too small.
        SettingsError: The size is too small, or larger than memory, or ``start`` is given for what
            has no moments.
    """
    noise = settings.start_from == "noise"
    if settings.start is not None and (noise or is_picture(path)):
        what = "noise has" if noise else f"{path} is a picture, which has"
        raise SettingsError(f"--start is a moment of a clip, and {what} none: leave it out")
    if settings.size is not None:  # before a clip is decoded
        _check_size(output_size(settings, settings.size), dream_size)
    depth_map(settings)  # only checks that it can be read
    start = None if noise else _read(path, settings.start)
    size = output_size(settings, _NOISE_SHAPE if start is None else start.shape[1::-1])
    _check_size(size, dream_size)
    image = start_noise(size, seed) if start is None else _filling(start, size)
    return JourneySource(path, image, settings, seed=seed, first=first)


def output_size(settings: JourneySettings, shape: tuple[int, int]) -> tuple[int, int]:
    """Return the (width, height) of a journey.

    Where ``--size`` does not say it, sides are even, as codecs want them.

    Args:
        settings: Size, or longer side, and whether it is a draft.
        shape: Width and height of its start, in any unit.
    """
    if settings.size is not None and not settings.draft:
        return settings.size
    width, height = settings.size or shape
    side = max(settings.size or (settings.longer_side,))
    scale = (min(DRAFT_SIDE, side) if settings.draft else side) / max(width, height)
    across, down = (max(_LEAST_SIDE, 2 * round(length * scale / 2)) for length in (width, height))
    return across, down


def longer_side(settings: JourneySettings) -> int:
    """Return the longer side of a journey's output in pixels."""
    return max(output_size(settings, _NOISE_SHAPE))


def depth_map(settings: JourneySettings) -> Image8 | None:
    """Return the map of depths of a journey's start, uint8 RGB; None if it is to be invented.

    Raises ``SourceError`` if it cannot be read.
    """
    path = settings.depth_map
    return None if path is None else visible_image(read_picture(path))


def _read(path: Path, start: float | None) -> Image8:
    """Return the picture of a file, or a clip's frame, in square pixels."""
    if path == STANDARD_INPUT:
        raise SourceError("a journey reads its start more than once: give a file, or --from noise")
    if is_picture(path):
        image = visible_image(read_picture(path))
    else:
        with VideoSource(path, start=start) as clip:
            image = next(iter(clip)).image
            width, height = clip.info.display_size
            image = resize(image, (round(width), round(height)))
    height, width = image.shape[:2]
    if min(width, height) < _LEAST_SIDE:
        raise SourceError(
            f"{path} has {width}x{height} pixels: give a picture of at least "
            f"{_LEAST_SIDE}x{_LEAST_SIDE}"
        )
    return image


def _filling(image: Image8, size: tuple[int, int]) -> Image8:
    """Resize an image to (width, height), cropped around its middle to that shape."""
    height, width = image.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    across, down = (
        min(have, max(1, round(want / scale)))
        for have, want in zip((width, height), size, strict=True)
    )
    left, top = (width - across) // 2, (height - down) // 2
    return resize(np.ascontiguousarray(image[top : top + down, left : left + across]), size)


def _check_size(size: tuple[int, int], dream_size: int | None) -> None:
    """Refuse a (width, height) that is too small, or for whose dream memory does not suffice."""
    width, height = size
    if min(size) < _LEAST_SIDE:
        raise SettingsError(f"--size {width}x{height} is too small: give {_LEAST_SIDE} or more")
    if dream_size is None:
        return
    dreamed = width * height * min(1.0, dream_size / max(size)) ** 2
    needed = width * height * _BYTES_OF_PICTURE + dreamed * _BYTES_OF_DREAM
    available = available_memory()
    if available is not None and needed > available:
        raise SettingsError(
            f"a journey of {width}x{height} pixels needs about {needed / 1e9:.0f} GB of memory, "
            f"{available / 1e9:.0f} GB are free: give a smaller --size or --longer-side"
        )
