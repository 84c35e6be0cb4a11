"""Gradient ascent on one frame: all octaves and steps in a single TensorFlow call."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from stream_dream.dream.build import assign_weights, build_gradient
from stream_dream.dream.graph_ascent import GradientFunction, adding_up, climb, restoring
from stream_dream.dream.iterative_ascent import IterativeAscent, tile_of
from stream_dream.dream.normalize import normalizer, palettes_of
from stream_dream.dream.octaves import step_share, workable_shapes
from stream_dream.dream.tf_threads import has_gpu, use_cores
from stream_dream.frame import ImageF, Shape
from stream_dream.runtime.scheduling import SpareTime
from stream_dream.settings.dream import DreamSettings

VARYING = ("colours", "evenness", "weights")
"""Settings that are constants of a trace unless an ascent is told that they vary; weights are those
of layers, classes and guides."""

# Traces that are kept, the last used: each holds memory, and an installation runs for days.
TRACES_KEPT = 32
# Size of the batch, (height, width) of its images, and those of their octaves.
_Traced = tuple[int, Shape, tuple[Shape, ...]]
# Alignment that TensorFlow requires of the memory it computes on, in bytes.
_ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Start:
    """Where the ascent on one frame starts.

    Attributes:
        source: The source frame at dream size, float32 (height, width, 3) in [0, 1].
        carried: The carried residual, float32, same shape, in [-1, 1].
        index: Number of the ascent in its shot; chooses the octave of schedule ``rotate``.
        rng: Source of the jitter.
    """

    source: ImageF
    carried: ImageF
    index: int
    rng: np.random.Generator

    @property
    def shape(self) -> Shape:
        """(height, width) of the frame."""
        return self.source.shape[0], self.source.shape[1]


class Ascended(NamedTuple):
    """Result of the ascent on one frame.

    Attributes:
        residual: Dream minus source, float32 (height, width, 3) in [-1, 1]; may be read-only.
        loss: Objective before the last step of the finest octave dreamed.
    """

    residual: ImageF
    loss: float


class Ascent:
    """Grow the residual of one frame by gradient ascent.

    Each image and batch size is traced once. Settings that change between frames need no new trace
    if their numbers are tensors: ``step_size`` and ``jitter`` always, and those named in
    ``varying``. Each number of octaves has a trace of its own.

    Attributes:
        traces: How many times TensorFlow has traced the ascent.
        guide: The guide, which needs a picture before the first frame; None without one.
        spare: Marks when the ascent leaves a core idle: with parallel octaves on a CPU once only
            the finest is left, otherwise during the whole call.
    """

    def __init__(
        self,
        settings: DreamSettings,
        varying: Collection[str] = (),
        *,
        spare: SpareTime | None = None,
    ) -> None:
        """Build the network up to the deepest layer in use.

        Args:
            settings: Settings of the dream; each call may have others.
            varying: Names of settings that differ from call to call: any of ``VARYING``.
            spare: Shared with other ascents; an own one by default.

        Raises:
            NetworkError: There is no such network, layer or channel.
        """
        # Parallel octaves or halves fill the other cores, which leaves room for decoding and flow.
        use_cores(share=0.5)
        self.traces = 0
        self.spare = spare or SpareTime()
        self._settings = self._shown = settings
        self._gradient, self.guide, self._weights = build_gradient(
            settings, varying="weights" in varying
        )
        self._tones = {
            name: tf.Variable(getattr(settings, name), trainable=False, dtype=tf.float32)
            for name in ("colours", "evenness")
            if name in varying
        }
        self._iterative = IterativeAscent(settings, self._gradient, toned=False)
        # Those that have run, in the order of their last use.
        self._functions: OrderedDict[_Traced, tf.types.experimental.ConcreteFunction] = (
            OrderedDict()
        )
        self._keeping = threading.Lock()

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings | None = None,
    ) -> Ascended:
        """Ascend from ``clip(source + carried)``; for the arguments see ``Start``.

        ``settings`` are those of this frame; the ascent's own by default.
        """
        start = Start(source, carried, index, rng)
        if self.is_tiled(start.shape):
            return self._ascend_in_tiles(start, settings or self._settings)
        return self.ascend_all([start], settings=settings)[0]

    def begin(
        self,
        source: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings | None = None,
    ) -> ImageF:
        """Return the first residual of a shot: a finished dream, like that of a still.

        Each octave, from small to large, takes ``warm_up`` times the steps of a frame: creatures
        nest in creatures. ``index`` is ignored, as all octaves are dreamed.
        """
        self.spare.begin()
        settings = settings or self._settings
        self._show(settings)
        if settings.schedule in ("together", "rotate"):
            settings = settings.model_copy(update={"schedule": "all"})
        image, shapes = source, workable_shapes(source.shape[:2], settings, self._gradient)
        for step in IterativeAscent(settings, self._gradient)(source, shapes, rng, finished=True):
            image = step.image
        return np.clip(image, 0, 1) - source

    def ascend_all(
        self, starts: Sequence[Start], batch: int = 1, settings: DreamSettings | None = None
    ) -> list[Ascended]:
        """Ascend from several starts in one TensorFlow call, each as if it were alone.

        Args:
            starts: Of one shape and with the same ``octaves``; each rng is drawn from once.
            batch: Size of the batch, if larger than the number of starts; each size is traced
                once.
            settings: Settings of all starts; the ascent's own by default.

        Raises:
            ValueError: The starts differ in shape or octaves.
        """
        settings = settings or self._settings
        kinds = {
            (start.shape, self.octaves(start.shape, start.index, settings.octaves))
            for start in starts
        }
        if len(kinds) != 1:
            raise ValueError(f"{len(starts)} starts have {len(kinds)} combinations of octaves")
        self._show(settings)
        return self._run(starts, kinds.pop()[1], max(batch, len(starts)), settings)

    def octaves(self, shape: Shape, index: int, count: int | None = None) -> tuple[Shape, ...]:
        """Return (height, width) of the octaves at which ascent ``index`` of a shot is dreamed.

        ``count`` is the number of octaves; that of the settings by default.
        """
        turns = self._turns(shape, count or self._settings.octaves)
        return turns[index % len(turns)]

    def is_tiled(self, shape: Shape) -> bool:
        """Return True if images of (height, width) are dreamed tile by tile."""
        return tile_of(self._settings, shape) is not None

    def is_ready(self, shape: Shape, octaves: int) -> bool:
        """Return True if nothing is left to ``prepare`` for images of (height, width)."""
        return self.is_tiled(shape) or all(
            (1, shape, shapes) in self._functions for shapes in self._turns(shape, octaves)
        )

    def prepare(self, shape: Shape, octaves: int) -> None:
        """Trace the ascent for images of (height, width) and run it once.

        Does nothing for images that are dreamed in tiles. May be called from another thread than
        the dreaming one.
        """
        if self.is_tiled(shape):
            return
        nothing = np.zeros((*shape, 3), np.float32)
        start = Start(nothing, nothing, 0, np.random.default_rng(0))
        for shapes in self._turns(shape, octaves):
            if (1, shape, shapes) not in self._functions:
                self._run([start], shapes, 1, self._settings)

    def loss(self, image: ImageF) -> float:
        """Return the objective of an image, float32 RGB in [0, 1] of any size."""
        return float(self._gradient.loss(tf.constant(image)))

    def gradients(self, images: Sequence[ImageF | tf.Tensor]) -> list[tf.Tensor]:
        """Return the plain gradient of the objective for the image of each octave.

        Call it within a ``tf.function``; the gradients are computed as in the ascent of a frame.
        """
        gradient = self._gradient_function(len(images))
        return [gradient(tf.convert_to_tensor(image)[None])[0][0] for image in images]

    def _show(self, settings: DreamSettings) -> None:
        """Assign the numbers of a frame's settings to the variables of the traces."""
        if settings is self._shown:
            return
        self._shown = settings
        for name, variable in self._tones.items():
            variable.assign(getattr(settings, name))
        if self._weights:
            assign_weights(self._weights, self._settings, settings)

    def _run(
        self,
        starts: Sequence[Start],
        shapes: tuple[Shape, ...],
        batch: int,
        settings: DreamSettings,
    ) -> list[Ascended]:
        jitter, shape = min(settings.jitter, max(starts[0].shape)), starts[0].shape
        steps = (len(shapes), settings.steps, 2)
        shifts = [start.rng.integers(-jitter, jitter + 1, steps) for start in starts]
        # Not constants of a trace: they depend on the settings' number of octaves, which changes.
        lengths = [settings.step_size * step_share(octave, shape, settings) for octave in shapes]
        arguments = {
            "sources": _as_tensor(_stacked([start.source for start in starts], batch)),
            "carried": _as_tensor(_stacked([start.carried for start in starts], batch)),
            "shifts": tf.constant(_stacked(shifts, batch).astype(np.int32)),
            "step_sizes": tf.constant(lengths, tf.float32),
            "max_loss": tf.constant(settings.max_loss or np.inf, tf.float32),
        }
        traced = batch, shape, shapes
        function = self._functions.get(traced) or self._trace(*traced)
        if not self._tells_of_spare_time(shapes):
            self.spare.begin()
        try:
            residuals, losses = function(**arguments)
        finally:
            self.spare.end()
        self._keep(traced, function)
        # ``asarray`` shares the tensor's memory: no copy, but read-only.
        found = zip(starts, np.asarray(residuals), losses.numpy(), strict=False)
        return [Ascended(residual, float(loss)) for _, residual, loss in found]

    def _keep(self, traced: _Traced, function: tf.types.experimental.ConcreteFunction) -> None:
        """Keep a function that has just run, and drop the one that has not run for longest."""
        with self._keeping:
            self._functions[traced] = function
            self._functions.move_to_end(traced)
            while len(self._functions) > TRACES_KEPT:
                self._functions.popitem(last=False)

    def _ascend_in_tiles(self, start: Start, settings: DreamSettings) -> Ascended:
        """Ascend in tiles: a single TensorFlow call would need memory for the whole picture."""
        self.spare.begin()
        self._show(settings)
        iterative = self._iterative  # members of a batch may be at work at the same time
        if settings != iterative.settings:
            self._iterative = iterative = IterativeAscent(settings, self._gradient, toned=False)
        shapes = self.octaves(start.shape, start.index, settings.octaves)
        loss, seed = 0.0, np.clip(start.source + start.carried, 0, 1)
        image = seed
        for step in iterative(seed, shapes, start.rng, source=start.source):
            image, loss = step.image, step.loss
        return Ascended(np.clip(image, 0, 1) - start.source, loss)

    def _turns(self, shape: Shape, octaves: int) -> tuple[tuple[Shape, ...], ...]:
        """Return the octaves of each frame of the schedule's cycle."""
        shapes = workable_shapes(shape, self._settings, self._gradient, octaves)
        if self._settings.schedule == "rotate":
            return tuple((shape,) for shape in shapes)
        return (shapes,)

    def _trace(
        self, batch: int, shape: Shape, shapes: tuple[Shape, ...]
    ) -> tf.types.experimental.ConcreteFunction:
        images = tf.TensorSpec((batch, *shape, 3), tf.float32)
        number = tf.TensorSpec((), tf.float32)
        numbers = tf.TensorSpec((len(shapes),), tf.float32)
        shifts = tf.TensorSpec((batch, len(shapes), None, 2), tf.int32)
        return tf.function(partial(self._ascend, shapes), autograph=False).get_concrete_function(
            sources=images, carried=images, shifts=shifts, step_sizes=numbers, max_loss=number
        )

    def _ascend(
        self,
        shapes: tuple[Shape, ...],
        sources: tf.Tensor,
        carried: tf.Tensor,
        shifts: tf.Tensor,
        step_sizes: tf.Tensor,
        max_loss: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Run gradient ascent on all octaves from ``clip(sources + carried)``; called once a trace.

        Returns:
            The residuals, clipped so that the dream stays in [0, 1]; and the losses.
        """
        self.traces += 1
        gradient = self._gradient_function(len(shapes))
        normalize, schedule = normalizer(self._settings, **self._tones), self._settings.schedule
        palettes = palettes_of(sources)
        done: list[tf.Tensor] = []

        def climb_octave(octave: int, starts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images, losses = climb(
                gradient,
                starts,
                palettes,
                shifts[:, octave],
                step_sizes[octave],
                max_loss,
                normalize=normalize,
                clipped=schedule != "restore",
            )
            done.append(losses)
            if len(done) == len(shapes) - 1 and self._tells_of_spare_time(shapes):
                tf.numpy_function(_teller(self.spare), done, [])
            return images, losses

        # Clipped, or the residual would grow beyond what can be shown.
        seeds = tf.clip_by_value(sources + carried, 0, 1)
        if schedule == "restore":
            images, losses = restoring(climb_octave, seeds, shapes)
        else:
            together = schedule == "together"
            images, losses = adding_up(climb_octave, seeds, shapes, together=together)
        return tf.clip_by_value(images, 0, 1) - sources, losses

    def _gradient_function(self, octaves: int) -> GradientFunction:
        # Parallel octaves fill the cores without the overlap that halves cost.
        side_by_side = self._side_by_side(octaves)
        return self._gradient.of_batch if side_by_side else self._gradient.in_halves

    def _side_by_side(self, octaves: int) -> bool:
        return self._settings.schedule == "together" and octaves > 1

    def _tells_of_spare_time(self, shapes: tuple[Shape, ...]) -> bool:
        """Return True if a core falls idle during a call, not from its start as with a GPU."""
        return self._side_by_side(len(shapes)) and not has_gpu()


def _teller(spare: SpareTime) -> Callable[..., None]:
    """Return a function that begins spare time, for ``tf.numpy_function``, which keeps it for ever.

    Its arguments are losses, so that they are computed first.
    """
    found = weakref.ref(spare)

    def begin(*losses: NDArray[np.float32]) -> None:
        known = found()
        if known is not None:
            known.begin()

    return begin


def _stacked(arrays: Sequence[NDArray[Any]], batch: int) -> NDArray[Any]:
    """Stack arrays to a batch of that size, repeating the last one."""
    if batch == 1:
        return arrays[0][None]
    return np.stack([*arrays, *[arrays[-1]] * (batch - len(arrays))])


def _as_tensor(array: NDArray[np.float32]) -> tf.Tensor:
    """Convert an array to a tensor, without a copy where its memory layout allows."""
    flags = array.flags
    if flags.c_contiguous and flags.writeable and array.ctypes.data % _ALIGNMENT == 0:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
