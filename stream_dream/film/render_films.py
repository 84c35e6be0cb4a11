"""Renders several films into a folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.in_chunks import goes_in_chunks, render_film
from stream_dream.film.one_piece import render
from stream_dream.film.queued_films import QueuedFilm, list_films
from stream_dream.film.render_queue import (
    QueueEvents,
    QueueSummary,
    Rendered,
    RenderQueue,
    prepare_folder,
)
from stream_dream.film.request import RenderRequest
from stream_dream.runtime.cancel import cancellable
from stream_dream.runtime.progress import Progress, ignore_progress
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.recipe import Recipe


@cancellable
def render_films(
    inputs: Sequence[Path | str],
    folder: Path | str,
    dream: DreamSettings,
    output: OutputSettings,
    film: FilmSettings | None = None,
    automation: Automation | None = None,
    *,
    suffix: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    recipe: Recipe | None = None,
    events: QueueEvents | None = None,
    on_progress: Callable[[Progress], None] = ignore_progress,
    cancel: threading.Event | None = None,
) -> QueueSummary:
    """Render several films, long ones in chunks, with the network built once.

    A film that fails is noted in the summary, and the rest go on.

    Args:
        inputs: Films, folders of films, and sequences of pictures.
        folder: Where the dreams go; created if missing.
        dream: Settings of the dream.
        output: What to render and how to write it.
        film: Length of chunks, and which workers dream them; the defaults if not given.
        automation: What changes over time; None for nothing.
        suffix: Extension of all dreams, such as ``.mov``; None for those of their films, as far as
            they can be written.
        overwrite: True to replace existing dreams; else they are skipped.
        resume: True to continue films that were begun and not finished.
        recipe: What each result carries as its recipe, with its own source; None for none.
        events: Callbacks for each film.
        on_progress: Called with how far the film in work is.
        cancel: Ends the call once it is set, as it does that of one film; None for never.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: For all of them; one line says why.
        Interrupted: Ctrl-C or ``cancel``; finished work is kept, and the message says where.
    """
    folder = Path(folder)
    films = list_films([Path(given) for given in inputs], folder, output, suffix)
    prepare_folder(folder)
    # Absolute paths, as films in chunks have them: all share the network.
    common = RenderRequest(
        folder, folder, dream, output, film or FilmSettings(), automation or Automation()
    ).for_workers()

    def render_one(queued: QueuedFilm, ascents: AscentCache, *, resume: bool) -> Rendered:
        wanted = replace(common, source=queued.source, target=queued.target)
        own = None if recipe is None else recipe.with_source(queued.source.name)
        wanted.check_outputs(overwrite=overwrite or resume)
        if goes_in_chunks(wanted, resume=resume):
            return render_film(
                *queued,
                wanted.dream,
                wanted.output,
                wanted.film,
                wanted.automation,
                resume=resume,
                overwrite=overwrite,
                recipe=own,
                ascents=ascents,
                on_progress=on_progress,
                cancel=cancel,
            )
        return render(
            *queued,
            wanted.dream,
            wanted.output,
            wanted.automation,
            overwrite=overwrite,
            recipe=own,
            ascents=ascents,
            on_progress=on_progress,
            cancel=cancel,
        )

    with RenderQueue(render_one, overwrite=overwrite, resume=resume, events=events) as queue:
        queue.run(films)
    return queue.summary
