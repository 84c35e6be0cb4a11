"""The rate of a camera, and from when on it is missing or lost, from the times between frames."""

from __future__ import annotations

from collections import deque

# A camera is missing after so many of its periods without a frame, and lost after this long if
# that is longer.
_MISSING_PERIODS, _LEAST_MISSING = 3, 0.1
LOST_AFTER = 2.0
"""Shortest time without a frame, in seconds, after which a camera is lost."""

# The period is a mean over so long, and over so many intervals at least.
_MEASURED_SECONDS, _MEASURED_INTERVALS = 2.0, 4
# Two long pauses of about the same length, by this factor, are a slow camera.
_SAME = 2.0


class CameraRate:
    """Measures a camera's period; pauses and outages do not count.

    Attributes:
        period: Mean time between frames, in seconds; None before it is known.
    """

    def __init__(self) -> None:
        """Start without a frame."""
        self.period: float | None = None
        self._intervals: deque[float] = deque()
        self._last = 0.0

    @property
    def missing_after(self) -> float:
        """Time without a frame after which the camera is missing, in seconds."""
        if self.period is None:
            return LOST_AFTER
        return max(_MISSING_PERIODS * self.period, _LEAST_MISSING)

    @property
    def lost_after(self) -> float:
        """Time without a frame after which the camera is lost, in seconds."""
        return max(LOST_AFTER, _MISSING_PERIODS * (self.period or 0.0))

    def add(self, interval: float) -> None:
        """Count the time between two frames, in seconds."""
        last, self._last = self._last, interval
        intervals = self._intervals
        if interval >= self.lost_after and not last / _SAME <= interval <= last * _SAME:
            intervals.clear()  # an outage: the period is what it was, and is measured anew
            return
        intervals.append(interval)
        while len(intervals) > _MEASURED_INTERVALS and sum(intervals) > _MEASURED_SECONDS:
            intervals.popleft()
        # One pause says nothing about the others.
        regular = sum(intervals) - (max(intervals) if len(intervals) > 1 else 0.0)
        self.period = regular / max(1, len(intervals) - 1)
