"""The emerging dream of a still, as a film and as a picture after each octave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_dream.frame import Image8, ImageF
from stream_dream.image import add_residual, fit_size, resize
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.output_paths import marked
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink

if TYPE_CHECKING:
    from stream_dream.dream.iterative_ascent import Step

# The emerging dream: small enough to post, slow enough to watch, the end held for a while.
_EMERGING_SIDE = 640
_EMERGING_FPS = 10
_EMERGING_FRAMES = 100
_HELD_FRAMES = 15


def octave_files(folder: Path | None, source: Path, octaves: int) -> list[Path]:
    """Return the files that ``write_octave`` may write; none without a folder."""
    return [] if folder is None else [_octave_file(folder, source, n) for n in range(octaves)]


def write_octave(
    step: Step,
    folder: Path,
    source: Path,
    *,
    strength: float,
    overwrite: bool,
    recipe: str | None = None,
) -> None:
    """Write the dream after the last step of an octave, at its size, under the source's name."""
    image = _to_8_bits(step.image)
    if strength != 1:
        image = laid_over(_to_8_bits(step.original), step, strength=strength)
    path = _octave_file(folder, source, step.octave)
    write_picture(Picture(image), path, overwrite=overwrite, recipe=recipe)


class Timelapse:
    """Films the emerging dream."""

    def __init__(self, sink: VideoSink, source: Image8, *, strength: float) -> None:
        """Create a film of one picture, whose ``source`` has the film's size."""
        self._sink = sink
        self._source = source
        self._strength = strength
        self._filmed = 0

    def __call__(self, step: Step) -> None:
        """Write a frame of a step if one is due: about 100 are spread over all steps."""
        due = int(step.share_done * _EMERGING_FRAMES)
        if not step.finished and due > self._filmed:
            self._filmed = due
            self._sink.write(laid_over(self._source, step, strength=self._strength))

    def hold(self, dream: Image8) -> None:
        """Hold the finished dream for the last frames."""
        height, width = self._source.shape[:2]
        for _ in range(_HELD_FRAMES):
            self._sink.write(resize(dream, (width, height)))


@contextmanager
def filmed(
    path: Path | None,
    source: Image8,
    overwrite: bool,
    *,
    strength: float,
    recipe: str | None = None,
) -> Iterator[Timelapse | None]:
    """Yield a film of a dream, or None without a path; Ctrl-C keeps the film so far."""
    if path is None:
        yield None
        return
    height, width = source.shape[:2]
    size = fit_size((width, height), _EMERGING_SIDE)
    fps = Fraction(_EMERGING_FPS)
    with VideoSink(path, size=size, fps=fps, recipe=recipe, overwrite=overwrite) as sink:
        small = resize(source, size)
        sink.write(small)
        try:
            yield Timelapse(sink, small, strength=strength)
        except KeyboardInterrupt as stop:
            for kept in sink.keep_partial():
                stop.add_note(f"the film of it is in {kept}")
            raise


def laid_over(source: Image8, step: Step, *, strength: float) -> Image8:
    """Add the residual so far, at the size of its octave, to the source at full detail."""
    residual = np.clip(step.image, 0, 1) - np.clip(step.original, 0, 1)
    return add_residual(source, residual, strength=strength)


def _octave_file(folder: Path, source: Path, octave: int) -> Path:
    return marked(folder / f"{source.stem}.png", f"-octave-{octave + 1:02}")


def _to_8_bits(image: ImageF) -> Image8:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
