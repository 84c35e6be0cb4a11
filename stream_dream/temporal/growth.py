"""Grow the dream from frame to frame: momentum, age, evenness, and a soft limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from stream_dream.frame import ImageF
from stream_dream.image import fit_size
from stream_dream.settings.dream import DreamSettings
from stream_dream.tone import Headroom, add_within, without_large_areas

if TYPE_CHECKING:
    from stream_dream.temporal.carry import Carry

# Frames after which a point is no longer new.
GROWN_UP = 20
# Blur between new and old areas, standard deviation in pixels.
_AGE_BLUR = 4.0
# Smooth maps are computed at this fraction of the dream size.
_COARSER = 4
_AREA = cv2.INTER_AREA
# Cells along the longer side over which a dream's strength is evened, the largest gain, and an
# energy far below that of any dream.
_CELLS, _MOST_GAIN, _LEAST_ENERGY = 12, 2.5, 1e-5


def next_velocity(velocity: ImageF | None, change: ImageF | None, momentum: float) -> ImageF | None:
    """Return ``momentum * velocity + (1 - momentum) * change``, or the first change.

    Args:
        velocity: The previous velocity, float32 (height, width, 3); None before the first change.
        change: Residual after an ascent less the one before, same shape, modified in place; None
            for no change.
        momentum: Share of the previous velocity that stays, 0..1.
    """
    if change is None:
        return None if velocity is None else velocity * np.float32(momentum)
    if velocity is None:
        change *= np.float32(1 - momentum)
    else:
        # In place: allocating a new picture takes longer than the sum (measured).
        cv2.addWeighted(velocity, momentum, change, 1 - momentum, 0, dst=change)
    return change


class Growth:
    """Grows the residual along a velocity, and carries the velocity and age of a dream.

    For every frame, at dream size,

        ``velocity = momentum * carry(velocity) + (1 - momentum) * change``
        ``age = min(1, visible * warp(age) + share / 20)``
        ``gain = (1 + catch_up * (1 - age)) * (usual energy / energy here) ** evenness``
        ``residual = carried + gain * velocity``

    where ``change`` is the result of the frame's ascent, ``energy`` the mean square of the residual
    around a point, and ``share`` is 1 with one ascent per frame. Neither ``change`` nor ``carried``
    alters the mean colour of large areas, and the last sum slows down near the limit
    (``tone.add_within``). The dreamer decides about frames without an ascent: without ``push`` the
    last change continues; ``push(None)`` makes it decay, so that each change counts once.

    Attributes:
        settings: May be replaced at any time.
        velocity: Change per frame, float32 (height, width, 3); None where a shot starts.
        age: 0 where the picture is new, 1 where it has been seen for 20 frames, float32 (height,
            width); None where a shot starts.
    """

    def __init__(self, settings: DreamSettings) -> None:
        """Create a growth at rest; ``evenness``, ``catch_up`` and ``schedule`` are used."""
        self.settings = settings
        self.velocity: ImageF | None = None
        self.age: NDArray[np.float32] | None = None

    def reset(self) -> None:
        """Clear the state for a new shot."""
        self.velocity = self.age = None

    def begin(self, shape: tuple[int, int], *, finished: bool) -> None:
        """Initialise the age map of a new shot; with a finished first dream no point is new."""
        self.age = np.full(shape, float(finished), np.float32)

    def move(self, carry: Carry, share: float = 1.0) -> None:
        """Carry the velocity and the age to the next frame.

        Args:
            carry: The carry to that frame.
            share: Increase of the age in frames: below 1 where ascents are rare.
        """
        if self.velocity is not None:
            self.velocity = carry(self.velocity, once=True)
        if self.age is not None:
            self.age = np.minimum(carry.warp_visible(self.age) + np.float32(share / GROWN_UP), 1)

    def push(self, change: ImageF | None, momentum: float) -> None:
        """Update the velocity by the change of an ascent.

        Args:
            change: Residual after the ascent less the one before, float32 (height, width, 3),
                modified in place; None for no change.
            momentum: Share of the previous velocity that stays, 0..1.
        """
        if change is not None and self.settings.schedule != "restore":
            without_large_areas(change)
        self.velocity = next_velocity(self.velocity, change, momentum)

    def grow(self, carried: ImageF, source: ImageF, room: Headroom | None) -> ImageF:
        """Return the residual of a frame.

        Args:
            carried: The carried residual, float32 (height, width, 3), modified in place.
            source: The frame, same shape, in [0, 1].
            room: Limits of the residual; None to clip the dream to [0, 1].
        """
        if self.velocity is None:
            return carried
        if self.settings.schedule != "restore":
            # The limits differ up and down, which must not shift large areas from frame to frame.
            without_large_areas(carried)
        gain = self._gain(carried)
        change = self.velocity
        if gain is not None:
            gains = cv2.merge([gain] * 3)
            change = np.asarray(cv2.multiply(change, gains, dst=gains), np.float32)
        if room is None:
            return np.asarray(np.clip(source + carried + change, 0, 1) - source, np.float32)
        return add_within(carried, change, room)

    def _gain(self, carried: ImageF) -> NDArray[np.float32] | None:
        """Return the gain of each point, (height, width); None for 1 everywhere."""
        settings, (height, width) = self.settings, carried.shape[:2]
        # Smooth maps: computed small.
        small = max(1, width // _COARSER), max(1, height // _COARSER)
        gain = None
        if settings.evenness:
            cells = fit_size((width, height), _CELLS)
            squares = cv2.resize(np.square(carried), cells, interpolation=_AREA)
            energies = squares.reshape(*cells[::-1], 3).sum(axis=-1) + _LEAST_ENERGY
            gains = (np.median(energies) / energies) ** settings.evenness
            gain = cv2.resize(np.clip(gains, 1 / _MOST_GAIN, _MOST_GAIN), small)
        if settings.catch_up and self.age is not None and self.age.min() < 1:
            age = cv2.resize(self.age, small, interpolation=_AREA)
            new = 1 - cv2.GaussianBlur(age, (0, 0), _AGE_BLUR / _COARSER)
            faster = 1 + settings.catch_up * new
            gain = faster if gain is None else gain * faster
        if gain is None:
            return None
        return np.asarray(cv2.resize(gain.astype(np.float32), (width, height)), np.float32)
