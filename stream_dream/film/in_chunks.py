"""Renders a film so that what is done survives whatever happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from stream_dream.errors import SettingsError, SinkError
from stream_dream.film.cluster.connection import reached
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.frame_loop import opened_mask
from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.plan.plan import frames_in
from stream_dream.film.request import RenderRequest
from stream_dream.film.run import Run
from stream_dream.media.read.ffmpeg_report import has_more
from stream_dream.media.read.video import excerpt_of
from stream_dream.media.write.output_paths import check_target
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

# Shorter films are done in one piece: they are soon done again.
_LONG = 3


def is_long(request: RenderRequest) -> bool:
    """Return whether a film takes several chunks, so that a plan is worth it.

    Raises:
        SourceError: If it cannot be read.
    """
    with excerpt_of(request.source, request.output) as opened:
        info = opened.info
        most = _LONG * frames_in(request.film.chunk_seconds, info)
        if info.frame_count is not None:
            return info.frame_count > most
        return has_more(request.source, opened.first + most, info.fps)


def render_film(
    source: Path | str,
    target: Path | str,
    dream: DreamSettings,
    output: OutputSettings,
    film: FilmSettings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    events: FilmEvents | None = None,
    on_finished: Callable[[FilmSummary], None] = lambda summary: None,
) -> FilmSummary:
    """Render a film chunk by chunk, so that what is done survives whatever happens.

    The work lies in a folder beside the target, ``NAME.dream``, which goes when all is done.

    Args:
        source: A video file.
        target: Its extension decides on the format.
        dream: How to dream.
        output: What to render and how to write it.
        film: How to cut it into pieces, and who dreams them.
        resume: True to go on with a render that was begun, where there is one.
        overwrite: True if an existing target may be replaced.
        events: Who is told how it goes.
        on_finished: Called when the target is there, before the folder goes: where it fails, or is
            killed, ``resume`` calls it again.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: With one clear line; what was finished
            is kept.
        ChunkFailed: A chunk could not be dreamed; the others are kept.
        Interrupted: On Ctrl-C, when the chunks in work are done; they are kept.
    """
    request = RenderRequest(Path(source), Path(target), dream, output, film)
    return render_in_chunks(
        request, resume=resume, overwrite=overwrite, events=events, on_finished=on_finished
    )


def render_in_chunks(
    request: RenderRequest,
    *,
    resume: bool,
    overwrite: bool,
    events: FilmEvents | None,
    on_finished: Callable[[FilmSummary], None],
) -> FilmSummary:
    """Render what was asked for, as ``render_film`` does."""
    source, target, film = request.source, request.target, request.film
    if film.cluster is None and film.workers != 1 and film.batch not in (1, "auto"):
        raise SettingsError("--batch is for one worker that fills a device: leave out --workers")
    folder = JobFolder(target)
    if re.search(r"[\r\n]", str(folder.path.absolute())):
        problem = "lies in a folder, or has a name, with a line break: choose another one"
        raise SinkError(f"{target} {problem}", exit_code=2)  # ffmpeg's list of chunks has lines
    if not resume:
        folder.refuse_left_over()
    # What an earlier run has placed does not stand in the way.
    ours = folder.has_job and folder.placing.earlier is not None
    check_target(target, overwrite=overwrite or ours, inputs=request.inputs.values())
    with excerpt_of(source, request.output) as opened:
        with opened_mask(request.output, opened.info, opened.first):
            pass  # it can be read: each chunk will open it anew
        with folder.working(), reached(film) as cluster:
            run = Run(
                request.for_workers(),
                opened,
                folder,
                overwrite=overwrite,
                cluster=cluster,
                events=events or FilmEvents(),
            )
            summary = run.render()
            # Where a run was killed while it removed the folder, it had been called.
            if len(summary.records) == len(summary.plan.chunks):
                on_finished(summary)
            if not film.keep_chunks:
                run.remove_folder()
    return summary


def refuse_other(request: RenderRequest) -> None:
    """Refuse other settings than those of a render that was begun, if one was.

    ``render_film`` does it, too: this is for those who would fetch weights first.

    Raises:
        SettingsError: With what differs, or where nothing of it can be used.
    """
    folder = JobFolder(request.target)
    if folder.has_job:
        folder.job_of(request.for_workers())
