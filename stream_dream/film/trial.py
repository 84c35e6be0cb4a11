"""Tries out how a film is to be dreamed, before anything takes long."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

from stream_dream.dreaming import Guided, make_ascent
from stream_dream.film.crew import begin_process
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
    if not apart:
        _try(dream)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        1, context, initializer=begin_process, initargs=(os.getpid(),)
    ) as pool:
        pool.submit(_try, dream).result()


def _try(dream: DreamSettings) -> None:
    ascent = make_ascent(dream)
    Guided(ascent.guide, dream.guide)
