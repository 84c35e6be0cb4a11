"""Gradient ascent on one frame: octaves, jitter, steps, all in a single TensorFlow call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stream_dream.dream.climbing import GradientFunction, climb
from stream_dream.dream.composing import compose
from stream_dream.dream.cores import use_cores
from stream_dream.dream.octaves import Shape, workable_shapes
from stream_dream.dream.walk import Walk, tile_of
from stream_dream.frame import ImageF
from stream_dream.settings import DreamSettings

# From the number of an octave and its image to the image and its loss.
Climb = Callable[[int, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
# Traces of as many sizes are kept: each holds on to memory, and an installation runs for days.
TRACES_KEPT = 32


class Ascended(NamedTuple):
    """What the ascent on one frame gave.

    Attributes:
        residual: Dream minus source, float32 (height, width, 3) in [-1, 1].
        loss: Objective at the finest octave dreamed, before its last step.
    """

    residual: ImageF
    loss: float


class Ascent:
    """Dreams one frame: makes its residual grow by gradient ascent.

    Every size of image is traced once (``traces`` counts); all numbers that may change from frame
    to frame are tensors.

    Attributes:
        traces: How many times TensorFlow has traced the ascent.
        guide: What guides the dream, to be shown a picture before the first frame; None without.
    """

    def __init__(self, settings: DreamSettings) -> None:
        """Build the network up to the deepest layer in use.

        Raises:
            NetworkError: There is no such network, layer or channel.
        """
        # Octaves side by side, or halves, fill the others, and what runs beside them finds a place.
        use_cores(share=0.5)
        self.traces = 0
        self._settings = settings
        self._gradient, self.guide = compose(settings)
        self._walk = Walk(settings, self._gradient)
        self._function = lru_cache(TRACES_KEPT)(self._trace)
        self._prepared: set[tuple[Shape, tuple[Shape, ...]]] = set()

    def __call__(
        self, source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator
    ) -> Ascended:
        """Ascend from ``clip(source + carried)``.

        Args:
            source: The source frame at dream size, float32 (height, width, 3) in [0, 1].
            carried: What is left of the last residual, float32, same shape, in [-1, 1].
            index: Position of the frame in its shot; chooses the octave of schedule ``rotate``.
            rng: Gives the jitter.
        """
        shapes = self._scheduled(source.shape[:2], index)
        if tile_of(self._settings, source.shape[:2]) is not None:
            return self._walked(source, carried, shapes, rng)
        return self._run(source, carried, shapes, rng)

    def change(self, *, step_size: float, jitter: int, octaves: int) -> None:
        """Go on with other numbers: what is traced stays of use."""
        values = {"step_size": step_size, "jitter": jitter, "octaves": octaves}
        self._settings = self._settings.model_copy(update=values)

    def is_ready(self, shape: Shape, octaves: int) -> bool:
        """Tell whether images of (height, width) are dreamed without anything being traced."""
        return all((shape, shapes) in self._prepared for shapes in self._turns(shape, octaves))

    def prepare(self, shape: Shape, octaves: int) -> None:
        """Trace what images of (height, width) need, and run it once.

        May be called from another thread than the one that dreams.
        """
        source = np.zeros((*shape, 3), np.float32)
        for shapes in self._turns(shape, octaves):
            if (shape, shapes) not in self._prepared:
                self._run(source, source, shapes, np.random.default_rng(0))
                self._prepared.add((shape, shapes))

    def loss(self, image: ImageF) -> float:
        """Return the objective of an image, float32 RGB in [0, 1] of any size."""
        return float(self._gradient.loss(tf.constant(image)))

    def gradients(self, images: Sequence[ImageF | tf.Tensor]) -> list[tf.Tensor]:
        """Return the plain gradient of the objective for the image of each octave.

        Within a ``tf.function`` they are computed as in the ascent of a frame.
        """
        gradient = self._gradient_function(len(images))
        return [gradient(tf.convert_to_tensor(image))[0] for image in images]

    def _run(
        self,
        source: ImageF,
        carried: ImageF,
        shapes: tuple[Shape, ...],
        rng: np.random.Generator,
    ) -> Ascended:
        """Ascend in one TensorFlow call."""
        jitter = min(self._settings.jitter, max(source.shape[:2]))
        shifts = rng.integers(-jitter, jitter + 1, (len(shapes), self._settings.steps, 2))
        residual, loss = self._function(source.shape[:2], shapes)(
            source=tf.constant(source),
            carried=tf.constant(carried),
            shifts=tf.constant(shifts.astype(np.int32)),
            step_size=tf.constant(self._settings.step_size, tf.float32),
            max_loss=tf.constant(self._settings.max_loss or np.inf, tf.float32),
        )
        return Ascended(residual.numpy(), float(loss))

    def _walked(
        self,
        source: ImageF,
        carried: ImageF,
        shapes: tuple[Shape, ...],
        rng: np.random.Generator,
    ) -> Ascended:
        """Ascend in tiles: one TensorFlow call for all of it would need all the memory at once."""
        loss, seed = 0.0, np.clip(source + carried, 0, 1)
        image = seed
        for step in self._walk(seed, shapes, self._settings.steps, rng):
            image, loss = step.image, step.loss
        return Ascended(np.clip(image, 0, 1) - source, loss)

    def _scheduled(self, shape: Shape, index: int) -> tuple[Shape, ...]:
        turns = self._turns(shape, self._settings.octaves)
        return turns[index % len(turns)]

    def _turns(self, shape: Shape, octaves: int) -> tuple[tuple[Shape, ...], ...]:
        """Return the octaves of each frame, from one frame to the next, until they come round."""
        shapes = workable_shapes(
            shape,
            octaves,
            self._settings.octave_scale,
            stride=self._gradient.stride,
            smallest=self._gradient.smallest,
        )
        if self._settings.schedule == "rotate":
            return tuple((shape,) for shape in shapes)
        return (shapes,)

    def _trace(
        self, shape: Shape, shapes: tuple[Shape, ...]
    ) -> tf.types.experimental.ConcreteFunction:
        """Return the ascent for these sizes."""
        image = tf.TensorSpec((*shape, 3), tf.float32)
        number = tf.TensorSpec((), tf.float32)
        shifts = tf.TensorSpec((len(shapes), None, 2), tf.int32)

        def ascend(
            source: tf.Tensor,
            carried: tf.Tensor,
            shifts: tf.Tensor,
            step_size: tf.Tensor,
            max_loss: tf.Tensor,
        ) -> tuple[tf.Tensor, tf.Tensor]:
            self.traces += 1
            return self._ascend(source, carried, shapes, shifts, step_size, max_loss)

        return tf.function(ascend, autograph=False).get_concrete_function(
            source=image, carried=image, shifts=shifts, step_size=number, max_loss=number
        )

    def _ascend(
        self,
        source: tf.Tensor,
        carried: tf.Tensor,
        shapes: tuple[Shape, ...],
        shifts: tf.Tensor,
        step_size: tf.Tensor,
        max_loss: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Let the octaves ascend from ``clip(source + carried)``.

        Returns:
            The residual, as shown: no more than what stays in [0, 1]; and the loss.
        """
        gradient = self._gradient_function(len(shapes))
        norm = self._settings.gradient_norm
        restoring = self._settings.schedule == "restore"

        def climb_octave(octave: int, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return climb(
                gradient,
                start,
                shifts[octave],
                step_size,
                max_loss,
                norm=norm,
                clipped=not restoring,
            )

        # Within what can be shown, or the residual would wind up unseen.
        seed = tf.clip_by_value(source + carried, 0, 1)
        if restoring:
            image, loss = _restoring(climb_octave, seed, shapes)
        else:
            together = self._settings.schedule == "together"
            image, loss = _adding_up(climb_octave, seed, shapes, together=together)
            # Without a change of the overall colour, which would add up to a drift over hundreds
            # of frames.
            image = _less(image, _mean_colour(image - seed))
        return tf.clip_by_value(image, 0, 1) - source, loss

    def _gradient_function(self, octaves: int) -> GradientFunction:
        # Octaves side by side fill the cores without the halves' overlap.
        side_by_side = self._settings.schedule == "together" and octaves > 1
        return self._gradient.whole if side_by_side else self._gradient.in_halves


def _adding_up(
    climb_octave: Climb, seed: tf.Tensor, shapes: tuple[Shape, ...], *, together: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Add what each octave's ascent changes to the full-size image.

    Upsampling the change instead of the picture keeps the source crisp. With ``together`` every
    octave starts from the same image: they do not wait for each other.
    """
    image, loss = seed, tf.constant(0.0)
    for octave, shape in enumerate(shapes):
        start = _resize(seed if together else tf.clip_by_value(image, 0, 1), shape)
        end, loss = climb_octave(octave, start)
        image += _resize(end - start, seed.shape[:2])
    return image, loss


def _restoring(
    climb_octave: Climb, seed: tf.Tensor, shapes: tuple[Shape, ...]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Enlarge the picture from octave to octave, and restore the detail that this has lost.

    The lost detail is the original at the octave's size less the smaller original scaled up to it;
    it is added after the octave's ascent (Keras' DeepDream notebook).
    """
    original = image = tf.image.resize(seed, shapes[0])
    loss = tf.constant(0.0)
    for octave, shape in enumerate(shapes):
        image, loss = climb_octave(octave, tf.image.resize(image, shape))
        smaller, original = original, tf.image.resize(seed, shape)
        image += original - tf.image.resize(smaller, shape)
    return tf.image.resize(image, seed.shape[:2]), loss


def _resize(image: tf.Tensor, shape: Shape) -> tf.Tensor:
    """Resize bilinearly, with antialiasing when shrinking."""
    if tuple(image.shape[:2]) == shape:
        return image
    return tf.image.resize(image, shape, antialias=shape[0] < image.shape[0])


# Both are twice to four times as fast as their one-line forms: TensorFlow is slow along a last axis
# of three (measured).
def _mean_colour(image: tf.Tensor) -> tf.Tensor:
    height, width, channels = image.shape
    rows = tf.reduce_mean(tf.reshape(image, (height, width * channels)), axis=0)
    return tf.reduce_mean(tf.reshape(rows, (width, channels)), axis=0)


def _less(image: tf.Tensor, colour: tf.Tensor) -> tf.Tensor:
    height, width, channels = image.shape
    flat = tf.reshape(image, (height, width * channels)) - tf.tile(colour, (width,))
    return tf.reshape(flat, image.shape)
