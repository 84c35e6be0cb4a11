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

# Frames after which a place is no longer new.
GROWN_UP = 20
# What is new fades into what is not over so many pixels, standard deviation.
_AGE_BLUR = 4.0
# Smooth maps are computed at this fraction of the dream size.
_COARSER = 4
_AREA = cv2.INTER_AREA
# Cells along the longer side in which a dream is brought to the same strength, by gains up to
# this, and an energy far below that of any dream.
_CELLS, _MOST_GAIN, _LEAST_ENERGY = 12, 2.5, 1e-5


class Growth:
    """Keeps what of a dream moves along with its residual, and lets the residual grow.

    For every frame, at dream size,

        ``velocity = momentum * carry(velocity) + (1 - momentum) * change``
        ``age = min(1, visible * warp(age) + share / 20)``
        ``gain = (1 + catch_up * (1 - age)) * (usual energy / energy here) ** evenness``
        ``residual = carried + gain * velocity``

    where ``change`` is what the frame's ascent has found, ``energy`` the mean square of what has
    grown around a place, and ``share`` is 1 with an ascent a frame. Neither ``change`` nor
    ``carried`` alters the mean colour of large areas, and the last sum slows down near the limit
    (``tone.add_within``). What becomes of a frame without an ascent is its dreamer's to say:
    without a push the velocity stays as it is, and the last change goes on; a push of nothing lets
    it die away, and each change counts once.

    Attributes:
        settings: How it grows; may be replaced while it does.
        velocity: Change from frame to frame, float32 (height, width, 3); None where a shot begins.
        age: 0 where the picture is new, 1 where it has been seen for 20 frames, float32 (height,
            width); None where a shot begins.
    """

    def __init__(self, settings: DreamSettings) -> None:
        """Create a growth at rest.

        Args:
            settings: ``evenness``, ``catch_up`` and ``schedule`` are used.
        """
        self.settings = settings
        self.velocity: ImageF | None = None
        self.age: NDArray[np.float32] | None = None

    def reset(self) -> None:
        """Clear the state for a new shot."""
        self.velocity = self.age = None

    def begin(self, shape: tuple[int, int], *, finished: bool) -> None:
        """Initialise the age map of a new shot.

        Args:
            shape: (height, width).
            finished: True where its dream is finished: nothing is new.
        """
        self.age = np.full(shape, float(finished), np.float32)

    def move(self, carry: Carry, share: float = 1.0) -> None:
        """Move along with a frame's picture.

        Args:
            carry: Moves it.
            share: How much older it becomes, of a frame: less where ascents are rare.
        """
        if self.velocity is not None:
            self.velocity = carry(self.velocity, once=True)
        if self.age is not None:
            self.age = np.minimum(carry.warp_visible(self.age) + np.float32(share / GROWN_UP), 1)

    def push(self, change: ImageF | None, momentum: float) -> None:
        """Update the velocity by the change of an ascent.

        Args:
            change: Residual after the ascent less the one before, float32 (height, width, 3),
                which is changed in place; None for no change.
            momentum: Share of the velocity so far that stays, 0..1.
        """
        if change is None:
            if self.velocity is not None:
                self.velocity = self.velocity * np.float32(momentum)
            return
        if self.settings.schedule != "restore":
            without_large_areas(change, in_place=True)
        # In place, as all below: memory for a new picture takes longer than the sum (measured).
        before = change if self.velocity is None else self.velocity
        share = 0.0 if self.velocity is None else momentum
        self.velocity = change
        cv2.addWeighted(before, share, change, 1 - momentum, 0, dst=change)

    def grow(self, carried: ImageF, source: ImageF, room: Headroom | None) -> ImageF:
        """Return the residual of a frame.

        Args:
            carried: The residual of the frame before, moved here, float32 (height, width, 3); it is
                changed in place.
            source: The frame, same shape, in [0, 1].
            room: How large it may become; None for what stays in [0, 1].
        """
        if self.velocity is None:
            return carried
        if self.settings.schedule != "restore":
            # The room is not as wide on both sides: what comes of that must not add up either.
            without_large_areas(carried, in_place=True)
        gain = self._gain(carried)
        change = self.velocity
        if gain is not None:
            gains = cv2.merge([gain] * 3)
            change = np.asarray(cv2.multiply(change, gains, dst=gains), np.float32)
        if room is None:
            return np.asarray(np.clip(source + carried + change, 0, 1) - source, np.float32)
        return add_within(carried, change, room, in_place=True)

    def _gain(self, carried: ImageF) -> NDArray[np.float32] | None:
        """Return how much faster each place grows than usual, (height, width); None for nowhere."""
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
