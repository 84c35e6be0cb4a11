"""Renders a journey: a film that grows out of one picture."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.film.events import FilmEvents
from stream_dream.film.in_chunks import goes_in_chunks, render_film
from stream_dream.film.journey_source import NOISE, longer_side
from stream_dream.film.one_piece import RenderSummary, render
from stream_dream.film.request import RenderRequest
from stream_dream.runtime.cancel import cancellable
from stream_dream.runtime.progress import Progress, ignore_progress
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings, for_journeys
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.recipe import Recipe
from stream_dream.settings.validation import own


def journey_request(
    source: Path,
    target: Path,
    dream: DreamSettings,
    settings: JourneySettings,
    film: FilmSettings | None = None,
    automation: Automation | None = None,
    *,
    given: Mapping[str, Any] | None = None,
) -> RenderRequest:
    """Return the request to render a journey, whose looks are dreamed at its size.

    Args:
        source: A picture or a clip; ``NOISE`` where the settings ask for noise.
        target: Path of the result; its extension selects the format.
        dream: Settings of the dream.
        settings: Start, camera, length and output.
        film: Length of chunks.
        automation: What changes over time.
        given: Settings of the dream that the user has given, which stay; None for none.

    Raises ``SettingsError`` if one of them is invalid.
    """
    automation = automation or Automation()
    side = longer_side(settings)

    def at_size(look: DreamSettings) -> DreamSettings:
        return for_journeys(look, given or {}, size=side)

    shared = OutputSettings.model_fields.keys() & JourneySettings.model_fields.keys()
    output = own(OutputSettings, {name: getattr(settings, name) for name in shared - _OF_START})
    return RenderRequest(
        source,
        target,
        at_size(dream),
        OutputSettings(**output),
        film or FilmSettings(),
        automation.model_copy(update={"looks": tuple(map(at_size, automation.looks))}),
        settings,
    )


# Settings of a journey that are not those of the same name of an output.
_OF_START = {"start", "size", "fps"}


@cancellable
def make_journey(
    source: Path | str | None,
    target: Path | str,
    dream: DreamSettings,
    settings: JourneySettings | None = None,
    automation: Automation | None = None,
    *,
    film: FilmSettings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    recipe: Recipe | None = None,
    events: FilmEvents | None = None,
    on_progress: Callable[[Progress], None] = ignore_progress,
    cancel: threading.Event | None = None,
) -> RenderSummary:
    """Render a journey; a long one in chunks, see ``render_film``.

    Args:
        source: A picture, or a clip, of which one frame is taken; None for noise, and where the
            settings ask for it.
        target: Path of the result; its extension selects the format.
        dream: Settings of the dream; its size and its octaves become those of the journey.
        settings: Start, camera, length and output; its ``presets`` are the looks, the first one
            instead of ``dream``, unless ``automation`` has some.
        automation: What changes over time; None for nothing.
        film: Length of chunks.
        resume: True to continue a journey that was not finished.
        overwrite: True to replace an existing target.
        recipe: What the result carries as its recipe; None for none.
        events: Callbacks for all that happens to chunks, of a journey that is long enough for some.
        on_progress: Called with how far the journey is, see ``render`` and ``render_film``.
        cancel: Ends the journey once it is set, as Ctrl-C does; None for never.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: One line says why.
        Interrupted: Ctrl-C or ``cancel``; the message says what is kept, and where.
    """
    settings, automation = settings or JourneySettings(), automation or Automation()
    if source is None:
        settings = settings.model_copy(update={"start_from": "noise"})
    elif settings.start_from == "noise":
        raise SettingsError(f"the journey begins with noise: leave out {source}")
    if settings.presets and not automation.looks:
        looks = tuple(load_preset(name).dream for name in settings.presets)
        automation = automation.model_copy(update={"looks": looks, "every": settings.every})
        dream = looks[0]
    path = NOISE if source is None else Path(source)
    request = journey_request(path, Path(target), dream, settings, film, automation)
    request.check_outputs(overwrite=overwrite or resume)
    common = (request.source, request.target, request.dream, request.output)
    if goes_in_chunks(request, resume=resume):
        return render_film(
            *common,
            request.film,
            request.automation,
            journey=settings,
            resume=resume,
            overwrite=overwrite,
            recipe=recipe,
            events=events,
            on_progress=on_progress,
            cancel=cancel,
        )
    return render(
        *common,
        request.automation,
        journey=settings,
        overwrite=overwrite,
        recipe=recipe,
        on_progress=on_progress,
        cancel=cancel,
    )
