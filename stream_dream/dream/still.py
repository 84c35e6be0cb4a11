"""Dreams stills: octave after octave, each to its end, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.composing import compose
from stream_dream.dream.cores import use_cores
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
        image: The picture as it stands, at the octave's size: float32 (height, width, 3). The next
            step changes it: copy what is to be kept.
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
        use_cores(share=1)
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
        original = resize_float(source, shapes[0])
        image = original.copy()
        for octave, shape in enumerate(shapes):
            image = resize_float(image, shape)
            for step in self._climb(image, octave, len(shapes), rng, clipped=False):
                yield step
            smaller, original = original, resize_float(source, shape)
            image += original
            image -= resize_float(smaller, shape)
            if octave == len(shapes) - 1:
                image = resize_float(image, source.shape[:2])
            yield _finished(step, image)

    def _adding_up(self, source: ImageF, rng: np.random.Generator) -> Iterator[StillStep]:
        shapes = self._shapes(source.shape[:2])
        # In place wherever it can be: a photo of 24 megapixels is 288 MB here.
        image = source.copy()
        for octave, shape in enumerate(shapes):
            start = resize_float(np.clip(image, 0, 1), shape, antialias=True)
            change = start.copy()
            for step in self._climb(change, octave, len(shapes), rng, clipped=True):
                yield step
            change -= start
            image += resize_float(change, source.shape[:2])
            if octave == len(shapes) - 1:
                # As in the ascent on frames: the overall colour is no shape.
                image -= _mean_colour(image) - _mean_colour(source)
            yield _finished(step, image)

    def _climb(
        self, image: ImageF, octave: int, octaves: int, rng: np.random.Generator, *, clipped: bool
    ) -> Iterator[StillStep]:
        """Take the steps of one octave, up to the one at which the loss exceeds ``max_loss``.

        Args:
            image: Where the octave starts; it is changed in place.
            octave: Number of the octave.
            octaves: How many there are.
            rng: Gives the jitter.
            clipped: True to keep the image in [0, 1].
        """
        settings = self._settings
        # What the first frame of a shot gets in rounds, a still gets in one go.
        steps = settings.steps * (1 + settings.warm_up)
        limit = settings.max_loss or np.inf
        for step in range(steps):
            gradient, loss = self._gradient_of(image, rng)
            if loss <= limit:
                image += self._step_along(gradient)
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

    def _step_along(self, gradient: ImageF) -> ImageF:
        """Return the step: the gradient normalised, times the step size."""
        normalize = NORMS[self._settings.gradient_norm]
        if max(gradient.shape[:2]) > _TILED_ABOVE:
            # A graph lets go of each array as soon as it can.
            normalize = tf.function(normalize, autograph=False)
        step = normalize(tf.constant(gradient)) * self._settings.step_size
        moved: ImageF = np.asarray(step, np.float32)
        return moved


def _mean_colour(image: ImageF) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = image.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
    return mean


def _finished(step: StillStep, image: ImageF) -> StillStep:
    return StillStep(
        step.octave, step.octaves, step.step, step.steps, step.loss, image, finished=True
    )
