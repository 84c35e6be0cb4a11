"""Dreams stills: octave after octave, each to its end, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from stream_dream.dream.ascent import use_half_the_cores
from stream_dream.dream.composing import compose
from stream_dream.dream.normalize import NORMS
from stream_dream.dream.octaves import Shape, workable_shapes
from stream_dream.frame import Image8, ImageF
from stream_dream.image import add_residual, fit_size, resize, resize_float, to_float
from stream_dream.settings import DreamSettings

# A picture with a longer side is dreamed in tiles: whole, it would need more than 8 GiB.
_TILED_ABOVE = 2048
_TILE = 1024


@dataclass(frozen=True, slots=True)
class StillStep:
    """One step of a still's ascent.

    Attributes:
        octave: Number of the octave, from 0.
        octaves: How many there are.
        step: Number of the step in it, from 0.
        steps: How many there are.
        loss: Objective before the step.
        image: The picture as it stands, at the octave's size: float32 (height, width, 3).
        finished: True where the octave is complete.
    """

    octave: int
    octaves: int
    step: int
    steps: int
    loss: float
    image: ImageF
    finished: bool


class StillDreamer:
    """Dreams pictures, each on its own.

    With schedule ``restore`` this is the Keras notebook's algorithm: the picture is enlarged from
    octave to octave, and after each the detail is added that the smaller original had lost. With
    all others each octave's change is scaled up and added to the picture, as in Google's notebook.
    """

    def __init__(self, settings: DreamSettings) -> None:
        """Build the network up to the deepest layer in use.

        Raises:
            NetworkError: There is no such network, layer, channel or class.
            SettingsError: The settings contradict each other.
        """
        use_half_the_cores()
        self._settings = settings
        self._gradient, self.guide = compose(settings)

    def __call__(
        self, image: Image8, on_step: Callable[[StillStep], None] = lambda step: None
    ) -> Image8:
        """Dream a picture.

        Args:
            image: uint8 RGB (height, width, 3) of any size.
            on_step: Told of each step.

        Returns:
            The dream, of the same shape.
        """
        height, width = image.shape[:2]
        small = resize(image, fit_size((width, height), self._settings.dream_size))
        source = to_float(small)
        rng = np.random.default_rng(self._settings.seed)
        restoring = self._settings.schedule == "restore"
        for step in (self._restoring if restoring else self._adding_up)(source, rng):
            on_step(step)
            dream = step.image
        return add_residual(image, np.clip(dream, 0, 1) - source)

    def _shapes(self, shape: Shape) -> tuple[Shape, ...]:
        return workable_shapes(
            shape,
            self._settings.octaves,
            self._settings.octave_scale,
            stride=self._gradient.stride,
            smallest=self._gradient.smallest,
        )

    def _restoring(self, source: ImageF, rng: np.random.Generator) -> Iterator[StillStep]:
        shapes = self._shapes(source.shape[:2])
        image = original = resize_float(source, shapes[0])
        for octave, shape in enumerate(shapes):
            image = resize_float(image, shape)
            for step in self._climb(image, octave, len(shapes), rng, clipped=False):
                image = step.image
                yield step
            smaller, original = original, resize_float(source, shape)
            image = image + original - resize_float(smaller, shape)
            if octave == len(shapes) - 1:
                image = resize_float(image, source.shape[:2])
            yield _finished(step, image)

    def _adding_up(self, source: ImageF, rng: np.random.Generator) -> Iterator[StillStep]:
        shapes = self._shapes(source.shape[:2])
        image = source
        for octave, shape in enumerate(shapes):
            start = end = resize_float(np.clip(image, 0, 1), shape, antialias=True)
            for step in self._climb(start, octave, len(shapes), rng, clipped=True):
                end = step.image
                yield step
            image = image + resize_float(end - start, source.shape[:2])
            if octave == len(shapes) - 1:
                # As in the ascent on frames: the overall colour is no shape.
                image -= (image - source).mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
            yield _finished(step, image)

    def _climb(
        self, image: ImageF, octave: int, octaves: int, rng: np.random.Generator, *, clipped: bool
    ) -> Iterator[StillStep]:
        """Take the steps of one octave, up to the one at which the loss exceeds ``max_loss``."""
        settings = self._settings
        # What the first frame of a shot gets in rounds, a still gets in one go.
        steps = settings.steps * (1 + settings.warm_up)
        limit = settings.max_loss or np.inf
        for step in range(steps):
            gradient, loss = self._gradient_of(image, rng)
            if loss <= limit:
                direction = NORMS[settings.gradient_norm](tf.constant(gradient)).numpy()
                image = image + np.float32(settings.step_size) * direction
                if clipped:
                    np.clip(image, 0, 1, out=image)
            yield StillStep(octave, octaves, step, steps, loss, image, finished=False)
            if loss > limit:
                return

    def _gradient_of(self, image: ImageF, rng: np.random.Generator) -> tuple[ImageF, float]:
        settings, longer = self._settings, max(image.shape[:2])
        tile = settings.tile or (_TILE if longer > _TILED_ABOVE else longer)
        if longer > tile:
            return self._gradient.in_tiles(image, tile, rng, settings.jitter)
        jitter = min(settings.jitter, longer)
        shift = rng.integers(-jitter, jitter + 1, 2)
        rolled = tf.constant(np.roll(image, shift, axis=(0, 1)))
        gradient, loss = self._gradient.of_any_size(rolled)
        return np.roll(gradient.numpy(), -shift, axis=(0, 1)), float(loss)


def _finished(step: StillStep, image: ImageF) -> StillStep:
    return StillStep(
        step.octave, step.octaves, step.step, step.steps, step.loss, image, finished=True
    )
