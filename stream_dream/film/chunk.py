"""Dreams one chunk of a film: the task that workers get."""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stream_dream.dreaming import (
    Guided,
    Writer,
    dream_frames,
    make_ascent,
    opened_mask,
    written_shape,
)
from stream_dream.film.files import digest, sync, sync_folder, unwritable
from stream_dream.film.plan import Chunk
from stream_dream.film.reading import Excerpt, Mismatch, Reader, changed
from stream_dream.film.records import ChunkFiles, Record
from stream_dream.frame import FrameReport, StreamInfo
from stream_dream.media.completion import Completion
from stream_dream.media.encoding import Encoder
from stream_dream.settings import DreamSettings, OutputSettings
from stream_dream.temporal.dreamer import TemporalDreamer

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent


@dataclass(frozen=True, slots=True)
class Task:
    """All that a worker needs to know to dream a chunk.

    Attributes:
        chunk: The chunk.
        source: What it is a chunk of.
        info: What is known of the source.
        target: The name of the whole; its extension decides how the chunk is encoded.
        dream: How to dream.
        output: What becomes of the dream.
        folder: Where the state before the chunk is, and where the chunk is going to be.
        threads: How many threads TensorFlow may use; None for its usual ones.
        attempt: How many times it was tried, this one included.
    """

    chunk: Chunk
    source: Excerpt
    info: StreamInfo
    target: Path
    dream: DreamSettings
    output: OutputSettings
    folder: Path
    threads: int | None = None
    attempt: int = 1


class Studio:
    """Dreams chunks one after the other, and keeps what the next one may need.

    The network is built and traced once, and chunks that follow each other are read on.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._ascent: Ascent | None = None
        self._settings: DreamSettings | None = None
        self._reader: Reader | None = None

    def dream(self, task: Task, on_frame: Callable[[FrameReport], None]) -> Record:
        """Dream a chunk; its files are complete and on the disk when this returns.

        Args:
            task: The chunk.
            on_frame: Called with each frame.

        Raises:
            SourceError: The source cannot be read, or is not what it was.
            SinkError: The chunk cannot be written.
            SettingsError: The state before the chunk cannot be used.
        """
        begun = time.monotonic()
        try:
            try:
                reports = self._dream(task, on_frame, exactly=False)
            except Mismatch:
                reports = self._dream(task, on_frame, exactly=True)
        except Mismatch:
            raise changed(task.source.path, task.chunk) from None
        except OSError as error:
            raise unwritable(task.folder, error) from error
        files = ChunkFiles(task.folder, task.chunk.number)
        return Record(
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
        """Close the source."""
        if self._reader is not None:
            self._reader.close()

    def _dream(
        self, task: Task, on_frame: Callable[[FrameReport], None], *, exactly: bool
    ) -> list[FrameReport]:
        chunk, files = task.chunk, ChunkFiles(task.folder, task.chunk.number)
        ascent = self._ascent_for(task)
        dreamer = TemporalDreamer(ascent, task.dream, pixel_aspect=task.info.pixel_aspect)
        if chunk.continues:
            dreamer.restore(ChunkFiles(task.folder, chunk.number - 1).state)
        reports: list[FrameReport] = []

        def take(report: FrameReport) -> None:
            reports.append(report)
            on_frame(report)

        # Names of their own: a worker that was given up may still be at it.
        part, state = (files.picture.with_suffix(f".{uuid.uuid4().hex}.part") for _ in range(2))
        encoder = _encoder(task, part)
        try:
            guided = Guided(ascent.guide, task.dream.guide, first=chunk.first)
            frames = self._reader_for(task).read(chunk, exactly=exactly)
            with opened_mask(task.output, task.info, task.source.first + chunk.first) as mask:
                writer = Writer(encoder.write, task.output, take, mask=mask, checksums=True)
                dream_frames(frames, dreamer, guided, writer)
            encoder.finish(_completion(task).patience(chunk.frames))
            sync(part)
            if chunk.continued:
                dreamer.save(state)
                sync(state)
                state.replace(files.state)
            part.replace(files.picture)
            sync_folder(task.folder)
        finally:
            encoder.kill()
            part.unlink(missing_ok=True)
            state.unlink(missing_ok=True)
        return reports

    def _ascent_for(self, task: Task) -> Ascent:
        if self._ascent is None or self._settings != task.dream:
            self._ascent, self._settings = make_ascent(task.dream, threads=task.threads), task.dream
        return self._ascent

    def _reader_for(self, task: Task) -> Reader:
        if self._reader is None or self._reader.excerpt != task.source:
            self.close()
            self._reader = Reader(task.source)
        return self._reader


def _completion(task: Task) -> Completion:
    size, pixel_aspect = written_shape(task.info, task.output)
    return Completion(
        task.target,
        size=size,
        fps=task.info.fps,
        pixel_aspect=pixel_aspect,
        crf=task.output.crf,
    )


def _encoder(task: Task, path: Path) -> Encoder:
    wanted = _completion(task)
    return Encoder(
        path.absolute(),
        wanted.format,
        size=wanted.size,
        fps=wanted.fps,
        pixel_aspect=wanted.pixel_aspect,
        crf=task.output.crf,
    )
