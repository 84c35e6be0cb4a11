"""Iterative ascent: octave by octave in Python, in bounded memory, with access to every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from stream_dream.dream.gradient import Gradient
from stream_dream.dream.normalize import normalizer, palettes_of
from stream_dream.dream.octaves import step_share
from stream_dream.frame import ImageF, Shape
from stream_dream.image import resize_by_corners, resize_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.tone import add_within, room_of, without_large_areas

# Pictures with a longer side are dreamed in tiles: whole, they would need more than 8 GiB.
_TILED_ABOVE = 2048
_TILE = 1024
# Rows to change at a time: a large picture's intermediate results would need much memory.
_BAND = 256
# Step length of a still relative to a dream that grows from frame to frame (chosen by eye).
_FINISHING = 1.7


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an ascent.

    Attributes:
        octave: Number of the octave, from 0.
        octaves: Number of octaves.
        step: Number of the step within the octave, from 0.
        steps: Number of steps per octave.
        loss: Objective before the step.
        image: The current picture, at the octave's or the full size: float32 (height, width, 3).
            The next step changes it: copy what you keep.
        original: The same picture without any dream, same shape.
        finished: True when the octave is complete.
    """

    octave: int
    octaves: int
    step: int
    steps: int
    loss: float
    image: ImageF
    original: ImageF
    finished: bool

    @property
    def share_done(self) -> float:
        """The finished share of the ascent, 0..1; all octaves count alike."""
        return (self.octave + (self.step + 1) / self.steps) / self.octaves


@dataclass(frozen=True, slots=True)
class _Course:
    """Values common to all octaves of one ascent.

    Attributes:
        shape: (height, width) of the finest octave.
        steps: Steps per octave.
        step_size: Length of the steps of the coarsest octave.
        palette: Local colours; see ``normalize.palettes_of``.
        rng: Source of the jitter and of the tiles' positions.
    """

    shape: Shape
    steps: int
    step_size: float
    palette: tf.Tensor
    rng: np.random.Generator


def tile_of(settings: DreamSettings, shape: Shape) -> int | None:
    """Return the side of a picture's tiles in pixels; None if it is dreamed whole."""
    tile = settings.tile or (_TILE if max(shape) > _TILED_ABOVE else None)
    return tile if tile is not None and max(shape) > tile else None


class IterativeAscent:
    """Iterative ascent from a picture through all of its octaves.

    With schedule ``restore`` this is the Keras notebook's algorithm: enlarge the picture from
    octave to octave, and after each add the detail that the smaller original had lost. With all
    others each octave's change is scaled up and added to the picture, as in Google's notebook; with
    ``together`` no octave sees the changes of earlier ones.
    """

    def __init__(self, settings: DreamSettings, gradient: Gradient, *, toned: bool = True) -> None:
        """Create an iterative ascent.

        Args:
            settings: Settings of the dream.
            gradient: The gradient to ascend along.
            toned: True to keep each step within the limit and the brightness of large areas; False
                for frames of a video, where ``temporal.growth`` does so.
        """
        self.settings = self._settings = settings
        self._limit = settings.limit if toned else None
        self._toned = toned
        self._gradient = gradient
        self._normalize = normalizer(settings)
        # A graph frees each intermediate result as soon as it can.
        self._normalize_large = tf.function(self._normalize, autograph=False)

    def __call__(
        self,
        seed: ImageF,
        shapes: Sequence[Shape],
        rng: np.random.Generator,
        *,
        source: ImageF | None = None,
        finished: bool = False,
    ) -> Iterator[Step]:
        """Yield every step and every finished octave; the last one has the size of the seed.

        Args:
            seed: The seed image, float32 (height, width, 3) in [0, 1].
            shapes: (height, width) of the octaves, small to large.
            rng: Source of the jitter and of the tiles' positions.
            source: Source of the palette, float32, same shape; the seed by default.
            finished: True for the more and longer steps of a finished dream, False for a frame's.
        """
        steps, step_size = self._settings.steps, self._settings.step_size
        if finished and self._settings.warm_up:
            steps, step_size = steps * self._settings.warm_up, _FINISHING * step_size
        palette = palettes_of(tf.constant((seed if source is None else source)[None]))
        course = _Course((seed.shape[0], seed.shape[1]), steps, step_size, palette, rng)
        restoring = self._settings.schedule == "restore"
        return (self._restoring if restoring else self._adding_up)(seed, shapes, course)

    def _restoring(self, seed: ImageF, shapes: Sequence[Shape], course: _Course) -> Iterator[Step]:
        steps = course.steps
        limited = self._limit is not None
        original = resize_by_corners(seed, shapes[0])
        image = original.copy()
        for octave, shape in enumerate(shapes):
            image, enlarged = resize_by_corners(image, shape), resize_by_corners(original, shape)
            loss = 0.0
            for step, loss in self._climb(image, course, enlarged, clipped=limited):
                yield Step(octave, len(shapes), step, steps, loss, image, enlarged, finished=False)
            original = resize_by_corners(seed, shape)
            image = image - enlarged  # not in place: the last ``Step`` still refers to it
            image += original
            if octave == len(shapes) - 1:
                image, original = resize_by_corners(image, course.shape), seed
            yield Step(octave, len(shapes), steps - 1, steps, loss, image, original, finished=True)

    def _adding_up(self, seed: ImageF, shapes: Sequence[Shape], course: _Course) -> Iterator[Step]:
        steps = course.steps
        # In place where possible: a photo of 24 megapixels is 288 MB here.
        together = self._settings.schedule == "together"
        image = seed.copy()
        for octave, shape in enumerate(shapes):
            start = resize_float(np.clip(seed if together else image, 0, 1), shape, antialias=True)
            change = start.copy()
            original = resize_float(seed, shape, antialias=True)
            # Growth of earlier octaves, part of the picture though this octave does not see it.
            unseen = resize_float(image - seed, shape, antialias=True) if together else None
            loss = 0.0
            for step, loss in self._climb(change, course, original, clipped=True):
                shown = change if unseen is None else change + unseen
                yield Step(octave, len(shapes), step, steps, loss, shown, original, finished=False)
            # Into ``start``: the last ``Step`` may still refer to ``change``.
            grown = np.subtract(change, start, out=start)
            if self._toned:
                without_large_areas(grown)
            # Softly: octaves dreamed together have each kept to the limit on their own only.
            grown = resize_float(grown, course.shape)
            self._add(image, grown, seed, softly=together, clipped=False)
            yield Step(octave, len(shapes), steps - 1, steps, loss, image, seed, finished=True)

    def _climb(
        self, image: ImageF, course: _Course, original: ImageF, *, clipped: bool
    ) -> Iterator[tuple[int, float]]:
        """Run an octave's steps on an image in place, until the loss exceeds ``max_loss``.

        Yields the number of each step, and the loss before it.
        """
        limit = self._settings.max_loss or np.inf
        shape = image.shape[0], image.shape[1]
        length = course.step_size * step_share(shape, course.shape, self._settings)
        for step in range(course.steps):
            gradient, loss = self._gradient_of(image, course.rng)
            if loss <= limit:
                change = self._step_along(gradient, course.palette, length)
                self._add(image, change, original, softly=True, clipped=clipped)
            yield step, loss
            if loss > limit:
                return

    def _gradient_of(self, image: ImageF, rng: np.random.Generator) -> tuple[ImageF, float]:
        jitter = min(self._settings.jitter, max(image.shape[:2]))
        tile = tile_of(self._settings, image.shape[:2])
        if tile is not None:
            return self._gradient.in_tiles(image, tile, rng, jitter)
        shift = rng.integers(-jitter, jitter + 1, 2)
        rolled = tf.constant(np.roll(image, shift, axis=(0, 1)))
        gradient, loss = self._gradient.of_any_size(rolled)
        return np.roll(gradient.numpy(), -shift, axis=(0, 1)), float(loss)

    def _step_along(self, gradient: ImageF, palette: tf.Tensor, length: float) -> ImageF:
        large = max(gradient.shape[:2]) > _TILED_ABOVE
        normalize = self._normalize_large if large else self._normalize
        lengths = tf.fill((1, 1, 1, 1), tf.constant(length, tf.float32))
        palettes = tf.image.resize(palette, gradient.shape[:2])
        step = normalize(tf.constant(gradient[None]), lengths, palettes)
        moved: ImageF = np.asarray(step, np.float32)[0]
        return moved

    def _add(
        self, image: ImageF, change: ImageF, original: ImageF, *, softly: bool, clipped: bool
    ) -> None:
        """Add a change to an image in place, within the limit around the undreamed original.

        Args:
            image: float32 (height, width, 3).
            change: Same shape.
            original: Same shape.
            softly: True to slow down near the limit, False to clip at it.
            clipped: True to keep the image in [0, 1].
        """
        for top in range(0, len(image), _BAND):
            rows = slice(top, top + _BAND)
            room = room_of(original[rows], self._limit, grey=self._settings.keep_colours)
            if room is None:
                image[rows] += change[rows]
            else:
                grown = image[rows] - original[rows]
                if softly:
                    add_within(grown, change[rows], room)
                else:
                    grown += change[rows]
                    np.clip(grown, -room.down, room.up, out=grown)
                np.add(original[rows], grown, out=image[rows])
            if clipped:
                np.clip(image[rows], 0, 1, out=image[rows])
