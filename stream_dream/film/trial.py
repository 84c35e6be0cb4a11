"""Tries out how a film is to be dreamed, before anything takes long."""

from __future__ import annotations

from contextlib import closing
from multiprocessing.connection import Connection

from stream_dream.dreaming import Guided, make_ascent
from stream_dream.errors import StreamDreamError
from stream_dream.film.crew import begin_process, spawning, uninterrupted
from stream_dream.media.guide import GuideReader
from stream_dream.settings import DreamSettings


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


def _try(dream: DreamSettings) -> None:
    ascent = make_ascent(dream)
    with closing(GuideReader(dream.guide)) as guides:
        Guided(ascent.guide, guides.images())


def _try_apart(dream: DreamSettings) -> None:
    context = spawning()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(dream, sender), daemon=True)
    with uninterrupted():
        process.start()
    sender.close()
    try:
        problem: Exception | None = receiver.recv()
    except EOFError:
        process.join()
        raise StreamDreamError(
            "the process that tries out the dream was ended from outside, perhaps for lack of "
            "memory: dream smaller"
            if (process.exitcode or 0) < 0
            else "the process that tries out the dream could not be started"
        ) from None
    finally:
        process.kill()
        process.join()
    if problem is not None:
        raise problem


def _tell(dream: DreamSettings, sender: Connection) -> None:
    """Send what is wrong, in a process of its own."""
    begin_process()
    try:
        _try(dream)
    except Exception as error:
        sender.send(error)
    else:
        sender.send(None)
