"""Tells a show when its next frame is due."""

from __future__ import annotations

# How much the last frame counts for in a mean.
_MEMORY = 0.2
# A camera that has lost no picture for so many frames is no faster than the show. Frames then come
# by this share earlier, until each is shown as soon as its picture is there.
_STEADY_FRAMES, _EARLIER = 25, 0.02


class FramePacer:
    """Keeps frames at even distances, at most at the rate that is wanted.

    It knows nothing of clocks: tell it the time, in seconds.

    Attributes:
        due: When the next frame is due; where its picture comes later, it is waited for.
        share: What there is for a frame where it is the ascents that set the rate.
    """

    def __init__(self, now: float) -> None:
        """Start with a frame that is due now."""
        self.due = now
        self.share = 0.0
        self._work = 0.0
        self._picture = 0
        self._steady = 0

    def expected(self, now: float, period: float) -> float:
        """Return when the frame after the one that begins now will be due."""
        return max(self.due + period, now + self.share)

    def shown(self, now: float, period: float, picture: int, *, work: float, share: float) -> None:
        """Say that a frame was shown, which decides on when the next one is due.

        Args:
            now: When it was shown.
            period: From a frame to the next, at the rate that is wanted.
            picture: The camera's number of its picture.
            work: What it took, without waiting.
            share: What there is for a frame between two ascents: where it is longer than the
                period, frames come at that distance.
        """
        self._work += _MEMORY * (work - self._work)
        self.share += _MEMORY * (share - self.share)
        repeated, follows = picture == self._picture, picture == self._picture + 1
        self._steady = self._steady + 1 if follows else 0
        self._picture = picture
        earliest = now
        if self.share > period:
            earliest = now + self.share - self._work
        elif not repeated:
            # One frame that came late does not delay those after it.
            earliest = now - period
        earlier = _EARLIER * period if self._steady > _STEADY_FRAMES else 0.0
        self.due = max(self.due + period - earlier, earliest)

    def pause(self, until: float) -> None:
        """Postpone what is due until then."""
        self.due = until
