"""What a live show is shown on, and told to."""

from __future__ import annotations

from typing import Protocol

from stream_dream.frame import Image8
from stream_dream.live.status import LiveStatus


class View(Protocol):
    """Takes every frame that is shown: a window, a page, a film.

    ``show`` is called by the show's own thread, frame after frame. It must return at once: what
    takes time happens in a thread of the view's own, which may leave frames out. It must not raise,
    whatever happens: a view that fails says so in ``problem`` and is closed; the show goes on.
    """

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), never changed afterwards; its size may."""

    @property
    def problem(self) -> str | None:
        """One line on why nothing can be shown any more; None while all is well."""

    def close(self) -> None:
        """End; calling it again does nothing. Returns within a second or two."""
