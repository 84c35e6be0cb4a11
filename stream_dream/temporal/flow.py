"""Optical flow: how things move from frame to frame.

The flow of a frame always points *from the current frame to the previous one*: a point at ``p`` now
was at ``p + flow(p)`` before.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow, Image8
from stream_dream.temporal.visibility import likeness, visibility
from stream_dream.temporal.warp import Warp

Number = TypeVar("Number", np.uint8, np.float32)


class Motion(NamedTuple):
    """Motion from the current frame to the previous one.

    Attributes:
        flow: float32 (height, width, 2), pixels.
        visible: Visibility mask, 1 where the previous frame shows the same point, else 0, with soft
            edges; float32 (height, width).
        alike: 1 where both frames look the same along the flow, 0 where they do not, and in
            between; float32 (height, width).
    """

    flow: Flow
    visible: NDArray[np.float32]
    alike: NDArray[np.float32]


class FlowEstimator:
    """Dense flow between neighbouring frames: DIS (Kroeger et al., 2016).

    The backward flow, needed for the visibility only, is estimated at half the size: a quarter of
    the time, and the smoother mask makes the dream calmer (measured).

    Call it with every frame, in order.
    """

    # DIS starts at a scale where its 8-pixel patches still fit; below this it reads past the image.
    _SMALLEST_SIDE = 32

    def __init__(self) -> None:
        """Create an estimator with no previous frame."""
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        # The preset's three more make no visible difference to a dream.
        self._dis.setVariationalRefinementIterations(2)
        self._finest_scale = self._dis.getFinestScale()
        self._previous: Image8 | None = None

    def reset(self, previous: Image8 | None = None) -> None:
        """Forget the previous frame, or replace it (uint8 RGB)."""
        self._previous = None if previous is None else _grey(previous)

    def __call__(self, image: Image8) -> Motion | None:
        """Return the motion from this frame, uint8 RGB, to the previous one, of the same size.

        None for the first frame.
        """
        current, previous = _grey(image), self._previous
        self._previous = current
        if previous is None:
            return None
        if min(current.shape) < self._SMALLEST_SIDE:
            return still(current.shape[:2])
        forward = flow = self._flow(current, previous)
        pixel = 1.0
        if min(current.shape) >= 2 * self._SMALLEST_SIDE:
            flow, pixel = _halved(forward) * np.float32(0.5), 0.5
            current, previous = _halved(current), _halved(previous)
        visible = visibility(flow, self._flow(previous, current), pixel=pixel)
        alike = likeness(current, previous, flow)
        size = forward.shape[1::-1]
        return Motion(forward, _enlarged(visible, size), _enlarged(alike, size))

    def _flow(self, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Flow:
        # Set each time: DIS chooses another scale for a small picture, and keeps it.
        self._dis.setFinestScale(self._finest_scale)
        # DIS starts from the flow it is given; zeros are its default.
        flow = np.zeros((*here.shape, 2), np.float32)
        return np.asarray(self._dis.calc(here, there, flow), np.float32)


def still(shape: tuple[int, ...]) -> Motion:
    """Return the zero motion for a picture of (height, width)."""
    height, width = shape[:2]
    everywhere = np.ones((height, width), np.float32)
    return Motion(np.zeros((height, width, 2), np.float32), everywhere, everywhere)


def _grey(image: Image8) -> NDArray[np.uint8]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)


def _halved(array: NDArray[Number]) -> NDArray[Number]:
    height, width = array.shape[:2]
    half = ((width + 1) // 2, (height + 1) // 2)
    return cv2.resize(array, half, interpolation=cv2.INTER_AREA).astype(array.dtype, copy=False)


def _enlarged(mask: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(mask, size), np.float32)


def chained(later: Motion, earlier: Motion) -> Motion:
    """Chain two motions: from the frame of ``later`` across the middle one to the first.

    ``flow(p) = later(p) + earlier(p + later(p))``; visible are points visible in both motions.
    """
    along = Warp(later.flow)
    return Motion(
        np.asarray(later.flow + along(earlier.flow), np.float32),
        np.asarray(later.visible * along(earlier.visible), np.float32),
        np.minimum(later.alike, along(earlier.alike)),
    )


def scaled(motion: Motion, shape: tuple[int, int]) -> Motion:
    """Scale a motion to a picture of (height, width)."""
    height, width = motion.flow.shape[:2]
    if (height, width) == shape:
        return motion
    size = shape[::-1]
    # With OpenCV: NumPy takes four times as long to multiply a last axis of two (measured).
    ratios = np.array([shape[1] / width, shape[0] / height, 0, 0])
    flow = cv2.resize(cv2.multiply(motion.flow, ratios), size)
    masks = _enlarged(motion.visible, size), _enlarged(motion.alike, size)
    return Motion(np.asarray(flow, np.float32), *masks)
