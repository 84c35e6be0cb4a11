"""The protocol of a show's views."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from stream_dream.frame import Image8
from stream_dream.live.status import LiveStatus


class View(Protocol):
    """Receives every frame that is shown: a window, a page, a recording.

    ``show`` is called by the show's own thread and must return at once: slow work happens in a
    thread of the view, which may leave frames out. It must not raise: a view that fails sets
    ``problem`` and is closed; the show goes on.
    """

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), never modified later; sizes may vary."""

    @property
    def problem(self) -> str | None:
        """One line on why nothing can be shown any more; None while all is well."""

    def close(self) -> None:
        """Stop, within a second or two; calling it again does nothing."""


@runtime_checkable
class SendingView(View, Protocol):
    """A view that sends frames to somebody, who may come and go.

    Attributes:
        name: Whom it sends to, without secrets.
        state: ``connecting``, ``sending`` or ``waiting``.
        message: Why it waits, for the operator; "" while it does not.
    """

    name: str
    state: str
    message: str
