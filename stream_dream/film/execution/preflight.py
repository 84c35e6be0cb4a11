"""Checks the network and the guide of a dream before a film is planned."""

from __future__ import annotations

from collections.abc import Sequence

from stream_dream.errors import StreamDreamError
from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.execution.workers import Worker, WorkerEnded
from stream_dream.film.frame_loop import opened_guides
from stream_dream.settings.dream import DreamSettings


def try_dream(looks: Sequence[DreamSettings], ascents: AscentCache, *, apart: bool) -> None:
    """Build the networks and show them their guides, so that errors in either are raised early.

    ``ascents`` keeps the networks for the dream.

    With ``apart``, do so in a process of its own, so that no memory, such as a GPU's, stays in use
    while workers dream.

    Raises:
        SettingsError, NetworkError, SourceError: A network or guide is invalid.
        StreamDreamError: The process ended.
    """
    if not apart:
        _try(looks, ascents)
        return
    worker = Worker()
    try:
        worker.do(_try_apart, looks)
    except WorkerEnded as ended:
        advice = ": dream smaller" if ended.killed else ""
        raise StreamDreamError(
            f"the process that tries out the dream {ended.how}{advice}"
        ) from None
    finally:
        worker.end(wait=True)


def _try_apart(looks: Sequence[DreamSettings], count: object) -> None:
    _try(looks, AscentCache())


def _try(looks: Sequence[DreamSettings], cache: AscentCache) -> None:
    ascents = cache.of_looks(looks)
    with opened_guides(looks) as guides:
        for number, reader in enumerate(guides):
            guide, image = ascents.of(number).guide, next(reader.images(), None)
            if guide is not None and image is not None:
                guide.show(image)
