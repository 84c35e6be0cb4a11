"""Makes a clip periodic: finds the best loop points and cross-fades its end into its start."""

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

# Longer side at which frames are compared: enough to tell poses apart, blind to noise.
_COMPARED_SIDE = 32
# Neighbours on each side that are compared as well: frames must look and move alike.
_NEIGHBOURS = 2
# Longer side at which the motion between two faded frames is estimated.
_FLOW_SIDE = 640


class ClipSpan(NamedTuple):
    """Part of a clip that can be looped.

    Attributes:
        start: In-point, the first frame of the loop.
        stop: Out-point, the frame after the last; it resembles ``start``.
        apart: Root mean square difference of the two, in levels of 255.
        crosses: True if it, or the frames that are faded in before it, contain a cut.
    """

    start: int
    stop: int
    apart: float
    crosses: bool


def signature(image: Image8) -> NDArray[np.float32]:
    """Return a scaled-down frame as one row of float32, for comparisons."""
    height, width = image.shape[:2]
    small = resize(image, fit_size((width, height), _COMPARED_SIDE))
    return small.astype(np.float32).reshape(-1)


def best_span(
    signatures: NDArray[np.float32], *, shortest: int, longest: int, fade: int, cuts: Sequence[int]
) -> ClipSpan:
    """Find the in-point and the out-point at which a clip looks and moves most alike.

    Compares two frames by the mean squared difference over their neighbours and over the frames
    before them, which are cross-faded later.

    Args:
        signatures: Of all frames, float32 (frames, values).
        shortest: Minimum frames of the loop.
        longest: Maximum frames of the loop.
        fade: Frames before the in-point that the loop's last ones are faded into.
        cuts: First frames of shots. The loop crosses one only if there is no other.

    Raises:
        ValueError: The clip has fewer than ``shortest + fade`` frames.

    Source:
        Schoedl, Szeliski, Salesin and Essa: Video textures (2000), section 3.
    """
    count = len(signatures)
    window = max(fade, _NEIGHBOURS)
    best: ClipSpan | None = None
    # Number of each frame's shot.
    shot = np.searchsorted(np.asarray(sorted(cuts)), np.arange(count + 1), side="right")
    for length in range(shortest, min(longest, count - fade) + 1):
        apart = np.square(signatures[length:] - signatures[: count - length]).mean(axis=1)
        starts = np.arange(fade, count - length + 1)
        # Sums over the window around each in-point, clipped to the clip.
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

    The loop starts with frame ``fade``. Its last frames fade into the first ``fade`` frames of the
    clip, which lead up to its start.

    Args:
        frames: uint8 RGB, all of one size, at least ``2 * fade``.
        fade: Number of frames to fade; the result is shorter by as many.
    """
    body, tail = list(frames[fade : len(frames) - fade]), frames[len(frames) - fade :]
    mixed = [
        in_between(end, lead, (number + 1) / (fade + 1))
        for number, (end, lead) in enumerate(zip(tail, frames[:fade], strict=True))
    ]
    return body + mixed


def bounced(frames: Sequence[Image8]) -> list[Image8]:
    """Return the clip forwards and then backwards, without repeating its ends."""
    return [*frames, *frames[-2:0:-1]]


def in_between(first: Image8, second: Image8, share: float) -> Image8:
    """Interpolate between two pictures along the optical flow.

    ``(1 - share) * first(p + share * f(p)) + share * second(p + (1 - share) * b(p))``, where ``f``
    is the flow from ``second`` to ``first`` and ``b`` the one back, both zero where they disagree.

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
    """Return the flow at the pictures' size, faded to zero where it is unreliable."""
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
