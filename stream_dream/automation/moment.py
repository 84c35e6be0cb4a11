"""The settings of one frame, of one look or of two that fade into each other."""

from __future__ import annotations

from typing import NamedTuple

from stream_dream.camera_move import CameraMove
from stream_dream.frame import ImageF
from stream_dream.settings.dream import DreamSettings
from stream_dream.tone import Headroom, room_between, room_of

# Settings that are interpolated during a cross-fade: those that act between ascents.
_GLIDING = ("evenness", "catch_up", "momentum", "persistence")


class Fade(NamedTuple):
    """A cross-fade between two looks; ``before is after`` if there is none, ``share`` is 0..1."""

    before: DreamSettings
    after: DreamSettings
    share: float

    def growth(self) -> DreamSettings:
        """Return the settings of ``temporal``, interpolated."""
        if self.before is self.after:
            return self.after
        pairs = ((name, getattr(self.before, name), getattr(self.after, name)) for name in _GLIDING)
        values = {name: now + self.share * (then - now) for name, now, then in pairs}
        return self.after.model_copy(update=values)

    def room(self, source: ImageF) -> Headroom | None:
        """Return how far a picture, float32 (height, width, 3) in [0, 1], may be changed."""
        after = room_of(source, self.after.limit, grey=self.after.keep_colours)
        if self.before is self.after:
            return after
        before = room_of(source, self.before.limit, grey=self.before.keep_colours)
        return room_between(before, after, self.share, source)


class Moment(NamedTuple):
    """The settings of one frame.

    Attributes:
        look: Number of the look whose gradient an ascent follows.
        dream: Settings of that ascent.
        fade: The look, or the two that fade into each other.
        strength: How much of the dream is shown, 0..2.
        mask_strength: How far the mask holds the dream back, 0..1.
        push: How much closer the camera of a loop is, as a share of the distance.
        camera: How the camera of a journey moves from the frame before to this one.
    """

    look: int
    dream: DreamSettings
    fade: Fade
    strength: float = 1.0
    mask_strength: float = 1.0
    push: float = 0.0
    camera: CameraMove = CameraMove()

    @classmethod
    def still(cls, dream: DreamSettings) -> Moment:
        """Return a moment of a dream whose settings never change."""
        return cls(0, dream, Fade(dream, dream, 1.0))
