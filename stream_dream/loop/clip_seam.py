"""Makes a clip periodic: finds where it resembles itself, and fades its end into its beginning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import Flow, Image8
from stream_dream.image import fit_size, resize
from stream_dream.temporal.flow import FlowEstimator
from stream_dream.temporal.warp import warp

# Longer side of the pictures that are compared: enough to tell poses apart, blind to noise.
_COMPARED_SIDE = 32
# Frames are compared together with as many on both sides: what looks alike has to move alike.
_NEIGHBOURS = 2
# Longer side at which the motion between two faded frames is estimated.
_FLOW_SIDE = 640


class ClipSpan(NamedTuple):
    """A part of a clip that can go around.

    Attributes:
        start: First frame of the loop, the in-point.
        stop: The out-point: the frame behind the last, which looks like ``start``.
        apart: How far apart the two are, root mean square in levels of 255.
        crosses: True where there is a cut in it, or in what is faded in before it.
    """

    start: int
    stop: int
    apart: float
    crosses: bool


def signature(image: Image8) -> NDArray[np.float32]:
    """Return what frames are compared by: their colours, small, as one row of float32."""
    height, width = image.shape[:2]
    small = resize(image, fit_size((width, height), _COMPARED_SIDE))
    return small.astype(np.float32).reshape(-1)


def best_span(
    signatures: NDArray[np.float32], *, shortest: int, longest: int, fade: int, cuts: Sequence[int]
) -> ClipSpan:
    """Find the in-point and the out-point at which a clip looks and moves most alike.

    A pair of frames is as far apart as the mean squared difference over their neighbours and the
    frames before them, which are going to be faded into each other.

    Args:
        signatures: Of all frames, float32 (frames, values).
        shortest: Frames that the loop has at least.
        longest: Frames that it has at most.
        fade: Frames before the in-point that the loop's last ones are faded into.
        cuts: First frames of shots. No loop goes across one if there is another way.

    Raises:
        ValueError: The clip has no ``shortest + fade`` frames.

    Source:
        Schoedl, Szeliski, Salesin and Essa: Video textures (2000), section 3.
    """
    count = len(signatures)
    window = max(fade, _NEIGHBOURS)
    best: ClipSpan | None = None
    # The number of each frame's shot.
    shot = np.searchsorted(np.asarray(sorted(cuts)), np.arange(count + 1), side="right")
    for length in range(shortest, min(longest, count - fade) + 1):
        apart = np.square(signatures[length:] - signatures[: count - length]).mean(axis=1)
        starts = np.arange(fade, count - length + 1)
        # Sums over the window around each in-point, as far as there are frames.
        sums = np.concatenate([[0.0], np.cumsum(apart)])
        ends = np.minimum(starts + _NEIGHBOURS + 1, len(apart))
        begins = np.maximum(starts - window, 0)
        compared = np.maximum(ends - begins, 0)
        means = np.where(compared, (sums[ends] - sums[begins]) / np.maximum(compared, 1), np.inf)
        means = np.maximum(means, 0)
        crossing = shot[starts - fade] != shot[starts + length - 1]
        first = int(np.lexsort((means, crossing))[0])
        start, apart = int(starts[first]), float(means[first]) ** 0.5
        found = ClipSpan(start, start + length, apart, bool(crossing[first]))
        if best is None or (found.crosses, found.apart) < (best.crosses, best.apart):
            best = found
    if best is None:
        raise ValueError(f"{count} frames are too few for {shortest} and a fade of {fade}")
    return best


def faded(frames: Sequence[Image8], fade: int) -> list[Image8]:
    """Cross-fade a clip's end into its beginning along the optical flow.

    The loop begins with frame ``fade``. Its last frames turn step by step into the first ``fade``
    frames of the clip, which lead over to its beginning.

    Args:
        frames: uint8 RGB, all of one size, at least ``2 * fade``.
        fade: Frames to be faded; that many fewer come back.
    """
    body, tail = list(frames[fade : len(frames) - fade]), frames[len(frames) - fade :]
    mixed = [
        in_between(end, lead, (number + 1) / (fade + 1))
        for number, (end, lead) in enumerate(zip(tail, frames[:fade], strict=True))
    ]
    return body + mixed


def bounced(frames: Sequence[Image8]) -> list[Image8]:
    """Return the clip forwards and then backwards, neither end twice."""
    return [*frames, *frames[-2:0:-1]]


def in_between(first: Image8, second: Image8, share: float) -> Image8:
    """Return a picture on the way from one to another: what moves is moved and faded.

    ``(1 - share) * first(p + share * f(p)) + share * second(p + (1 - share) * b(p))``, where ``f``
    is the flow from ``second`` to ``first`` and ``b`` the one back, both only as far as they agree.

    Args:
        first: uint8 RGB, (height, width, 3).
        second: Same shape.
        share: 0 for the first, 1 for the second.
    """
    there, back = _agreeing_flow(second, first), _agreeing_flow(first, second)
    there, back = there * np.float32(share), back * np.float32(1 - share)
    start = warp(first.astype(np.float32), there, interpolation=cv2.INTER_CUBIC)
    end = warp(second.astype(np.float32), back, interpolation=cv2.INTER_CUBIC)
    mixed = (1 - share) * start + share * end
    return np.asarray(np.rint(np.clip(mixed, 0, 255)), np.uint8)


def _agreeing_flow(current: Image8, previous: Image8) -> Flow:
    """Return the flow at the pictures' size, fading to none where it cannot be trusted."""
    height, width = current.shape[:2]
    size = fit_size((width, height), _FLOW_SIDE)
    estimate = FlowEstimator()
    estimate.reset(resize(previous, size))
    motion = estimate(resize(current, size))
    assert motion is not None  # there is a previous frame
    trust = cv2.GaussianBlur(motion.visible * motion.alike, (0, 0), max(size) / 100)
    flow = cv2.resize(motion.flow * np.asarray(trust, np.float32)[..., None], (width, height))
    scale = np.array([width / size[0], height / size[1]], np.float32)
    return np.asarray(flow * scale, np.float32)
