"""Tries out how a film is to be dreamed, before anything takes long."""

from __future__ import annotations

from contextlib import closing

from stream_dream.errors import StreamDreamError
from stream_dream.film.execution.workers import Worker, WorkerEnded
from stream_dream.film.frame_loop import FrameGuide, make_ascent
from stream_dream.media.read.guide import GuideReader
from stream_dream.settings.dream import DreamSettings


def try_dream(dream: DreamSettings, *, apart: bool) -> None:
    """Build the network and show it its guide: what is wrong with them is said now.

    Args:
        dream: How to dream.
        apart: True to do it in a process of its own, so that nothing of it, such as the memory of a
            graphics processor, is held while others dream.

    Raises:
        SettingsError, NetworkError, SourceError: It cannot be done.
    """
    if apart:
        _try_apart(dream)
    else:
        _try(dream)


def _try(dream: DreamSettings, count: object = None) -> None:
    ascent = make_ascent(dream)
    with closing(GuideReader(dream.guide)) as guides:
        FrameGuide(ascent.guide, guides.images())


def _try_apart(dream: DreamSettings) -> None:
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
