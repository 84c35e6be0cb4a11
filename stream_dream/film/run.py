"""One run of a render of a film: plan it, or take up its plan, dream its chunks, join them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from stream_dream.dreaming import written_shape
from stream_dream.errors import Interrupted, SinkError, StreamDreamError
from stream_dream.film.checking import check, missing
from stream_dream.film.chunk import Task
from stream_dream.film.cluster.connection import Cluster
from stream_dream.film.crew import Crew, Processes, Single
from stream_dream.film.foreman import ChunkFailed, Foreman
from stream_dream.film.job import (
    Job,
    clear_parts,
    finished,
    folder_of,
    has_job,
    remove_job,
    versions,
)
from stream_dream.film.joining import joined
from stream_dream.film.measuring import fastest_count, sample_of
from stream_dream.film.placing import PLACING, place_result, placed_as, placed_with
from stream_dream.film.plan import Chunk, Plan, frames_in, make_plan
from stream_dream.film.reading import Excerpt
from stream_dream.film.records import Record
from stream_dream.film.trial import try_dream
from stream_dream.film.watcher import FilmSummary, Watcher
from stream_dream.film_settings import FilmSettings
from stream_dream.media.completion import Completion
from stream_dream.media.picture import READABLE_PICTURES
from stream_dream.media.sound import Soundtrack, check_sound
from stream_dream.media.source import VideoSource
from stream_dream.media.target import check_size, left_over
from stream_dream.quiet import hushed
from stream_dream.settings import DreamSettings, OutputSettings, added_later


class Run:
    """A run; it may take up what another has begun."""

    def __init__(
        self,
        source: VideoSource,
        target: Path,
        dream: DreamSettings,
        output: OutputSettings,
        film: FilmSettings,
        *,
        overwrite: bool,
        half: Path | None,
        cluster: Cluster | None,
        watcher: Watcher,
    ) -> None:
        """Start nothing yet.

        Args:
            source: The film.
            target: Where the result is to be.
            dream: How to dream; its paths are absolute, as those of the output.
            output: What to render and how to write it.
            film: How to cut it into pieces, and who dreams them.
            overwrite: True if an existing target may be replaced.
            half: The pattern of the numbered pictures that an earlier run was killed placing.
            cluster: Who dreams; None without a cluster.
            watcher: Who is told how it goes.
        """
        self.folder = folder_of(target)
        self._overwrite, self._ours = overwrite, half
        self._added = added_later(output)
        self._cluster, self._watcher = cluster, watcher
        self._source, self._target = source, target
        self._dream, self._output, self._film = dream, output, _batchable(film, dream)
        self._sound = Soundtrack(source.path, source.start, source.end) if output.audio else None
        self._stages: dict[str, float] = {}
        self._retries = 0
        self._fps = 0.0

    def render(self) -> FilmSummary:
        """Do all that is still to be done."""
        begun = time.monotonic()
        anew = not has_job(self.folder)
        job = self._job(anew)
        plan, records = job.plan, finished(self.folder, job)
        placed = None if anew else placed_as(self.folder, self._target)
        if placed and not placed_with(self.folder, self._added) and not missing(plan, records):
            self._ours, placed = placed, None  # the chunks are joined anew, as it is wanted now
        if placed is None:
            try:
                records = self._check(plan, records)
                if left := missing(plan, records):
                    if not anew:
                        self._prepare()
                    with self._stage("dream"):
                        self._dream_chunks(left, job, records)
                with self._stage("join"):
                    placed = self._join(plan)
            except (KeyboardInterrupt, Interrupted):
                raise Interrupted(f"interrupted: {self._kept(job, anew)}") from None
            except StreamDreamError as error:
                failure = type(error)(f"{error}; {self._kept(job, anew)}")
                failure.exit_code = error.exit_code
                raise failure from error
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
            self._watcher.note(f"{self.folder} could not be removed: {error.strerror}")

    def _job(self, anew: bool) -> Job:
        """Start a job, or take up the one that was begun."""
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
            check_size(self._target, written_shape(self._source.info, self._output)[0])
            check_sound(self._sound, self._target)
            spread = self._film.workers != 1 or self._cluster is not None
            try_dream(self._dream, apart=spread)

    def _begun(self) -> Job:
        """Continue the job that was begun."""
        job = Job.read(self.folder)
        job.refuse_other(self.folder, self._source.path, self._dream, self._output)
        clear_parts(self.folder)
        for name, now in versions().items():
            if (was := job.versions.get(name)) != now:
                self._watcher.note(
                    f"begun with {name} {was}, continued with {now}: where a chunk ends the "
                    "dream may change a little"
                )
        film = self._film
        if film.chunk_seconds != job.chunk_seconds and "chunk_seconds" in film.model_fields_set:
            self._watcher.note(f"its chunks stay as they were begun: {job.chunk_seconds:g} s")
        return job

    def _begin(self) -> Job:
        """Plan the film, and write the job down."""
        info, seconds = self._source.info, self._film.chunk_seconds
        plan = make_plan(
            self._source,
            frames_in(seconds, info),
            cuts=self._dream.cuts,
            on_frame=lambda frame: self._watcher.planning(frame.index + 1, info.frame_count),
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
            good, bad = check(self.folder, plan, records, on_checked=self._watcher.checking)
        for line in bad:
            self._watcher.note(line)
        return good

    def _dream_chunks(self, left: list[Chunk], job: Job, records: dict[int, Record]) -> None:
        """Dream the chunks that are left; their records join the others."""
        plan, key = job.plan, job.key
        crew = self._crew(plan, len({chunk.shot for chunk in left}))

        def task(chunk: Chunk) -> Task:
            return replace(self._task(chunk), threads=crew.threads)

        def done(record: Record) -> None:
            record.write(self.folder, key)
            self._watcher.done(plan.chunks[record.number], record)

        def again(chunk: Chunk, reason: str) -> None:
            last = chunk.first + chunk.frames - 1
            self._watcher.note(f"frames {chunk.first} to {last} are dreamed again: {reason}")

        foreman = Foreman(
            plan,
            crew,
            task,
            records,
            on_record=done,
            on_progress=self._watcher.progress,
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
        if self._cluster is not None:
            from stream_dream.film.cluster.crew import RayCrew

            return RayCrew(self._cluster, self._film, shots, self._watcher.note)
        if self._film.workers == "auto":
            task = self._task(sample_of(plan))
            count = fastest_count(task, shots, on_measured=self._watcher.measured)
        else:
            count = min(self._film.workers, shots)
            if count < self._film.workers:
                self._watcher.note(
                    f"{count} at work instead of {self._film.workers} workers: no more shots are "
                    "left to be dreamed side by side"
                )
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
        self._watcher.joining()
        info = self._source.info
        size, pixel_aspect = written_shape(info, self._output)
        completion = Completion(
            self._target,
            size=size,
            fps=info.fps,
            pixel_aspect=pixel_aspect,
            crf=self._output.crf,
            sound=self._sound,
        )
        try:
            encoded = joined(self.folder, plan, completion.format, info.fps)
            made = completion.make(encoded, plan.frames, room=self.folder)
            goal, overwrite = self._ours or self._target, self._overwrite or self._ours is not None
            placed = place_result(self.folder, made, goal, self._added, overwrite=overwrite)
        except OSError as error:
            raise SinkError(f"{self._target} could not be written: {error.strerror}") from error
        if placed != goal:
            self._watcher.note(f"{self._target} has appeared meanwhile and was kept: see {placed}")
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


def _batchable(film: FilmSettings, dream: DreamSettings) -> FilmSettings:
    """Leave batches out where each frame has a guide of its own."""
    guide = dream.guide
    if guide is None or guide.suffix.lower() in READABLE_PICTURES:
        return film
    return film.model_copy(update={"batch": 1})
