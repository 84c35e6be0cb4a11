"""Tells a show when its next frame is due."""

from __future__ import annotations

# How much the last ascent counts for in the mean time of one.
_MEMORY = 0.2
# Of a frame's share in an ascent so much passes, after it is shown, before the next one begins: one
# that comes late leaves a core idle.
_EVENLY = 0.65
# A camera that has lost no picture for so many frames is no faster than the show. Frames then come
# by this share earlier, until each is shown as soon as its picture is there.
_STEADY_FRAMES, _EARLIER = 25, 0.02


class Beat:
    """Keeps frames at even distances, at most at the rate that is wanted.

    It knows nothing of clocks: tell it the time, in seconds.

    Attributes:
        due: When the next frame is due; where its picture comes later, it is waited for.
    """

    def __init__(self, now: float) -> None:
        """Begin with a frame that is due now."""
        self.due = now
        self._share = 0.0
        self._picture = 0
        self._steady = 0

    def expected(self, now: float, period: float) -> float:
        """Return when the frame after the one that begins now will be due."""
        return max(self.due + period, now + self._share)

    def shown(self, now: float, period: float, picture: int, share: float) -> None:
        """Say that a frame was shown, which decides on when the next one is due.

        Args:
            now: When it was shown.
            period: From a frame to the next, at the rate that is wanted.
            picture: The camera's number of its picture.
            share: What the last ascent took, divided by the frames that may be shown for one: where
                that is longer than the period, frames come at that distance.
        """
        self._share += _MEMORY * (share - self._share)
        self._steady = self._steady + 1 if picture == self._picture + 1 else 0
        self._picture = picture
        # A frame that came late does not delay those after it, but only one is made up for.
        earliest = now - period if self._share < period else now + _EVENLY * self._share
        earlier = _EARLIER * period if self._steady > _STEADY_FRAMES else 0.0
        self.due = max(self.due + period - earlier, earliest)

    def pause(self, until: float) -> None:
        """Let nothing be due until then."""
        self.due = until
