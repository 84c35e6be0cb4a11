"""Checks the network and the guide of a dream before a film is planned."""

from __future__ import annotations

from contextlib import closing

from stream_dream.errors import StreamDreamError
from stream_dream.film.execution.workers import Worker, WorkerEnded
from stream_dream.film.frame_loop import FrameGuide, make_ascent
from stream_dream.media.read.guide import GuideReader
from stream_dream.settings.dream import DreamSettings


def try_dream(dream: DreamSettings, *, apart: bool) -> None:
    """Build the network and show it the guide, so that errors in either are raised early.

    With ``apart``, do so in a process of its own, so that no memory, such as a GPU's, stays in use
    while workers dream.

    Raises:
        SettingsError, NetworkError, SourceError: The network or the guide is invalid.
        StreamDreamError: The process ended.
    """
    if not apart:
        _try(dream)
        return
    worker = Worker()
    try:
        worker.do(_try, dream)
    except WorkerEnded as ended:
        advice = ": dream smaller" if ended.killed else ""
        raise StreamDreamError(
            f"the process that tries out the dream {ended.how}{advice}"
        ) from None
    finally:
        worker.end(wait=True)


def _try(dream: DreamSettings, count: object = None) -> None:
    ascent = make_ascent(dream)
    with closing(GuideReader(dream.guide)) as guides:
        FrameGuide(ascent.guide, guides.images())
