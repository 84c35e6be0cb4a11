"""The governor: hold the frame rate by the choice of the dream size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# Ratio of neighbouring sizes: a step changes the work by half, and is hardly visible.
_STEP = 1.25
_SMALLEST = 160
_MULTIPLE = 16
# Each size is traced for each octave of a look, and an ascent keeps a limited number of traces.
_MOST_SIZES = 8

# Share of the frame time in use: above the one frames are late, below the other there is room.
_TOO_SLOW = 1.0
_ROOM_ENOUGH = 0.88
_DOWN_AFTER = 0.6
_UP_AFTER = 4.0
# A size that proved too large within this time after its choice is not retried soon.
_REGRETTED_WITHIN = 15.0
_LONGEST_WAIT = 240.0
_MEMORY = 0.4


def ladder(largest: int) -> tuple[int, ...]:
    """Return the dream sizes to choose from (longer side in pixels), large to small."""
    sizes, size = [largest], largest / _STEP
    while size >= _SMALLEST and len(sizes) < _MOST_SIZES:
        sizes.append(round(size / _MULTIPLE) * _MULTIPLE)
        size /= _STEP
    return tuple(dict.fromkeys(sizes))


class Governor:
    """Chooses a size on a ladder: down quickly when frames are late, up slowly when there is room.

    It has no clock: callers pass the elapsed time.

    Attributes:
        sizes: The ladder, large to small.
        size: The dream size to use now, longer side in pixels.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        """Start in the middle of a ladder of dream sizes, large to small."""
        self.sizes = tuple(sizes)
        self.size = self.sizes[len(self.sizes) // 2]
        self._used: float | None = None
        self._late = self._roomy = 0.0
        self._since_up = float("inf")
        self._patience = _UP_AFTER

    def observe(
        self, used: float, passed: float, can: Callable[[int], bool] = lambda size: True
    ) -> None:
        """Record the load of a frame at the present size, and choose the size for the next one.

        Args:
            used: Share of the available time in use; above 1 the frame was late.
            passed: Seconds since the last call.
            can: Returns True for a size that can be dreamed.
        """
        share = min(1.0, passed / _MEMORY)
        if self._used is not None:
            used = self._used + share * (used - self._used)
        self._used = used
        self._since_up += passed
        place = self.sizes.index(self.size)
        larger = self.sizes[place - 1] if place > 0 else None
        self._late = self._late + passed if used > _TOO_SLOW else 0.0
        roomy = larger is not None and used * (larger / self.size) ** 2 < _ROOM_ENOUGH
        self._roomy = self._roomy + passed if roomy else 0.0
        if self._late > _DOWN_AFTER and place + 1 < len(self.sizes):
            regretted = self._since_up < _REGRETTED_WITHIN
            self._patience = min(2 * self._patience, _LONGEST_WAIT) if regretted else _UP_AFTER
            self._move(self.sizes[place + 1], can)
        elif larger is not None and self._roomy > self._patience:
            self._since_up = 0.0
            self._move(larger, can)

    def _move(self, size: int, can: Callable[[int], bool]) -> None:
        self._late = self._roomy = 0.0
        if not can(size):
            return
        if self._used is not None:
            self._used *= (size / self.size) ** 2
        self.size = size
