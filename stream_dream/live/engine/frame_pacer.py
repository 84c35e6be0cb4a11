"""Schedule of a show's frames."""

from __future__ import annotations

# Weight of the last frame in running means.
_MEMORY = 0.2
# A camera without a dropped frame in the last ``_STEADY_FRAMES`` is no faster than the show. Frames
# then come earlier by the share ``_EARLIER``, until each is shown as soon as it is captured.
_STEADY_FRAMES, _EARLIER = 25, 0.02
# A camera at most this much slower than the show sets its beat: films of 24 a second in a show of
# 25 are shown as they are, without a repeated frame every second.
_IN_STEP = 1.05
# Its frames are waited for by this share of a period, longer than networks usually delay them.
_PATIENCE = 0.5


class FramePacer:
    """Keeps frames at even distances, at most at the target rate.

    A camera that is in step with the show, as fast or faster, is waited for a little. The rate does
    not depend on any other one, nor on one that sends nothing: frames are repeated on time.

    It has no clock: callers pass the time, in seconds.

    Attributes:
        due: When the next frame is due; from then on a new one is shown as soon as it is there.
        latest: When the last frame is to be repeated if none is there, not before ``due``.
        share: Mean time for a frame where ascents limit the rate.
    """

    def __init__(self, now: float) -> None:
        """Start with a frame that is due now."""
        self.due = self.latest = now
        self.share = 0.0
        self._work = 0.0
        self._picture = 0
        self._steady = 0

    def expected(self, now: float, period: float) -> float:
        """Return when the frame after the one that starts now will be due."""
        return max(self.due + period, now + self.share)

    def shown(
        self,
        now: float,
        period: float,
        picture: int,
        *,
        work: float,
        share: float,
        source: float | None,
    ) -> None:
        """Record that a frame was shown, and schedule the next one.

        Args:
            now: When it was shown.
            period: Time between frames at the target rate.
            picture: Number of its camera frame.
            work: Time that it took, without waiting.
            share: Time for a frame if ascents limit the rate; frames come at this distance where
                it exceeds the period.
            source: Time between the camera's frames; None while none come.
        """
        self._work += _MEMORY * (work - self._work)
        self.share += _MEMORY * (share - self.share)
        repeated, follows = picture == self._picture, picture == self._picture + 1
        self._steady = self._steady + 1 if follows else 0
        self._picture = picture
        beat = max(period, self.share)
        # A late frame does not delay those after it.
        earliest = now + self.share - self._work if self.share > period else now - period
        if source is None or source > _IN_STEP * beat:
            self.due = self.latest = max(self.latest + period, earliest)
            return
        earlier = _EARLIER * period if self._steady > _STEADY_FRAMES else 0.0
        self.due = max(self.due + period - earlier, earliest)
        if repeated:
            self.latest = max(self.latest + beat, self.due)
        else:
            self.latest = max(now + (1 + _PATIENCE) * max(beat, source), self.due)

    def pause(self, until: float) -> None:
        """Postpone the next frame until a time."""
        self.due = self.latest = until
