"""The task of dreaming one chunk of a film, and its execution by a worker."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stream_dream.automation.program import Program
from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.film_dreamer import film_dreamer
from stream_dream.film.frame_loop import (
    FrameLooks,
    FrameWriter,
    dream_frames,
    finalizer_of,
    opened_mask,
)
from stream_dream.film.job.chunk_record import ChunkFiles, ChunkRecord
from stream_dream.film.job.durable_files import digest, sync, sync_folder, unwritable
from stream_dream.film.plan.chunk_reader import Mismatch, Reader, SourceExcerpt, changed
from stream_dream.film.plan.plan import Chunk
from stream_dream.frame import FrameReport, Image8, StreamInfo
from stream_dream.media.read.guide import GuideReader
from stream_dream.media.write.intermediate import Encoder
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings

if TYPE_CHECKING:
    import numpy as np

    from stream_dream.dream.ascent import Ascent
    from stream_dream.dream.batching import BatchedAscent
    from stream_dream.dream.look_ascents import LookAscents
    from stream_dream.frame import ImageF
    from stream_dream.temporal.dreamer import DreamFunction


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """Everything that a worker needs to dream a chunk.

    Attributes:
        chunk: The chunk.
        source: The source and the excerpt that is rendered.
        info: Properties of the source.
        target: Path of the film; its extension selects the encoding of the chunk.
        program: Settings of each frame of the chunk.
        output: Settings of the output.
        folder: Contains the state before the chunk; receives the files of the chunk.
        threads: Number of TensorFlow threads; None for the default.
        attempt: Number of this attempt, from 1.
    """

    chunk: Chunk
    source: SourceExcerpt
    info: StreamInfo
    target: Path
    program: Program
    output: OutputSettings
    folder: Path
    threads: int | None = None
    attempt: int = 1


class ChunkDreamer:
    """Dreams chunks one after the other, or as a batch.

    The network is built and traced once, and consecutive chunks are read without opening the
    source again.
    """

    def __init__(self, batch: int = 1, ascents: AscentCache | None = None) -> None:
        """Create a dreamer; the network is built with the first chunk.

        With a batch, that many threads dream a chunk each. Their frames are dreamed in one call,
        for devices that one frame does not fill. ``ascents`` keeps networks beyond this dreamer.
        """
        self._batch = batch
        self._lock = threading.Lock()
        self._cache, self._lent = ascents or AscentCache(), ascents is not None
        self._ascents: LookAscents | None = None
        self._batched: BatchedAscent | None = None
        self._readers: list[Reader] = []
        self._guides: list[GuideReader] = []

    def dream(
        self, task: ChunkTask, count: Callable[[int], None] = lambda frames: None
    ) -> ChunkRecord:
        """Dream a chunk; its files are complete and on disk when this returns.

        ``count`` is called after each frame, with the number of frames done.

        Raises:
            SourceError: The source cannot be read, or differs from the plan.
            SinkError: The chunk cannot be written.
            SettingsError: The state before the chunk cannot be used.
        """
        begun = time.monotonic()
        try:
            try:
                reports = self._dream(task, count, exactly=False)
            except Mismatch:
                reports = self._dream(task, count, exactly=True)
        except Mismatch:
            raise changed(task.source.path, task.chunk) from None
        files = ChunkFiles(task.folder, task.chunk.number)
        return ChunkRecord(
            number=task.chunk.number,
            frames=len(reports),
            picture=digest(files.picture),
            state=digest(files.state) if task.chunk.continued else None,
            checksums=[report.checksum or 0 for report in reports],
            losses=[report.loss for report in reports],
            seconds=time.monotonic() - begun,
            worker=f"{platform.node()}:{os.getpid()}",
            attempts=task.attempt,
        )

    def close(self) -> None:
        """Close the source and the guide."""
        with self._lock:
            while self._readers:
                self._readers.pop().close()
            for guide in self._guides:
                guide.close()
            if not self._lent:
                self._cache.close()

    def _dream(
        self, task: ChunkTask, count: Callable[[int], None], *, exactly: bool
    ) -> list[FrameReport]:
        chunk, files = task.chunk, ChunkFiles(task.folder, task.chunk.number)
        ascents, dreams = self._ascents_for(task)
        alone = task.threads is None and self._batch == 1  # the only dream on this machine
        dreamer = film_dreamer(
            dreams, task.program.looks[0], task.program, task.info, task.source.journey
        )
        if chunk.continues:
            dreamer.restore(ChunkFiles(task.folder, chunk.number - 1).state)
        reports: list[FrameReport] = []

        def take(report: FrameReport) -> None:
            reports.append(report)
            count(len(reports))

        # Unique names: an abandoned worker may still be writing the same chunk.
        part, state = files.part(), files.part()
        finalizer = finalizer_of(task.target, task.info, task.output)
        encoder, reader = Encoder(part.absolute(), finalizer), self._take_reader(task)
        try:
            looks = FrameLooks(
                ascents,
                task.program,
                task.info,
                self._guide_images(task),
                first=chunk.first,
                frames=chunk.frames,
            )
            frames = reader.read(chunk, exactly=exactly)
            with opened_mask(task.output, task.info, task.source.first + chunk.first) as mask:
                writer = FrameWriter(
                    encoder.write,
                    task.output,
                    task.program,
                    take,
                    mask=mask,
                    encoding=finalizer.encoding,
                    checksums=True,
                )
                dream_frames(frames, dreamer, looks, writer, ascents.spare if alone else None)
            _leave(dreams)  # other members need not wait until this chunk is written
            encoder.finish(finalizer.patience(chunk.frames))
            try:
                sync(part)
                if chunk.continued:
                    dreamer.save(state)
                    sync(state)
                    state.replace(files.state)
                part.replace(files.picture)
                sync_folder(task.folder)
            except OSError as error:
                raise unwritable(task.folder, error) from error
        finally:
            _leave(dreams)
            self._give_back(reader)
            encoder.kill()
            with suppress(OSError):  # the disk may be what has failed
                part.unlink(missing_ok=True)
                state.unlink(missing_ok=True)
        return reports

    def _ascents_for(self, task: ChunkTask) -> tuple[LookAscents, Sequence[DreamFunction]]:
        """Return the networks, and the dream functions: the networks, or members of a batch."""
        with self._lock:
            ascents = self._cache.of(task.program, task.chunk.first, threads=task.threads)
            if ascents is not self._ascents:
                self._ascents, self._batched = ascents, None
                if self._batch > 1:
                    from stream_dream.dream.batching import BatchedAscent

                    self._batched = BatchedAscent(ascents.of(0), self._batch)
            if self._batched is None:
                return ascents, ascents.dreams
            return ascents, [_InBatch(ascents.of(0), self._batched)]

    def _guide_images(self, task: ChunkTask) -> list[Iterator[Image8]]:
        """Return the guide images of each look; a guide video stays open between chunks."""
        paths = [look.guide for look in task.program.looks]
        with self._lock:
            if [guide.path for guide in self._guides] != paths:
                for guide in self._guides:
                    guide.close()
                self._guides = [GuideReader(path) for path in paths]
            return [guide.images(task.chunk.first) for guide in self._guides]

    def _take_reader(self, task: ChunkTask) -> Reader:
        """Return an open reader that is positioned for the chunk, or a new one."""
        with self._lock:
            for reader in self._readers:
                if reader.excerpt == task.source and reader.leads_to(task.chunk):
                    self._readers.remove(reader)
                    return reader
            if len(self._readers) >= self._batch:
                self._readers.pop(0).close()
            return Reader(task.source)

    def _give_back(self, reader: Reader) -> None:
        with self._lock:
            self._readers.append(reader)


class _InBatch:
    """Dreams the frames of a chunk as a member of a batch.

    It joins the batch at its first frame, so that the other members do not wait while it opens
    files. Large frames, dreamed in tiles, fill any device by themselves and stay out of the batch.
    """

    def __init__(self, ascent: Ascent, batched: BatchedAscent) -> None:
        self._ascent, self._batched = ascent, batched
        self._stack = ExitStack()
        self._dream: DreamFunction | None = None

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings,
    ) -> tuple[ImageF, float]:
        if self._dream is None:
            tiled = self._ascent.is_tiled(source.shape[:2])
            member = self._batched.member
            self._dream = self._ascent if tiled else self._stack.enter_context(member())
        return self._dream(source, carried, index=index, rng=rng, settings=settings)

    def begin(
        self, source: ImageF, *, index: int, rng: np.random.Generator, settings: DreamSettings
    ) -> ImageF:
        """Return the initial residual of a shot."""
        return self._batched.begin(source, index=index, rng=rng, settings=settings)

    def leave(self) -> None:
        """Leave the batch; the other members continue."""
        self._stack.close()


def _leave(dreams: Sequence[DreamFunction]) -> None:
    """Leave the batch, if there is one."""
    for dream in dreams:
        if isinstance(dream, _InBatch):
            dream.leave()
