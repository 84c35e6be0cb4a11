"""The gradient of an objective with respect to a picture, whole, in halves or in tiles."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from stream_dream.dream.objective import BORDER, Objective, Seen
from stream_dream.dream.tiling import (
    EVERYTHING,
    Bounds,
    Maps,
    Stretch,
    counted,
    counted_in_tile,
    part_axis,
    size_of,
)
from stream_dream.errors import NetworkError, SettingsError
from stream_dream.frame import ImageF

_ANY_IMAGE = tf.TensorSpec((None, None, 3), tf.float32)
# Pictures shorter than this, in strides, are not halved: the overlap would cost over a quarter.
_HALVED_FROM = 20
# No supported network needs larger pictures than this.
_LARGEST_MINIMUM = 512
_GRANULARITIES = (1, 2, 4, 8, 16, 32, 64, 128)


class Gradient:
    """Computes ``d objective / d image``, in a ``tf.function``.

    Attributes:
        stride: Image pixels per step of the coarsest map in use.
        smallest: Shortest side that the network takes, in pixels.
        granularity: Sides that the network takes are multiples of this, in pixels.
        of_any_size: ``whole``, traced once for pictures of all sizes.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: Objective,
        strides: Mapping[str, int],
        granularity: int | None = 1,
    ) -> None:
        """Create the gradient of an objective on a network's layers, in their order.

        Args:
            model: The network.
            objective: The objective to maximise.
            strides: Image pixels per step of each map.
            granularity: Sides must be multiples of this, in pixels; None to find it by trial.

        Raises:
            NetworkError: The network does not take pictures of all sizes.
        """
        self.stride = max(strides.values())
        self._model = model
        self._objective = objective
        self._strides = strides
        self.granularity = granularity or self._find_granularity()
        self.smallest = self._find_smallest()
        self._lost = self._find_lost()
        # In whole strides: the border crop plus what the network loses at borders.
        reach = max((lost / 2 + BORDER) * strides[name] for name, lost in self._lost.items())
        self._overlap = math.ceil(reach / self.stride) * self.stride
        self.of_any_size: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]] = tf.function(
            self.whole, autograph=False, input_signature=[_ANY_IMAGE]
        )
        numbers = tf.TensorSpec((4,), tf.float32)
        self._traced_tile = tf.function(
            self._of_tile, autograph=False, input_signature=[_ANY_IMAGE, numbers, numbers]
        )

    def loss(self, image: tf.Tensor) -> tf.Tensor:
        """Return the objective of an image, float32 (height, width, 3) in [0, 1]."""
        return self._losses(image[None], lambda maps: counted(maps, EVERYTHING))[0]

    def whole(self, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return gradient and objective of an image, float32 (height, width, 3) in [0, 1]."""
        gradients, losses = self.of_batch(image[None])
        return gradients[0], losses[0]

    def of_batch(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the gradients and the objectives, (batch,), of a batch of images."""
        return self._of_part(images, EVERYTHING)

    def in_halves(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the same as ``of_batch``, computed in two halves that run in parallel.

        Single operations of a network are too small to gain from threads; halves of the picture are
        not. Each half extends ``_overlap`` pixels beyond the middle and each position counts in one
        of them, so their gradients add up to the whole. What a position near the middle misses of
        the other half lies beyond the core of its receptive field. Small pictures are computed
        whole.
        """
        shape = images.shape[1:3]
        axis = int(np.argmax(shape))
        length, across = shape[axis], min(shape)
        overlap = self._overlap
        if length < _HALVED_FROM * self.stride or across <= 2 * overlap or self.granularity > 1:
            return self.of_batch(images)
        middle = length // 2 // self.stride * self.stride
        begin, end = middle - overlap, middle + overlap
        ends: list[Bounds] = [(None, None), (None, None)]
        parts = []
        for first, last, own in ((0, end, (None, middle)), (begin, length, (middle - begin, None))):
            ends[axis] = own
            halves, spans = _slice(images, axis, first, last), (ends[0], ends[1])
            parts.append(self._of_part(halves, spans, (shape[0], shape[1])))
        (first_part, losses_1), (second_part, losses_2) = parts
        joined = [
            _slice(first_part, axis, 0, begin),
            _slice(first_part, axis, begin, end) + _slice(second_part, axis, 0, end - begin),
            _slice(second_part, axis, end - begin, length - begin),
        ]
        return tf.concat(joined, axis + 1), losses_1 + losses_2

    def in_tiles(
        self, image: ImageF, tile: int, rng: np.random.Generator, jitter: int = 0
    ) -> tuple[ImageF, float]:
        """Return gradient and objective, computed tile by tile: memory grows with the tile only.

        Tiles overlap as halves do. Their grid is placed at random in each call, so no seam grows.

        Args:
            image: float32 (height, width, 3) in [0, 1].
            tile: Side of a tile in pixels.
            rng: Source of the grid's position.
            jitter: Largest shift of the network's own lattice, in pixels.

        Raises:
            SettingsError: Tiles are too small for the layers in use.
        """
        axes = [self._stretches(length, tile, jitter, rng) for length in image.shape[:2]]
        gradient = np.zeros_like(image)
        loss = 0.0
        for rows, columns in itertools.product(*axes):
            view = image[np.ix_(rows.indices, columns.indices)]
            part, share = self._traced_tile(
                tf.constant(view), tf.constant(rows.numbers), tf.constant(columns.numbers)
            )
            gradient[rows.pixels, columns.pixels] += part.numpy()[rows.inside, columns.inside]
            loss += float(share)
        return gradient, loss

    def _stretches(
        self, length: int, tile: int, jitter: int, rng: np.random.Generator
    ) -> list[Stretch]:
        unit = math.lcm(self.stride, self.granularity)
        smallest = -(-self.smallest // unit) * unit
        least = max(2 * self._overlap + self.stride, smallest)
        if tile < least:
            raise SettingsError(
                f"tiles of {tile} pixels are too small for the layers in use: give at least {least}"
            )
        origin = -int(rng.integers(0, 2 * jitter + 1))
        length -= origin
        side = max(smallest, min(tile // unit, -(-length // unit)) * unit)
        core = max(1, (side - 2 * self._overlap) // self.stride)
        first = int(rng.integers(1, core + 1)) * self.stride
        return part_axis(length, side, first, origin=origin, overlap=self._overlap)

    def _of_tile(
        self, image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        images = image[None]
        losses = self._losses(images, lambda maps: counted_in_tile(maps, rows, columns))
        return _derivative(losses, images)[0], losses[0]

    def _of_part(
        self,
        images: tf.Tensor,
        spans: tuple[Bounds, Bounds],
        whole: tuple[int, int] | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        losses = self._losses(images, lambda maps: counted(maps, spans, whole))
        return _derivative(losses, images), losses

    def _losses(self, images: tf.Tensor, mask_of: Callable[[Maps], tuple[Any, Any]]) -> tf.Tensor:
        """Return the objective of each image, or of a tile or half of each, (batch,).

        ``mask_of`` returns the mask of a map's positions that count, and the number of positions in
        the whole picture.
        """
        padded = self._padded(images)
        activations = keras.tree.flatten(self._model(padded, training=False))
        seen = {}
        for name, act in zip(self._objective.layers, activations, strict=True):
            if 0 in act.shape:
                raise NetworkError(f"a picture of {images.shape[1:3]} is too small for {name}")
            stride, lost = self._strides[name], self._lost[name]
            maps = Maps(size_of(act), size_of(padded), stride, lost)
            # Networks in half precision would lose small sums.
            seen[name] = Seen(tf.cast(act, tf.float32), *mask_of(maps))
        return self._objective(seen)

    def _padded(self, images: tf.Tensor) -> tf.Tensor:
        """Pad the far edges by reflection to multiples of the granularity."""
        if self.granularity == 1:
            return images
        beyond = -tf.shape(images)[1:3] % self.granularity
        return tf.pad(images, [[0, 0], [0, beyond[0]], [0, beyond[1]], [0, 0]], "SYMMETRIC")

    def _find_granularity(self) -> int:
        """Find the granularity: above 1 in networks that return to finer maps."""
        for granularity in _GRANULARITIES:
            # An odd multiple, large enough for networks that do not pad.
            multiple = granularity * (_LARGEST_MINIMUM // granularity + 1 | 1)
            image = tf.TensorSpec((1, multiple, multiple + 2 * granularity, 3), tf.float32)
            # Traced, as Keras' own symbolic calls accept joins of maps that do not fit.
            with contextlib.suppress(ValueError, tf.errors.OpError):
                tf.function(self._model, autograph=False).get_concrete_function(image)
                return granularity
        raise NetworkError(
            f"{self._model.name} cannot be dreamed: it does not take pictures of all sizes"
        )

    def _find_smallest(self) -> int:
        """Find the shortest side for which no map is empty, for networks that do not pad."""

        def works(side: int) -> bool:
            return self._maps_of(side, side) is not None

        sides = range(self.granularity, _LARGEST_MINIMUM + 1, self.granularity)
        if works(sides[0]):
            return sides[0]
        first = bisect.bisect_left(sides, True, key=works)
        if first == len(sides):
            raise NetworkError(
                f"{self._model.name} cannot be dreamed: it takes no picture of up to "
                f"{_LARGEST_MINIMUM} pixels a side"
            )
        return sides[first]

    def _find_lost(self) -> dict[str, int]:
        """Find how many positions a side of each map loses because the network does not pad."""
        unit = math.lcm(self.granularity, *self._strides.values())
        side = -(-_LARGEST_MINIMUM // unit) * unit
        maps = self._maps_of(side, side) or []
        sides = zip(self._objective.layers, maps, strict=False)
        lost = {name: side // self._strides[name] - shape[0] for name, shape in sides}
        return {name: max(0, lost.get(name, 0)) for name in self._objective.layers}

    def _maps_of(self, height: int, width: int) -> list[tuple[int, int]] | None:
        """Return (height, width) of all maps of a picture; None if its size does not work."""
        try:
            shapes = self._model.compute_output_shape((1, height, width, 3))
        except ValueError:
            return None
        shapes = shapes if isinstance(shapes, list) else [shapes]
        maps = [(int(shape[1]), int(shape[2])) for shape in shapes]
        return maps if all(min(shape) > 0 for shape in maps) else None


def _derivative(losses: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Return the gradient of each loss with respect to its image.

    Gradients that reach a tensor on several paths are added in pairs: TensorFlow adds three or more
    in an order that depends on timing, and rounding would make another dream each time.
    """
    in_pairs = tf.AggregationMethod.EXPERIMENTAL_TREE
    return tf.gradients(losses, images, aggregation_method=in_pairs)[0]


def _slice(images: tf.Tensor, axis: int, begin: int, end: int) -> tf.Tensor:
    """Return rows (axis 0) or columns (axis 1) ``begin`` to ``end`` of all images."""
    return images[(slice(None),) * (axis + 1) + (slice(begin, end),)]
