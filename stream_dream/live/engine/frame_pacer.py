"""Schedule of a show's frames."""

from __future__ import annotations

# Weight of the last frame in running means.
_MEMORY = 0.2
# A camera without a dropped frame in the last ``_STEADY_FRAMES`` is no faster than the show. Frames
# then come earlier by the share ``_EARLIER``, until each is shown as soon as it is captured.
_STEADY_FRAMES, _EARLIER = 25, 0.02


class FramePacer:
    """Keeps frames at even distances, at most at the target rate.

    It has no clock: callers pass the time, in seconds.

    Attributes:
        due: When the next frame is due; a camera frame that arrives later is waited for.
        share: Mean time for a frame where ascents limit the rate.
    """

    def __init__(self, now: float) -> None:
        """Start with a frame that is due now."""
        self.due = now
        self.share = 0.0
        self._work = 0.0
        self._picture = 0
        self._steady = 0

    def expected(self, now: float, period: float) -> float:
        """Return when the frame after the one that starts now will be due."""
        return max(self.due + period, now + self.share)

    def shown(self, now: float, period: float, picture: int, *, work: float, share: float) -> None:
        """Record that a frame was shown, and schedule the next one.

        Args:
            now: When it was shown.
            period: Time between frames at the target rate.
            picture: Number of its camera frame.
            work: Time that it took, without waiting.
            share: Time for a frame if ascents limit the rate; frames come at this distance where
                it exceeds the period.
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
            # A late frame does not delay those after it.
            earliest = now - period
        earlier = _EARLIER * period if self._steady > _STEADY_FRAMES else 0.0
        self.due = max(self.due + period - earlier, earliest)

    def pause(self, until: float) -> None:
        """Postpone the next frame until a time."""
        self.due = until
