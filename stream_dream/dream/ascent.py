"""Gradient ascent on one frame: octaves, jitter, steps, all in a single TensorFlow call."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stream_dream.dream.normalize import NORMS
from stream_dream.dream.objective import BORDER, LayerEnergy, Objective, Sum
from stream_dream.errors import NetworkError
from stream_dream.frame import ImageF
from stream_dream.networks.layers import NetworkSpec
from stream_dream.networks.registry import find
from stream_dream.settings import DreamSettings

Shape = tuple[int, int]

# Shorter pictures are not halved: the overlap would cost more than a quarter. In strides.
_HALVED_FROM = 20


class Ascended(NamedTuple):
    """What the ascent on one frame gave.

    Attributes:
        residual: Dream minus source, float32 (height, width, 3) in [-1, 1].
        loss: Objective at the finest octave dreamed, before its last step.
    """

    residual: ImageF
    loss: float


def use_half_the_cores() -> None:
    """Let TensorFlow compute each operation on half of the cores, and run operations side by side.

    Octaves ascend side by side, so half of the cores for one operation fill all of them; on two
    cores that is 1.3 to 1.9 times as fast as two threads an operation (measured), and what runs
    beside the dream (flow, decoding, encoding) finds a place. Does nothing once TensorFlow runs.
    """
    cores = os.cpu_count() or 1
    if tf.config.threading.get_intra_op_parallelism_threads():
        return  # somebody has chosen already
    try:
        tf.config.threading.set_intra_op_parallelism_threads(max(1, cores // 2))
        tf.config.threading.set_inter_op_parallelism_threads(max(2, cores))
    except RuntimeError:
        # TensorFlow was in use before: whoever did so has chosen the threads.
        return


def octave_shapes(shape: Shape, octaves: int, scale: float, smallest: int) -> tuple[Shape, ...]:
    """Return the (height, width) of the octaves, small to large; the last one is ``shape``.

    Octaves with a side below ``smallest`` pixels are left out, but never the last one.
    """
    factors = (scale**-level for level in range(octaves - 1, -1, -1))
    shapes = [(max(1, round(shape[0] * f)), max(1, round(shape[1] * f))) for f in factors]
    return (*(small for small in shapes[:-1] if min(small) >= smallest), shapes[-1])


class Ascent:
    """Dreams one frame: makes its residual grow by gradient ascent.

    Every size of image is traced once (``traces`` counts); all numbers that may change from frame
    to frame are tensors.

    Attributes:
        traces: How many times TensorFlow has traced the ascent.
    """

    def __init__(self, settings: DreamSettings) -> None:
        """Build the network up to the deepest layer in use.

        Raises:
            NetworkError: There is no such network, layer or channel.
        """
        use_half_the_cores()
        spec = find(settings.network)
        self.traces = 0
        self._settings = settings
        self._objective = objective_of(settings, spec)
        self._model = spec.build(self._objective.layers)
        self._strides = {name: spec.layer(name).stride for name in self._objective.layers}
        self._stride = max(self._strides.values())
        self._functions: dict[
            tuple[Shape, tuple[Shape, ...]], tf.types.experimental.ConcreteFunction
        ] = {}

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

    def loss(self, image: ImageF) -> float:
        """Return the objective of an image, float32 RGB in [0, 1] of any size."""
        return float(self._loss(tf.constant(image)))

    def gradients(self, images: Sequence[ImageF | tf.Tensor]) -> list[tf.Tensor]:
        """Return the plain gradient of the objective for the image of each octave.

        Within a ``tf.function`` they are computed as in the ascent of a frame.
        """
        gradient = self._gradient_function(len(images))
        return [gradient(tf.convert_to_tensor(image))[0] for image in images]

    def _scheduled(self, shape: Shape, index: int) -> tuple[Shape, ...]:
        settings = self._settings
        shapes = octave_shapes(shape, settings.octaves, settings.octave_scale, 2 * self._stride)
        if settings.schedule == "rotate":
            return (shapes[index % len(shapes)],)
        return shapes

    def _function(
        self, shape: Shape, shapes: tuple[Shape, ...]
    ) -> tf.types.experimental.ConcreteFunction:
        """Return the ascent traced for these sizes."""
        if (shape, shapes) not in self._functions:
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

            self._functions[shape, shapes] = tf.function(
                ascend, autograph=False
            ).get_concrete_function(
                source=image, carried=image, shifts=shifts, step_size=number, max_loss=number
            )
        return self._functions[shape, shapes]

    def _ascend(
        self,
        source: tf.Tensor,
        carried: tf.Tensor,
        shapes: tuple[Shape, ...],
        shifts: tf.Tensor,
        step_size: tf.Tensor,
        max_loss: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Add what each octave's ascent changes to the full-size image.

        Upsampling the change instead of the picture keeps the source crisp. With schedule
        ``together`` every octave starts from the same image: they do not wait for each other.
        """
        together = self._settings.schedule == "together"
        gradient = self._gradient_function(len(shapes))
        # Within what can be shown, or the residual would wind up unseen.
        seed = tf.clip_by_value(source + carried, 0, 1)
        image, loss = seed, tf.constant(0.0)
        for octave, shape in enumerate(shapes):
            start = _resize(seed if together else tf.clip_by_value(image, 0, 1), shape)
            end, loss = self._climb(gradient, start, shifts[octave], step_size, max_loss)
            image += _resize(end - start, source.shape[:2])
        # Without a change of the overall colour, which would add up to a drift over hundreds of
        # frames.
        image = _less(image, _mean_colour(image - seed))
        return tf.clip_by_value(image, 0, 1) - source, loss

    def _gradient_function(
        self, octaves: int
    ) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        # Octaves side by side fill the cores without the halves' overlap.
        side_by_side = self._settings.schedule == "together" and octaves > 1
        return self._gradient_of_all if side_by_side else self._gradient_in_halves

    def _climb(
        self,
        gradient_of: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
        image: tf.Tensor,
        shifts: tf.Tensor,
        step_size: tf.Tensor,
        max_loss: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Take the steps of one octave; each is left out once the loss exceeds ``max_loss``."""
        normalize = NORMS[self._settings.gradient_norm]

        def step(count: tf.Tensor, image: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, ...]:
            shift = shifts[count]
            gradient, loss = gradient_of(tf.roll(image, shift, axis=(0, 1)))
            gradient = tf.roll(normalize(gradient), -shift, axis=(0, 1))
            length = tf.where(loss > max_loss, 0.0, step_size)
            return count + 1, tf.clip_by_value(image + length * gradient, 0, 1), loss

        _, image, loss = tf.while_loop(
            lambda count, image, loss: count < tf.shape(shifts)[0],
            step,
            (tf.constant(0), image, tf.constant(0.0)),
            parallel_iterations=1,
        )
        return image, loss

    def _gradient_in_halves(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return gradient and objective, computed in two halves that run side by side.

        The network's operations are too small for their threads to pay; halves of the picture are
        not. They overlap by exactly the positions that the objective's border crop leaves out, so
        that each position counts once and the halves' gradients add up to the whole; what a
        position near the middle misses of the other half is beyond the core of its receptive field.
        """
        axis = int(np.argmax(image.shape[:2]))
        length = image.shape[axis]
        across = min(image.shape[:2])
        if length < _HALVED_FROM * self._stride or across <= 2 * BORDER * self._stride:
            return self._gradient_of_all(image)
        middle = length // 2 // self._stride * self._stride
        begin, end = middle - BORDER * self._stride, middle + BORDER * self._stride
        first, loss_1 = self._gradient_of_part(_slice(image, axis, 0, end), axis, (0, 1))
        second, loss_2 = self._gradient_of_part(_slice(image, axis, begin, length), axis, (1, 0))
        share_1, share_2 = end / length, (length - begin) / length
        first, second = share_1 * first, share_2 * second
        both = _slice(first, axis, begin, end) + _slice(second, axis, 0, end - begin)
        parts = [
            _slice(first, axis, 0, begin),
            both,
            _slice(second, axis, end - begin, length - begin),
        ]
        return tf.concat(parts, axis), share_1 * loss_1 + share_2 * loss_2

    def _gradient_of_all(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._gradient_of_part(image, 0, (0, 0))

    def _gradient_of_part(
        self, image: tf.Tensor, axis: int, inner: tuple[int, int]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = self._loss(image, axis, inner)
        return tape.gradient(loss, image), loss

    def _loss(self, image: tf.Tensor, axis: int = 0, inner: tuple[int, int] = (0, 0)) -> tf.Tensor:
        """Return the objective of an image, or of a half of one.

        Args:
            image: float32 (height, width, 3).
            axis: The axis along which it was halved.
            inner: Which ends of this axis are inner ones: there, layers of a smaller stride lose
                what goes beyond the objective's own border crop.
        """
        activations = self._model(tf.expand_dims(image, 0), training=False)
        if not isinstance(activations, list | tuple):
            activations = [activations]
        cropped = {}
        for name, act in zip(self._objective.layers, activations, strict=True):
            finer = self._stride // self._strides[name]
            if finer > 1 and any(inner):
                # Masked, not sliced: the objective divides by the size.
                mask = np.ones(act.shape[axis + 1], np.float32)
                mask[: BORDER * finer * inner[0]] = 0
                mask[len(mask) - BORDER * finer * inner[1] :] = 0
                act *= mask.reshape([-1 if other == axis + 1 else 1 for other in range(4)])
            cropped[name] = act
        return self._objective(cropped)


def objective_of(settings: DreamSettings, spec: NetworkSpec) -> Objective:
    """Return what the settings want maximised.

    Raises:
        NetworkError: The network has no such layer or channel.
    """
    for target in settings.layer:
        channels = spec.layer(target.name).channels
        beyond = [channel for channel in target.channels if channel >= channels]
        if beyond:
            raise NetworkError(
                f"layer {target.name} of {spec.name} has no channel {beyond[0]}: "
                f"choose 0 to {channels - 1}"
            )
    terms: Sequence[Objective] = [
        LayerEnergy(target.name, target.weight, target.channels) for target in settings.layer
    ]
    return terms[0] if len(terms) == 1 else Sum(terms)


def _resize(image: tf.Tensor, shape: Shape) -> tf.Tensor:
    """Resize bilinearly, with antialiasing when shrinking."""
    if tuple(image.shape[:2]) == shape:
        return image
    return tf.image.resize(image, shape, antialias=shape[0] < image.shape[0])


def _slice(tensor: tf.Tensor, axis: int, begin: int, end: int) -> tf.Tensor:
    return tensor[(slice(None),) * axis + (slice(begin, end),)]


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
