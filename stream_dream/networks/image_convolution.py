"""The first convolution of a network, with its own gradient."""

from __future__ import annotations

import keras
import tensorflow as tf

from stream_dream.frame import Shape

_GRADIENT = "StreamDreamImageConvolution"


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
        maps = tf.nn.conv2d(inputs, kernel, stride, "SAME")
        if not tf.executing_eagerly():
            # Not tf.custom_gradient: what it registers, the graph included, stays for ever.
            with tf.compat.v1.get_default_graph().gradient_override_map({"IdentityN": _GRADIENT}):
                maps = tf.identity_n([tf.stop_gradient(maps), inputs, kernel])[0]
        return self.activation(tf.nn.bias_add(maps, self.bias))


@tf.RegisterGradient(_GRADIENT)  # type: ignore[untyped-decorator]
def _gradients(operation: tf.Operation, upstream: tf.Tensor, *_: tf.Tensor) -> list[tf.Tensor]:
    """Return the gradients for the inputs of the operation: maps, pictures and kernel."""
    maps, pictures, kernel = operation.inputs
    # Padding "same": as many positions as steps that begin in the picture.
    shape = pictures.shape[1], pictures.shape[2]
    stride = max(-(-shape[0] // maps.shape[1]), -(-shape[1] // maps.shape[2]))
    return [None, _gradient(upstream, kernel, stride, shape), None]


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
