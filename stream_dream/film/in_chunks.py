"""Renders a film chunk by chunk, so that finished chunks survive a crash or a kill."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

from stream_dream.automation.assemble import checked
from stream_dream.errors import SettingsError, SinkError
from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.cluster.connection import reached
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.execution.scheduler import FilmProgress
from stream_dream.film.frame_loop import opened_mask
from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.plan.plan import frames_in
from stream_dream.film.request import RenderRequest, mattes_of
from stream_dream.film.run import Run
from stream_dream.media.read.ffmpeg_report import has_more
from stream_dream.media.read.sequence import is_sequence
from stream_dream.runtime.cancel import cancellable
from stream_dream.runtime.progress import Progress, ignore_progress
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.recipe import Recipe

# Films of up to 3 chunks are rendered in one piece: dreaming them again takes little time.
_LONG = 3


def is_long(request: RenderRequest) -> bool:
    """Return whether a film is long enough to render it in chunks. Raises ``SourceError``."""
    if request.is_piped:
        return False
    with request.open_source() as opened:
        info = opened.info
        most = _LONG * frames_in(request.film.chunk_seconds, info)
        if info.frame_count is not None:
            return info.frame_count > most
        return has_more(request.source, opened.first + most, info.fps)


def goes_in_chunks(request: RenderRequest, *, resume: bool) -> bool:
    """Return whether a film is rendered in chunks: asked to, long, or begun so and resumed.

    Raises:
        SinkError: An earlier render was not finished, and is not resumed.
        SourceError: The source cannot be read.
    """
    if not resume:
        JobFolder(request.target).refuse_left_over()
    return resume or request.film.asks_for_chunks or is_long(request)


@cancellable
def render_film(
    source: Path | str,
    target: Path | str,
    dream: DreamSettings,
    output: OutputSettings,
    film: FilmSettings,
    automation: Automation | None = None,
    *,
    journey: JourneySettings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    recipe: Recipe | None = None,
    ascents: AscentCache | None = None,
    events: FilmEvents | None = None,
    on_finished: Callable[[FilmSummary], None] = lambda summary: None,
    on_progress: Callable[[Progress], None] = ignore_progress,
    cancel: threading.Event | None = None,
) -> FilmSummary:
    """Render a film chunk by chunk, so that finished chunks survive a crash or a kill.

    Chunks and plan are kept in a job folder beside the target, ``NAME.dream``, which is removed
    when the film is finished.

    Args:
        source: A video file.
        target: Path of the result; its extension selects the format.
        dream: Settings of the dream.
        output: What to render and how to write it.
        film: Length of chunks, and which workers dream them.
        automation: What changes over time; None for nothing.
        journey: Settings of a journey, which begins with the source; see ``make_journey``. None
            for a film.
        resume: True to continue the job in the folder, if there is one.
        overwrite: True to replace an existing target.
        recipe: What the result carries as its recipe; None for none.
        ascents: Where networks are kept for the next film; None to drop them.
        events: Callbacks for all that happens to chunks.
        on_finished: Called when the target is complete, before the job folder is removed. If it
            fails or is killed, a resumed render calls it again.
        on_progress: Called several times a second with how many frames are done, those of earlier
            runs included.
        cancel: Ends the render once it is set, as a second Ctrl-C does; None for never.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: One line says why; finished chunks are
            kept.
        ChunkFailed: A chunk could not be dreamed; finished chunks are kept.
        Interrupted: Ctrl-C, once the running chunks are finished; or ``cancel``, at once. Finished
            chunks are kept, and the message says where.
    """
    source, target = Path(source), Path(target)
    request = RenderRequest(
        source, target, dream, output, film, automation or Automation(), journey
    )
    checked(dream, request.automation, journey=journey)
    if film.cluster is None and film.workers != 1 and film.batch not in (1, "auto"):
        raise SettingsError("--batch is for one worker that fills a device: leave out --workers")
    spread = film.workers != 1 or film.cluster is not None or film.batch not in (1, "auto")
    if journey is not None and spread:
        problem = "each frame grows from the one before: leave out --workers, --batch and --cluster"
        raise SettingsError(f"a journey is one shot, dreamed by one worker: {problem}")
    if request.is_piped:
        problem = "give files: a film in chunks, which can be resumed, is read and written twice"
        raise SettingsError(f"standard input and output are used once: {problem}")
    if film.ship and is_sequence(source):
        raise SettingsError("--ship sends one file, not a sequence of pictures: share the disk")
    folder = JobFolder(target)
    if re.search(r"[\r\n]", str(folder.path.absolute())):
        problem = "lies in a folder, or has a name, with a line break: choose another one"
        raise SinkError(f"{target} {problem}", exit_code=2)  # ffmpeg's list of chunks has lines
    if not resume:
        folder.refuse_left_over()
    # What an earlier run of this job has published may be replaced.
    ours = folder.has_published(mattes_of(target, output))
    request.check_outputs(overwrite=overwrite or ours)
    with request.open_source() as opened:
        with opened_mask(output, opened.info, opened.first):
            pass  # only checks that it can be read: each chunk opens it again
        kept = closing(AscentCache()) if ascents is None else nullcontext(ascents)
        with folder.working(), reached(film) as cluster, kept as networks:
            run = Run(
                request.for_workers(),
                opened,
                folder,
                overwrite=overwrite,
                cluster=cluster,
                recipe=recipe,
                ascents=networks,
                events=_followed(events or FilmEvents(), on_progress),
            )
            summary = run.render()
            # Records are missing if a run was killed while removing the folder, after this call.
            if len(summary.records) == len(summary.plan.chunks):
                on_finished(summary)
            if not film.keep_chunks:
                run.remove_folder()
    return summary


def _followed(events: FilmEvents, on_progress: Callable[[Progress], None]) -> FilmEvents:
    """Return callbacks that report the progress as well."""

    def progress(film: FilmProgress) -> None:
        events.progress(film)
        on_progress(Progress(film.frames, film.total, film.fps, film.seconds_left))

    return replace(events, progress=progress)


def refuse_other(request: RenderRequest) -> None:
    """Refuse settings that differ from those of the job in the folder, if there is one.

    ``render_film`` checks this, too: call it before weights are downloaded.

    Raises:
        SettingsError: The settings differ, or the job is unusable.
    """
    folder = JobFolder(request.target)
    if folder.has_job:
        folder.job_of(request.for_workers())
