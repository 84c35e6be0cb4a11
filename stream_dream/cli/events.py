"""The events that every command prints with ``--json``: their names, fields and types.

``stream-dream help pipelines`` documents them; tests compare it with these definitions, and both
with what commands print. Within a schema, events and fields may only be added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from stream_dream.live.status import LiveStatus

SCHEMA = 1
"""Number of the schema: it changes if an event or field is removed or means something else."""

Kind = Literal["film", "picture", "look"]
"""What is done one after the other: films, pictures of a batch, looks of a sheet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedEvent:
    """A command begins to work.

    Attributes:
        command: Name of the command.
        version: Version of stream-dream.
        sources: What is read.
        target: What is written: a file, a folder or a pattern; null for none.
        size: Width and height of the source in pixels; null for several sources, or if unknown.
        fps: Frames per second; null if there are none, or it is unknown.
        frames: Expected number of frames; of a loop, over all rounds; null if unknown.
        items: Number of films, pictures or looks to dream, with the films that exist already; null
            of a single film or loop, of shows, and where it is unknown.
    """

    command: str
    version: str
    sources: tuple[str, ...]
    target: str | None = None
    size: tuple[int, int] | None = None
    fps: float | None = None
    frames: int | None = None
    items: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStartedEvent:
    """One of several films, pictures or looks begins.

    Attributes:
        kind: ``film``, ``picture`` or ``look``.
        number: Which one, from 1.
        total: How many there are; null if that is unknown.
        name: Name of its file, or of the look.
        source: What is read.
        target: What is written; null of a look, which becomes a part of the sheet.
    """

    kind: Kind
    number: int
    total: int | None
    name: str
    source: str
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFinishedEvent:
    """One of several films, pictures or looks is done.

    Attributes:
        kind: ``film``, ``picture`` or ``look``.
        number: Which one, from 1.
        name: Name of its file, or of the look.
        source: What was read.
        target: The file that was written; null of a look.
        frames: Number of frames; null of pictures and looks.
        seconds: Wall time since it began.
    """

    kind: Kind
    number: int
    name: str
    source: str
    target: str | None = None
    frames: int | None = None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSkippedEvent:
    """One of several films or pictures is left as it is.

    Attributes:
        kind: ``film`` or ``picture``.
        source: What would have been read; null if there is only a target.
        target: What exists already; null for a file that is none of what is dreamed.
        reason: Why, in one line.
    """

    kind: Kind
    source: str | None = None
    target: str | None = None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFailedEvent:
    """A film of several, or a picture, cannot be dreamed; the others go on.

    Attributes:
        kind: ``film`` or ``picture``.
        number: Which one, from 1.
        name: Name of its file.
        source: What was read.
        target: What would have been written.
        message: Why, in one line.
        exit_code: What the command would have ended with if it were the only one.
    """

    kind: Kind
    number: int
    name: str
    source: str
    target: str | None = None
    message: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEvent:
    """A frame is written, or, of a loop, dreamed. Films in chunks print ``chunk`` instead.

    Attributes:
        index: Number of the frame, from 0; of a loop, over all rounds.
        seconds: Seconds by stage, by name.
        loss: Objective of the dream before its last step; null without a step.
        visible_share: Share of the frame that the one before shows too, 0 to 1.
        cut: True if a cut comes before it, so not of the first frame.
        checksum: CRC-32 of the dreamed picture before it is encoded; null of loops.
    """

    index: int
    seconds: dict[str, float]
    loss: float | None
    visible_share: float
    cut: bool
    checksum: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEvent:
    """How far the work is: at the begin and end of each stage, and about once a second in between.

    Joining tells its begin alone.

    Attributes:
        stage: ``downloading``, ``planning``, ``checking``, ``dreaming`` or ``joining``.
        unit: What is counted: ``bytes``, ``frames``, ``chunks``, ``pictures`` or ``looks``.
        done: How many are done, or have failed; pictures and looks with the share of the one at
            work.
        total: How many there are; null if that is unknown.
        rate: How many are done a second; 0 until that is known.
        seconds_left: Estimated remaining time; null until that is known.
        chunks_done: Finished chunks; null except of films in chunks.
        chunks: Chunks of the film; null except of films in chunks.
        working: Running chunks; null except of films in chunks.
        retries: Chunks that were begun again; null except of films in chunks.
        stopping: True if no further chunks are started.
        failure: One line on what stops the film; null if nothing does.
    """

    stage: Literal["downloading", "planning", "checking", "dreaming", "joining"]
    unit: Literal["bytes", "frames", "chunks", "pictures", "looks"]
    done: float
    total: int | None
    rate: float = 0.0
    seconds_left: float | None = None
    chunks_done: int | None = None
    chunks: int | None = None
    working: int | None = None
    retries: int | None = None
    stopping: bool = False
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkEvent:
    """A chunk of a film is finished and kept.

    Attributes:
        chunk: Number of the chunk, from 0.
        shot: Number of its shot, from 0.
        first: Number of its first frame, from 0.
        frames: Number of its frames.
        picture: SHA-256 of its encoded frames.
        state: SHA-256 of the dream's state after them; null if the shot ends.
        checksums: CRC-32 of each dreamed frame before it is encoded.
        losses: Loss of each frame; null for a frame without a step.
        seconds: Wall time.
        worker: Machine and process that dreamed it.
        attempts: Number of attempts.
    """

    chunk: int
    shot: int
    first: int
    frames: int
    picture: str
    state: str | None
    checksums: tuple[int, ...]
    losses: tuple[float | None, ...]
    seconds: float
    worker: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteEvent:
    """Something worth knowing that asks for nothing; standard error has it as well.

    Attributes:
        text: One line.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WarningEvent:
    """Something that may have to be mended, an item that failed say; standard error has it as well.

    Attributes:
        text: One line.
    """

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent(LiveStatus):
    """The state of a show, about once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedEvent:
    """A command is done; the last line. If some failed its exit code is 1, but of a watch 0.

    Attributes:
        command: Name of the command.
        targets: The files that were written; numbered pictures by their pattern.
        frames: Number of frames; null if none are counted.
        seconds: Wall time.
        fps: Frames per second between the first and the last; null if none are counted.
        failed: Number of films or pictures that could not be dreamed.
        skipped: Number of films or pictures that were left as they are.
        rounds: How many times each frame of a loop was dreamed; null of others.
        seam: What closing a loop adds to the change between frames, of 255 levels; null of others.
        warnings: The texts of all warnings.
    """

    command: str
    targets: tuple[str, ...] = ()
    frames: int | None = None
    seconds: float
    fps: float | None = None
    failed: int = 0
    skipped: int = 0
    rounds: float | None = None
    seam: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent:
    """A command has failed, was used wrongly or was stopped; the last line.

    Attributes:
        message: One line, which standard error has as well.
        exit_code: 1, 2 or 130.
    """

    message: str
    exit_code: int


EVENTS: dict[str, type[Any]] = {
    "started": StartedEvent,
    "item_started": ItemStartedEvent,
    "item_finished": ItemFinishedEvent,
    "item_skipped": ItemSkippedEvent,
    "item_failed": ItemFailedEvent,
    "frame": FrameEvent,
    "progress": ProgressEvent,
    "chunk": ChunkEvent,
    "note": NoteEvent,
    "warning": WarningEvent,
    "status": StatusEvent,
    "finished": FinishedEvent,
    "error": ErrorEvent,
}
"""The events by name; those of ``cli.answers`` complete them."""
