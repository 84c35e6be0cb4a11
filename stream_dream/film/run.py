"""One run of a job: plans the film or reads its plan, dreams the missing chunks, joins all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from stream_dream.automation.program import Program
from stream_dream.errors import Interrupted, SinkError, StreamDreamError
from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.cluster.connection import Cluster
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.execution.autotune import fastest_count, sample_of
from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.preflight import try_dream
from stream_dream.film.execution.scheduler import ChunkFailed, Scheduler
from stream_dream.film.execution.workers import OwnProcess, WorkerProcesses, Workers
from stream_dream.film.film_encoder import check_encoder_of_chunks, with_chosen_encoder
from stream_dream.film.frame_loop import (
    finalizer_of,
    render_encoding,
    tone_mapping_note,
    written_shape,
)
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.job.concat import joined
from stream_dream.film.job.job_file import FilmJob, versions
from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.job.publish import Placing
from stream_dream.film.job.verify import check, missing
from stream_dream.film.journey_source import JourneySource
from stream_dream.film.plan.chunk_reader import SourceExcerpt
from stream_dream.film.plan.plan import Chunk, Plan, frames_in, make_plan
from stream_dream.film.programming import needs_sound, programmed, read_files, soundtrack_of
from stream_dream.film.request import RenderRequest, mattes_of
from stream_dream.frame import Frame
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.finalize import Finalizer
from stream_dream.media.write.mux import EncodedVideo
from stream_dream.media.write.output_paths import check_size, left_over
from stream_dream.media.write.sound import check_sound
from stream_dream.runtime.cancel import Cancelled
from stream_dream.runtime.quiet import hushed
from stream_dream.settings.fields import values_added_later
from stream_dream.settings.recipe import Recipe


class Run:
    """A run of a job, new or resumed."""

    def __init__(
        self,
        request: RenderRequest,
        source: VideoSource | JourneySource,
        folder: JobFolder,
        *,
        overwrite: bool,
        cluster: Cluster | None,
        recipe: Recipe | None,
        ascents: AscentCache,
        events: FilmEvents,
    ) -> None:
        """Create a run of a request that ``RenderRequest.for_workers`` has returned.

        Without ``cluster``, this machine dreams. The film carries the recipe. ``ascents`` keeps
        the networks that this process dreams with.
        """
        self._request, self._source, self._folder = request, source, folder
        self._overwrite, self._cluster, self._events = overwrite, cluster, events
        self._ascents = ascents
        self._recipe = None if recipe is None else recipe.text
        audio = request.output.audio
        self._sound = soundtrack_of(request, source) if audio else None
        self._program = Program((request.dream,))
        self._output, self._encoder_note = request.output, ""
        self._stages: dict[str, float] = {}
        self._retries = 0
        self._fps = 0.0

    def render(self) -> FilmSummary:
        """Dream the missing chunks, join all chunks and publish the result."""
        begun = time.monotonic()
        self._events.started(self._source.info)
        anew = not self._folder.has_job
        job = self._job(anew)
        plan, records = job.plan, self._folder.records(job)
        self._output = self._output.model_copy(update={"encoder": job.encoder})
        placed = None if anew else self._published(plan, records)
        if placed is None:
            try:
                records = self._check(plan, records)
                if left := missing(plan, records):
                    if not anew:
                        self._prepare(job)
                    self._program = self._programmed(plan)
                    with self._stage("dream"):
                        self._dream(left, job, records)
                with self._stage("join"):
                    placed = self._finish(plan)
            except (KeyboardInterrupt, Interrupted):
                raise Interrupted(f"interrupted: {self._kept_message(job, anew)}") from None
            except StreamDreamError as error:
                failure = type(error)(f"{error}; {self._kept_message(job, anew)}")
                failure.exit_code = error.exit_code
                raise failure from error
        notes = [
            plan.shortfall,
            tone_mapping_note(self._source, self._output),
            self._encoder_note,
            left_over(placed[0], plan.frames),
            self._program.clipped,
        ]
        return FilmSummary(
            target=placed[0],
            mattes=tuple(placed[1:]),
            frames=plan.frames,
            plan=plan,
            records=tuple(records[number] for number in sorted(records)),
            seconds=time.monotonic() - begun,
            stages=dict(self._stages),
            fps=self._fps,
            retries=self._retries,
            warning="; ".join(filter(None, notes)) or None,
            encoder=job.encoder,
        )

    def remove_folder(self) -> None:
        """Remove the folder of the job; a failure to do so is only noted."""
        try:
            self._folder.remove()
        except OSError as error:
            self._events.note(f"{self._folder.path} could not be removed: {error.strerror}")

    def _job(self, anew: bool) -> FilmJob:
        """Plan a new job, or read the one in the folder."""
        try:
            if not anew:
                return self._resumed_job()
            self._prepare()
            with self._stage("plan"):
                return self._new_job()
        except KeyboardInterrupt:
            raise Interrupted("interrupted before the first frame: nothing is lost") from None

    def _prepare(self, job: FilmJob | None = None) -> None:
        """Check what can be checked before the first frame; choose the encoder of a new job."""
        with self._stage("prepare"):
            target, output = self._request.target, self._request.output
            info = self._source.info
            check_size(
                target, written_shape(info, output)[0], render_encoding(target, info, output)
            )
            check_sound(self._sound, target)
            read_files(self._request, self._source)
            self._choose_encoder(job)
            spread = self._request.film.workers != 1 or self._cluster is not None
            looks = self._request.automation.looks or (self._request.dream,)
            try_dream(looks, self._ascents, apart=spread)

    def _choose_encoder(self, job: FilmJob | None) -> None:
        target, info, spread = self._request.target, self._source.info, self._cluster is not None
        if job is None:
            output, note = with_chosen_encoder(target, info, self._output, spread=spread)
            self._output, self._encoder_note = output, note or ""
        else:
            folder = self._folder.path
            check_encoder_of_chunks(target, info, self._output, spread=spread, folder=folder)

    def _resumed_job(self) -> FilmJob:
        job = self._folder.job_of(self._request)
        self._folder.clear_parts()
        for name, now in versions().items():
            if (was := job.made_with.get(name, now)) != now:
                self._events.note(
                    f"begun with {name} {was}, continued with {now}: where a chunk ends the "
                    "dream may change a little"
                )
        film = self._request.film
        if film.chunk_seconds != job.chunk_seconds and "chunk_seconds" in film.model_fields_set:
            self._events.note(f"its chunks stay as they were begun: {job.chunk_seconds:g} s")
        return job

    def _new_job(self) -> FilmJob:
        info = self._source.info

        def planning(frame: Frame) -> None:
            if self._request.journey is None:  # whose frames are known
                self._events.planning(frame.index + 1, info.frame_count)

        plan = make_plan(
            self._source,
            frames_in(self._request.film.chunk_seconds, info),
            cuts=self._request.finds_cuts,
            on_frame=planning,
        )
        job = FilmJob.of(self._request, plan, self._output.encoder)
        self._folder.begin(job)
        return job

    def _programmed(self, plan: Plan) -> Program:
        """Return the settings of each frame, and keep what was found in the sound."""
        with self._stage("listen") if needs_sound(self._request) else nullcontext():
            made = programmed(self._request, self._source, plan, cache=self._folder.path)
            return made.program

    def _published(self, plan: Plan, records: dict[int, ChunkRecord]) -> list[Path] | None:
        """Return the published result and its mattes if they are whole and as requested."""
        target, output = self._request.target, self._request.output
        as_wanted = self._folder.placing.has(values_added_later(output))
        placings = self._folder.placings(mattes_of(target, output))
        whole = [path for placing in placings if (path := placing.whole) is not None]
        if len(whole) < len(placings):
            return None
        return whole if as_wanted or missing(plan, records) else None

    def _check(self, plan: Plan, records: dict[int, ChunkRecord]) -> dict[int, ChunkRecord]:
        """Return the records of the chunks whose files are intact; note the others."""
        if not records:
            return {}
        with self._stage("check"):
            good, bad = check(self._folder, plan, records, on_checked=self._events.checking)
        for line in bad:
            self._events.note(line)
        return good

    def _dream(self, left: list[Chunk], job: FilmJob, records: dict[int, ChunkRecord]) -> None:
        """Dream the chunks in ``left`` and add their records."""
        workers = self._workers(job.plan, len({chunk.shot for chunk in left}))

        def task(chunk: Chunk) -> ChunkTask:
            return replace(self._task(chunk), threads=workers.threads)

        def done(record: ChunkRecord) -> None:
            record.write(self._folder.path, job.key)
            self._events.done(job.plan.chunks[record.number], record)

        def again(chunk: Chunk, reason: str) -> None:
            self._events.note(f"{chunk} are dreamed again: {reason}")

        scheduler = Scheduler(
            job.plan,
            workers,
            task,
            records,
            on_record=done,
            on_progress=self._events.progress,
            on_retry=again,
            in_order=not self._source.is_seekable,
        )
        try:
            scheduler.work()
        except (Interrupted, ChunkFailed):
            workers.close(wait=True)
            raise
        except BaseException as error:
            workers.close(wait=False)
            if isinstance(error, Cancelled | Exception):  # a second Ctrl-C waits for nothing
                workers.join()
            raise
        finally:
            progress = scheduler.progress()
            self._fps, self._retries = progress.fps, progress.retries
        workers.close(wait=True)

    def _task(self, chunk: Chunk) -> ChunkTask:
        return ChunkTask(
            chunk=chunk,
            source=SourceExcerpt.of(self._source),
            info=self._source.info,
            target=self._request.target,
            program=self._program.part(*self._frames_known_in(chunk)),
            output=self._output,
            folder=self._folder.path.absolute(),
        )

    def _frames_known_in(self, chunk: Chunk) -> tuple[int, int]:
        """Return the first frame, and the one after the last, whose settings a chunk looks at.

        A journey that closes looks at the camera's way to its end.
        """
        journey = self._request.journey
        if journey is not None and journey.loop:
            return 0, journey.frames
        return chunk.first, chunk.first + chunk.frames

    def _workers(self, plan: Plan, shots: int) -> Workers:
        """Choose the workers for this number of unfinished shots, which can run in parallel."""
        film = self._request.film
        if self._cluster is not None:
            from stream_dream.film.cluster.ray_workers import RayWorkers

            return RayWorkers(self._cluster, film, shots, self._events.note)
        if film.workers == "auto":
            task = self._task(sample_of(plan))
            count = fastest_count(task, shots, on_measured=self._events.measured)
        else:
            count = min(film.workers, shots)
            if count < film.workers:
                self._events.note(
                    f"{count} at work instead of {film.workers} workers: no more shots are left to "
                    "be dreamed side by side"
                )
        if count > 1:
            return WorkerProcesses(count)
        return OwnProcess(min(self._batch(), shots), self._ascents)

    def _batch(self) -> int:
        """Return the batch of this process: how many shots it dreams in one call."""
        film = self._request.film
        if film.batch != "auto":
            return film.batch
        with hushed():
            from stream_dream.dream.tf_threads import has_gpu

        return film.batch_on(has_gpu())

    def _finish(self, plan: Plan) -> list[Path]:
        """Join the chunks, add the sound and publish the film and its mattes.

        Returns the paths that they got.
        """
        self._events.joining()
        info, output, target = self._source.info, self._output, self._request.target
        finalizer = finalizer_of(target, info, output, self._sound, self._recipe)
        encoded = joined(self._folder, plan, finalizer.encoding.codec, info.fps)
        placing, *of_mattes = self._folder.placings(finalizer.mattes)
        mattes = [
            self._publish(finalizer.of_matte(kind), of_matte, encoded, plan.frames)
            for kind, of_matte in zip(finalizer.mattes, of_mattes, strict=True)
        ]
        return [self._publish(finalizer, placing, encoded, plan.frames), *mattes]

    def _publish(
        self, finalizer: Finalizer, placing: Placing, encoded: EncodedVideo, frames: int
    ) -> Path:
        """Make a file of the joined chunks and publish it; return the path that it got."""
        ours = placing.earlier
        goal, overwrite = ours or finalizer.path, self._overwrite or ours is not None
        try:
            made = finalizer.make(encoded, frames, room=self._folder.path)
            added = values_added_later(self._request.output)
            placed = placing.place(made, goal, added, overwrite=overwrite)
        except OSError as error:
            problem = f"could not be written: {error.strerror}"
            raise SinkError(f"{finalizer.path} {problem}") from error
        if placed != goal:
            self._events.note(f"{finalizer.path} has appeared meanwhile and was kept: see {placed}")
        return placed

    def _kept_message(self, job: FilmJob, anew: bool) -> str:
        """Return a message on what is kept; remove the folder of a new job with no chunk done."""
        records = self._folder.records(job)
        if not records and anew:
            self.remove_folder()
            return "no chunk was finished, nothing is kept"
        done = f"{len(records)} of {len(job.plan.chunks)} chunks are done and kept"
        return f"{done} in {self._folder.path}: continue with --resume"

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] = time.monotonic() - begun
