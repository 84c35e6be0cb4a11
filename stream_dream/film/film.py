"""Renders a film: plan it, dream its chunks, join them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from stream_dream.dreaming import opened_mask, written_shape
from stream_dream.errors import Interrupted, SettingsError, SinkError
from stream_dream.film.checking import check, missing
from stream_dream.film.chunk import Task
from stream_dream.film.cluster.connection import Cluster, ClusterLost, reached
from stream_dream.film.crew import Crew, Processes, Single
from stream_dream.film.foreman import ChunkFailed, Foreman, Progress
from stream_dream.film.job import (
    Job,
    announce,
    clear_parts,
    finished,
    folder_of,
    has_job,
    is_placed,
    remove_job,
    versions,
    was_announced,
    working_in,
)
from stream_dream.film.joining import joined
from stream_dream.film.measuring import fastest_count, sample_of
from stream_dream.film.plan import Chunk, Plan
from stream_dream.film.planning import plan_of
from stream_dream.film.reading import Excerpt
from stream_dream.film.records import Record
from stream_dream.film_settings import FilmSettings
from stream_dream.frame import StreamInfo
from stream_dream.media.completion import Completion
from stream_dream.media.picture import READABLE_PICTURES
from stream_dream.media.sound import Soundtrack
from stream_dream.media.source import VideoSource
from stream_dream.media.target import check_target, is_pattern, left_over, place
from stream_dream.quiet import hushed
from stream_dream.settings import DreamSettings, OutputSettings

# Shorter films are done in one piece: they are soon done again.
_LONG = 3
_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FilmSummary:
    """What the render of a film did.

    Attributes:
        target: The file that was made.
        plan: The plan of it.
        records: What was done, chunk by chunk, in this run and in earlier ones.
        seconds: Wall time of this run.
        stages: Of that, by stage: "plan", "check", "dream" and "join".
        fps: Frames per second while chunks were dreamed; 0 where none was.
        retries: Chunks that had to be begun again in this run.
        warning: One line on what of the source could not be read, or what an earlier sequence of
            pictures has left; None where there is nothing to say.
    """

    target: Path
    plan: Plan
    records: tuple[Record, ...]
    seconds: float
    stages: dict[str, float]
    fps: float
    retries: int
    warning: str | None


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how the render of a film goes, from the thread that renders.

    Attributes:
        planning: Called with the frames looked at so far, and the number expected or None.
        checking: Called with the finished chunks that were checked so far, and their number.
        progress: Called several times a second while chunks are dreamed.
        done: Called with each chunk that is done.
        measured: Called with a number of workers that was tried, and their frames per second.
        joining: Called when the chunks are joined.
        note: Called with a line on what went wrong and was mended.
    """

    planning: Callable[[int, int | None], None] = lambda frames, total: None
    checking: Callable[[int, int], None] = lambda chunks, total: None
    progress: Callable[[Progress], None] = lambda progress: None
    done: Callable[[Chunk, Record], None] = lambda chunk, record: None
    measured: Callable[[int, float], None] = lambda workers, fps: None
    joining: Callable[[], None] = lambda: None
    note: Callable[[str], None] = lambda line: None


def is_long(source: Path, output: OutputSettings, film: FilmSettings) -> bool:
    """Tell whether a film takes several chunks, so that a plan is worth it.

    Raises:
        SourceError: If it cannot be read.
    """
    with VideoSource(source, start=output.start, end=output.end) as opened:
        count = opened.info.frame_count
        return count is not None and count > _LONG * chunk_frames(film.chunk_seconds, opened.info)


def chunk_frames(seconds: float, info: StreamInfo) -> int:
    """Return the number of frames that a chunk of so many seconds has at the most."""
    return max(1, round(seconds * info.fps))


def refuse_left_over(target: Path) -> None:
    """Refuse a name for which another render was begun. Raises ``SinkError``."""
    folder = folder_of(target)
    if folder.exists():
        raise SinkError(
            f"{folder} holds a render that was begun and not finished: continue it with --resume, "
            "or delete it",
            exit_code=2,
        )


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

    Raises:
        SourceError, SinkError, SettingsError, NetworkError: With one clear line; what was finished
            is kept.
        ChunkFailed: A chunk could not be dreamed; the others are kept.
        Interrupted: On Ctrl-C, when the chunks in work are done; they are kept.
    """
    source, target = Path(source), Path(target)
    if film.cluster is None and film.workers != 1 and film.batch not in (1, "auto"):
        raise SettingsError("--batch is for one worker that fills a device: leave out --workers")
    if not resume:
        refuse_left_over(target)
    folder = folder_of(target)
    # Of numbered pictures some may be there already; a film is there as it was announced.
    ours = was_announced(folder) and (is_pattern(target) or is_placed(folder, target))
    check_target(target, overwrite=overwrite or ours, source=source, mask=output.mask)
    with VideoSource(source, start=output.start, end=output.end) as opened:
        with opened_mask(output, opened.info, opened.first):
            pass  # it can be read: each chunk will open it anew
        render = _Render(opened, target, _anchored(dream), _anchored(output), film)
        render.overwrite, render.watcher = overwrite or ours, watcher or Watcher()
        with working_in(render.folder), reached(film) as render.cluster:
            summary = render.run()
    if not film.keep_chunks:
        remove_job(render.folder)
    return summary


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
        with self._stage("plan"):
            plan = self._plan()
        records = finished(self.folder, plan)
        if not is_placed(self.folder, self._target):
            try:
                with self._stage("check"):
                    records = self._check(plan, records)
                with self._stage("dream"):
                    self._dream_chunks(plan, records)
                with self._stage("join"):
                    self._join(plan)
            except (ChunkFailed, ClusterLost, SinkError) as error:
                raise type(error)(f"{error}; {self._kept(plan, records)}") from error
            except (KeyboardInterrupt, Interrupted):
                raise Interrupted(f"interrupted: {self._kept(plan, records)}") from None
        notes = [plan.shortfall, left_over(self._target, plan.frames)]
        return FilmSummary(
            target=self._target,
            plan=plan,
            records=tuple(records[number] for number in sorted(records)),
            seconds=time.monotonic() - begun,
            stages=dict(self._stages),
            fps=self._fps,
            retries=self._retries,
            warning="; ".join(filter(None, notes)) or None,
        )

    def _plan(self) -> Plan:
        """Take the plan of the job that was begun, or begin one."""
        if has_job(self.folder):
            job = Job.read(self.folder)
            differences = job.differences(self._source.path, self._dream, self._output)
            if differences:
                raise SettingsError(
                    f"{self.folder} was begun otherwise: {'; '.join(differences)}. Give the same "
                    "again, or delete the folder to begin anew"
                )
            clear_parts(self.folder)
            for name, now in versions().items():
                if (was := job.versions.get(name)) != now:
                    self.watcher.note(
                        f"begun with {name} {was}, continued with {now}: where a chunk ends the "
                        "dream may change a little"
                    )
            return job.plan
        info = self._source.info
        try:
            plan = plan_of(
                self._source,
                chunk_frames(self._film.chunk_seconds, info),
                cuts=self._dream.cuts,
                on_frame=lambda frame: self.watcher.planning(frame.index + 1, info.frame_count),
            )
        except KeyboardInterrupt:
            raise Interrupted("interrupted before the first frame: nothing was written") from None
        Job.of(self._source.path, self._dream, self._output, plan).write(self.folder)
        return plan

    def _check(self, plan: Plan, records: dict[int, Record]) -> dict[int, Record]:
        """Return the records of the chunks that are good."""
        good, bad = check(self.folder, plan, records, on_checked=self.watcher.checking)
        for line in bad:
            self.watcher.note(line)
        return good

    def _dream_chunks(self, plan: Plan, records: dict[int, Record]) -> None:
        left = missing(plan, records)
        if not left:
            return
        crew = self._crew(plan, len({chunk.shot for chunk in left}))

        def task(chunk: Chunk) -> Task:
            return replace(self._task(chunk), threads=crew.threads)

        def done(record: Record) -> None:
            record.write(self.folder)
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

    def _join(self, plan: Plan) -> None:
        """Make the final file, and give it its name."""
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
            announce(self.folder, made)
            placed = place(made, self._target, overwrite=self.overwrite)
        except OSError as error:
            raise SinkError(f"{self._target} could not be written: {error.strerror}") from error
        if placed != self._target:
            self.watcher.note(f"{self._target} has appeared meanwhile and was kept: see {placed}")

    def _kept(self, plan: Plan, records: dict[int, Record]) -> str:
        """Say what is kept."""
        if not records:
            return f"nothing is done yet, the plan is kept in {self.folder}"
        done = f"{len(records)} of {len(plan.chunks)} chunks are done and kept"
        return f"{done} in {self.folder}: continue with --resume"

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self._stages[name] = time.monotonic() - begun
