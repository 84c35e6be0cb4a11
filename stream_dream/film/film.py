"""Renders a film: plan it, dream its chunks, join them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from stream_dream.dreaming import opened_mask, written_shape
from stream_dream.errors import Interrupted, SettingsError, SinkError, StreamDreamError
from stream_dream.film.checking import check, missing
from stream_dream.film.chunk import Task
from stream_dream.film.cluster.connection import Cluster, reached
from stream_dream.film.crew import Crew, Processes, Single
from stream_dream.film.foreman import ChunkFailed, Foreman
from stream_dream.film.job import (
    Job,
    clear_parts,
    finished,
    folder_of,
    has_job,
    refuse_left_over,
    remove_job,
    versions,
    working_in,
)
from stream_dream.film.joining import joined
from stream_dream.film.measuring import fastest_count, sample_of
from stream_dream.film.placing import PLACING, half_placed_as, place_result, placed_as
from stream_dream.film.plan import Chunk, Plan
from stream_dream.film.planning import plan_of
from stream_dream.film.reading import Excerpt
from stream_dream.film.records import Record
from stream_dream.film.trial import try_dream
from stream_dream.film.watcher import FilmSummary, Watcher
from stream_dream.film_settings import FilmSettings
from stream_dream.frame import StreamInfo
from stream_dream.media.completion import Completion
from stream_dream.media.picture import READABLE_PICTURES
from stream_dream.media.probe import has_more
from stream_dream.media.sound import Soundtrack
from stream_dream.media.source import VideoSource
from stream_dream.media.target import check_target, left_over
from stream_dream.quiet import hushed
from stream_dream.settings import DreamSettings, OutputSettings

# Shorter films are done in one piece: they are soon done again.
_LONG = 3
_M = TypeVar("_M", bound=BaseModel)


def is_long(source: Path, output: OutputSettings, film: FilmSettings) -> bool:
    """Tell whether a film takes several chunks, so that a plan is worth it.

    What is no file, such as a pipe, cannot be read twice and is none.

    Raises:
        SourceError: If it cannot be read.
    """
    if source.is_fifo() or source.is_char_device():
        return False
    with VideoSource(source, start=output.start, end=output.end) as opened:
        info = opened.info
        most = _LONG * chunk_frames(film.chunk_seconds, info)
        if info.frame_count is not None:
            return info.frame_count > most
        return source.is_file() and has_more(source, opened.first + most, info.fps)


def chunk_frames(seconds: float, info: StreamInfo) -> int:
    """Return the number of frames that a chunk of so many seconds has at the most."""
    return max(1, round(seconds * info.fps))


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
    if not resume:
        refuse_left_over(folder, target)
    begun = has_job(folder)
    half = half_placed_as(folder, target) if begun else None
    # What an earlier run has placed does not stand in the way.
    ours = begun and (half or placed_as(folder, target)) is not None
    check_target(target, overwrite=overwrite or ours, source=source, mask=output.mask)
    with VideoSource(source, start=output.start, end=output.end) as opened:
        with opened_mask(output, opened.info, opened.first):
            pass  # it can be read: each chunk will open it anew
        render = _Render(opened, target, _anchored(dream), _anchored(output), film)
        render.overwrite, render.half, render.watcher = overwrite, half, watcher or Watcher()
        with working_in(render.folder), reached(film) as render.cluster:
            summary = render.run()
            # Where a run was killed while it removed the folder, it had been called.
            if len(summary.records) == len(summary.plan.chunks):
                on_finished(summary)
            if not film.keep_chunks:
                render.remove_folder()
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


def _batchable(film: FilmSettings, dream: DreamSettings) -> FilmSettings:
    """Leave batches out where each frame has a guide of its own."""
    guide = dream.guide
    if guide is None or guide.suffix.lower() in READABLE_PICTURES:
        return film
    return film.model_copy(update={"batch": 1})


class _Render:
    """One run of a render."""

    def __init__(
        self,
        source: VideoSource,
        target: Path,
        dream: DreamSettings,
        output: OutputSettings,
        film: FilmSettings,
    ) -> None:
        self.folder = folder_of(target)
        self.overwrite = False
        self.half: Path | None = None
        self.watcher = Watcher()
        self.cluster: Cluster | None = None
        self._source, self._target = source, target
        self._dream, self._output, self._film = dream, output, _batchable(film, dream)
        self._stages: dict[str, float] = {}
        self._retries = 0
        self._fps = 0.0

    def run(self) -> FilmSummary:
        """Do all that is still to be done."""
        begun = time.monotonic()
        anew = not has_job(self.folder)
        job = self._job(anew)
        plan, records = job.plan, finished(self.folder, job)
        placed = None if anew else placed_as(self.folder, self._target)
        if placed is None:
            try:
                records = self._check(plan, records)
                if not anew and missing(plan, records):
                    self._prepare()
                self._dream_chunks(job, records)
                with self._stage("join"):
                    placed = self._join(plan)
            except (KeyboardInterrupt, Interrupted):
                raise Interrupted(f"interrupted: {self._kept(job, anew)}") from None
            except StreamDreamError as error:
                raise type(error)(f"{error}; {self._kept(job, anew)}") from error
        notes = [plan.shortfall, left_over(placed, plan.frames)]
        return FilmSummary(
            target=placed,
            plan=plan,
            records=tuple(records[number] for number in sorted(records)),
            seconds=time.monotonic() - begun,
            stages=dict(self._stages),
            fps=self._fps,
            retries=self._retries,
            warning="; ".join(filter(None, notes)) or None,
        )

    def remove_folder(self) -> None:
        """Remove the folder of the job; what stands in the way of that is only noted."""
        try:
            remove_job(self.folder)
        except OSError as error:
            self.watcher.note(f"{self.folder} could not be removed: {error.strerror}")

    def _job(self, anew: bool) -> Job:
        """Begin a job, or take up the one that was begun."""
        try:
            if not anew:
                return self._begun()
            self._prepare()
            with self._stage("plan"):
                return self._begin()
        except KeyboardInterrupt:
            raise Interrupted("interrupted before the first frame: nothing is lost") from None

    def _prepare(self) -> None:
        with self._stage("prepare"):
            spread = self._film.workers != 1 or self.cluster is not None
            try_dream(self._dream, apart=spread)

    def _begun(self) -> Job:
        """Take up the job that was begun."""
        job = Job.read(self.folder)
        job.refuse_other(self.folder, self._source.path, self._dream, self._output)
        clear_parts(self.folder)
        for name, now in versions().items():
            if (was := job.versions.get(name)) != now:
                self.watcher.note(
                    f"begun with {name} {was}, continued with {now}: where a chunk ends the "
                    "dream may change a little"
                )
        film = self._film
        if film.chunk_seconds != job.chunk_seconds and "chunk_seconds" in film.model_fields_set:
            self.watcher.note(f"its chunks stay as they were begun: {job.chunk_seconds:g} s")
        return job

    def _begin(self) -> Job:
        """Plan the film, and write the job down."""
        info, seconds = self._source.info, self._film.chunk_seconds
        plan = plan_of(
            self._source,
            chunk_frames(seconds, info),
            cuts=self._dream.cuts,
            on_frame=lambda frame: self.watcher.planning(frame.index + 1, info.frame_count),
        )
        (self.folder / PLACING).unlink(missing_ok=True)  # of a job whose removal was cut short
        job = Job.of(self._source.path, self._dream, self._output, seconds, plan)
        job.write(self.folder)
        return job

    def _check(self, plan: Plan, records: dict[int, Record]) -> dict[int, Record]:
        """Return the records of the chunks that are good."""
        if not records:
            return {}
        with self._stage("check"):
            good, bad = check(self.folder, plan, records, on_checked=self.watcher.checking)
        for line in bad:
            self.watcher.note(line)
        return good

    def _dream_chunks(self, job: Job, records: dict[int, Record]) -> None:
        left = missing(job.plan, records)
        if not left:
            return
        with self._stage("dream"):
            self._dream_those(left, job, records)

    def _dream_those(self, left: list[Chunk], job: Job, records: dict[int, Record]) -> None:
        plan, key = job.plan, job.key
        crew = self._crew(plan, len({chunk.shot for chunk in left}))

        def task(chunk: Chunk) -> Task:
            return replace(self._task(chunk), threads=crew.threads)

        def done(record: Record) -> None:
            record.write(self.folder, key)
            self.watcher.done(plan.chunks[record.number], record)

        def again(chunk: Chunk, reason: str) -> None:
            last = chunk.first + chunk.frames - 1
            self.watcher.note(f"frames {chunk.first} to {last} are dreamed again: {reason}")

        foreman = Foreman(
            plan,
            crew,
            task,
            records,
            on_record=done,
            on_progress=self.watcher.progress,
            on_retry=again,
            in_order=not self._source.is_seekable,
        )
        try:
            foreman.work()
        except (Interrupted, ChunkFailed):
            crew.close(wait=True)
            raise
        except BaseException:  # Ctrl-C for the second time: nobody is waited for
            crew.close(wait=False)
            raise
        finally:
            progress = foreman.progress()
            self._fps, self._retries = progress.fps, progress.retries
        crew.close(wait=True)

    def _task(self, chunk: Chunk) -> Task:
        return Task(
            chunk=chunk,
            source=Excerpt.of(self._source),
            info=self._source.info,
            target=self._target,
            dream=self._dream,
            output=self._output,
            folder=self.folder.absolute(),
        )

    def _crew(self, plan: Plan, shots: int) -> Crew:
        """Choose who dreams; shots are what can be done side by side."""
        if self.cluster is not None:
            from stream_dream.film.cluster.crew import RayCrew

            return RayCrew(self.cluster, self._film, shots, self.watcher.note)
        if self._film.workers == "auto":
            task = self._task(sample_of(plan))
            count = fastest_count(task, shots, on_measured=self.watcher.measured)
        else:
            count = min(self._film.workers, shots)
        return Processes(count) if count > 1 else Single(min(self._batch(), shots))

    def _batch(self) -> int:
        """Return how many shots this process dreams in one call."""
        if self._film.batch != "auto":
            return self._film.batch
        with hushed():
            from stream_dream.dream.cores import has_gpu

        return self._film.batch_on(has_gpu())

    def _join(self, plan: Plan) -> Path:
        """Make the final file, and give it its name; return the one that it has got."""
        self.watcher.joining()
        info, source = self._source.info, self._source
        size, pixel_aspect = written_shape(info, self._output)
        completion = Completion(
            self._target,
            size=size,
            fps=info.fps,
            pixel_aspect=pixel_aspect,
            crf=self._output.crf,
            sound=Soundtrack(source.path, source.start, source.end) if self._output.audio else None,
        )
        try:
            encoded = joined(self.folder, plan, completion.format, info.fps)
            made = completion.make(encoded, plan.frames, room=self.folder)
            goal, overwrite = self.half or self._target, self.overwrite or self.half is not None
            placed = place_result(self.folder, made, goal, overwrite=overwrite)
        except OSError as error:
            raise SinkError(f"{self._target} could not be written: {error.strerror}") from error
        if placed != goal:
            self.watcher.note(f"{self._target} has appeared meanwhile and was kept: see {placed}")
        return placed

    def _kept(self, job: Job, anew: bool) -> str:
        """Say what is kept; what was begun in vain does not stand in the way of another try."""
        records = finished(self.folder, job)
        if not records and anew:
            self.remove_folder()
            return "no chunk was finished, nothing is kept"
        done = f"{len(records)} of {len(job.plan.chunks)} chunks are done and kept"
        return f"{done} in {self.folder}: continue with --resume"

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] = time.monotonic() - begun
