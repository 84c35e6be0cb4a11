"""Renders a film so that what is done survives whatever happens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from stream_dream.dreaming import opened_mask
from stream_dream.errors import SettingsError, SinkError
from stream_dream.film.cluster.connection import reached
from stream_dream.film.job import Job, folder_of, has_job, refuse_left_over, working_in
from stream_dream.film.placing import half_placed_as, placed_as
from stream_dream.film.plan import frames_in
from stream_dream.film.run import Run
from stream_dream.film.watcher import FilmSummary, Watcher
from stream_dream.film_settings import FilmSettings
from stream_dream.media.probe import has_more
from stream_dream.media.source import excerpt_of
from stream_dream.media.target import check_target
from stream_dream.settings import DreamSettings, OutputSettings, named_files

# Shorter films are done in one piece: they are soon done again.
_LONG = 3
_M = TypeVar("_M", bound=BaseModel)


def is_long(source: Path, output: OutputSettings, film: FilmSettings) -> bool:
    """Return whether a film takes several chunks, so that a plan is worth it.

    Raises:
        SourceError: If it cannot be read.
    """
    with excerpt_of(source, output) as opened:
        info = opened.info
        most = _LONG * frames_in(film.chunk_seconds, info)
        if info.frame_count is not None:
            return info.frame_count > most
        return has_more(source, opened.first + most, info.fps)


def render_film(
    source: Path | str,
    target: Path | str,
    dream: DreamSettings,
    output: OutputSettings,
    film: FilmSettings,
    *,
    resume: bool = False,
    overwrite: bool = False,
    watcher: Watcher | None = None,
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
        watcher: Who is told how it goes.
        on_finished: Called when the target is there, before the folder goes: where it fails, or is
            killed, ``resume`` calls it again.

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: With one clear line; what was finished
            is kept.
        ChunkFailed: A chunk could not be dreamed; the others are kept.
        Interrupted: On Ctrl-C, when the chunks in work are done; they are kept.
    """
    source, target = Path(source), Path(target)
    if film.cluster is None and film.workers != 1 and film.batch not in (1, "auto"):
        raise SettingsError("--batch is for one worker that fills a device: leave out --workers")
    folder = folder_of(target)
    if re.search(r"[\r\n]", str(folder.absolute())):
        problem = "lies in a folder, or has a name, with a line break: choose another one"
        raise SinkError(f"{target} {problem}", exit_code=2)  # ffmpeg's list of chunks has lines
    if not resume:
        refuse_left_over(folder, target)
    begun = has_job(folder)
    half = half_placed_as(folder, target) if begun else None
    # What an earlier run has placed does not stand in the way.
    ours = begun and (half or placed_as(folder, target)) is not None
    inputs = [source, *named_files(dream, output).values()]
    check_target(target, overwrite=overwrite or ours, inputs=inputs)
    with excerpt_of(source, output) as opened:
        with opened_mask(output, opened.info, opened.first):
            pass  # it can be read: each chunk will open it anew
        with working_in(folder), reached(film) as cluster:
            run = Run(
                opened,
                target,
                _anchored(dream),
                _anchored(output),
                film,
                overwrite=overwrite,
                half=half,
                cluster=cluster,
                watcher=watcher or Watcher(),
            )
            summary = run.render()
            # Where a run was killed while it removed the folder, it had been called.
            if len(summary.records) == len(summary.plan.chunks):
                on_finished(summary)
            if not film.keep_chunks:
                run.remove_folder()
    return summary


def refuse_other(source: Path, target: Path, dream: DreamSettings, output: OutputSettings) -> None:
    """Refuse other settings than those of a render that was begun, if one was.

    ``render_film`` does it, too: this is for those who would fetch weights first.

    Raises:
        SettingsError: With what differs, or where nothing of it can be used.
    """
    folder = folder_of(target)
    if has_job(folder):
        job = Job.read(folder)
        job.refuse_other(folder, source, _anchored(dream), _anchored(output))


def _anchored(settings: _M) -> _M:
    """Make the paths in settings absolute: workers, and later runs, may be somewhere else."""
    paths: dict[str, object] = {
        name: path.absolute() for name, path in settings if isinstance(path, Path)
    }
    network = Path(getattr(settings, "network", ""))
    if network.suffix:  # a file, not a name
        paths["network"] = str(network.absolute())
    return settings.model_copy(update=paths)
