"""The first convolution of a network, with its own gradient."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from stream_dream.frame import Shape


class ImageConvolution(keras.layers.Conv2D):  # type: ignore[misc]
    """``Conv2D`` with a bias and padding "same", for pictures; its weights cannot be trained.

    For so few channels oneDNN's gradient is slow, and its order of addition depends on the number
    of threads: one part in a million, but many steps of ascent turn it into another dream. Written
    as a convolution, the gradient takes half the time and is the same for any number of threads
    (measured).
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve pictures, (batch, height, width, channels)."""
        height, width = inputs.shape[1:3]
        if height is None or width is None:
            # The padding is not known before the call runs.
            return super().call(inputs)
        kernel, stride = tf.convert_to_tensor(self.kernel), int(self.strides[0])

        @tf.custom_gradient  # type: ignore[untyped-decorator]
        def convolved(pictures: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            def gradient(upstream: tf.Tensor) -> tf.Tensor:
                return _gradient(upstream, kernel, stride, (height, width))

            return tf.nn.conv2d(pictures, kernel, stride, "SAME"), gradient

        return self.activation(tf.nn.bias_add(convolved(inputs), self.bias))


def _gradient(upstream: tf.Tensor, kernel: tf.Tensor, stride: int, shape: Shape) -> tf.Tensor:
    """Return the gradient for the picture, given the gradient for the map.

    Row ``stride * q + a`` of the picture meets row ``k`` of the kernel in row ``q + t`` of the map
    where ``stride * t = a + before - k``, with ``before`` rows of padding above the picture. With
    the kernel padded such that ``k`` counts from a multiple of the stride, ``a`` is its remainder:
    for all ``a`` at once the gradient is a convolution of the map.

    Args:
        upstream: The gradient for the map, float32 (batch, rows, columns, maps).
        kernel: float32 (kernel, kernel, channels, maps).
        stride: Pixels per position of the map.
        shape: (height, width) of the picture.
    """
    length, _, channels, maps = kernel.shape
    taps, fronts, afters = 1, [], []
    for side, count in zip(shape, upstream.shape[1:3], strict=True):
        before = max(0, (count - 1) * stride + length - side) // 2
        front = -before % stride
        taps = max(taps, -(-(front + length) // stride))
        fronts.append(front)
        afters.append((before + front) // stride)
    filled = [(front, taps * stride - front - length) for front in fronts]
    parted = tf.reshape(
        tf.pad(kernel, [*filled, (0, 0), (0, 0)]), (taps, stride, taps, stride, channels, maps)
    )
    turned = tf.transpose(parted[::-1, :, ::-1], (0, 2, 5, 1, 3, 4))
    cells = tf.nn.conv2d(
        upstream,
        tf.reshape(turned, (taps, taps, maps, stride * stride * channels)),
        1,
        [(0, 0), *((taps - 1 - after, after) for after in afters), (0, 0)],
    )
    pictures = cells if stride == 1 else tf.nn.depth_to_space(cells, stride)
    return pictures[:, : shape[0], : shape[1]]
