"""Renders films one after the other, with the network built once."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol, Self

from stream_dream.errors import (
    DiskFull,
    Interrupted,
    NetworkError,
    SinkError,
    SourceError,
    StreamDreamError,
    first_line,
)
from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.queued_films import QueuedFilm
from stream_dream.film.watch import POLL_SECONDS, FolderWatch
from stream_dream.media.write.output_paths import existing, folder_problem, make_folder
from stream_dream.runtime.quiet import debugging

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Rendered(Protocol):
    """What a queue needs of the summary of a render."""

    @property
    def target(self) -> Path:
        """The finished file."""

    @property
    def frames(self) -> int:
        """Its number of frames."""

    @property
    def seconds(self) -> float:
        """Wall time."""


class Render(Protocol):
    """Renders one film."""

    def __call__(self, film: QueuedFilm, ascents: AscentCache, /, *, resume: bool) -> Rendered:
        """Render a film with networks of the cache; ``resume`` to go on with its job."""


@dataclass(slots=True)
class QueueSummary:
    """Result of a render queue.

    Attributes:
        written: The films that were written, under their final names.
        skipped: Targets that existed already.
        failed: One line for each film that could not be dreamed, by its source.
        frames: Number of frames written.
        seconds: Wall time.
    """

    written: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: dict[Path, str] = field(default_factory=dict)
    frames: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class QueueEvents:
    """Callbacks for the progress of a queue.

    Attributes:
        started: Called before each film with its number, from 1, and the number of films; None for
            those that are still to arrive.
        finished: Called with each finished film.
        skipped: Called with films whose targets exist already.
        failed: Called with a film that could not be dreamed, one line that says why, and the exit
            code of a command that renders it alone.
        note: Called with one line on what was noticed.
    """

    started: Callable[[QueuedFilm, int, int | None], None] = lambda film, number, count: None
    finished: Callable[[QueuedFilm, Rendered], None] = lambda film, rendered: None
    skipped: Callable[[Sequence[QueuedFilm]], None] = lambda films: None
    failed: Callable[[QueuedFilm, str, int], None] = lambda film, line, exit_code: None
    note: Callable[[str], None] = lambda line: None


class RenderQueue:
    """Renders films one after the other; use it in a ``with`` block.

    What is done is left alone, one failure does not stop the rest.

    Attributes:
        summary: What was done so far.
    """

    def __init__(
        self,
        render: Render,
        *,
        overwrite: bool = False,
        resume: bool = False,
        events: QueueEvents | None = None,
    ) -> None:
        """Create a queue.

        Args:
            render: Renders one film.
            overwrite: True to replace existing targets, which are skipped otherwise.
            resume: True to continue films that were begun and not finished.
            events: Callbacks for progress.
        """
        self.summary = QueueSummary()
        self._render, self._overwrite, self._resume = render, overwrite, resume
        self._events = events or QueueEvents()
        self._ascents = AscentCache()
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        """Return the queue."""
        return self

    def __exit__(self, *error: object) -> None:
        """Drop the networks."""
        self.summary.seconds = time.monotonic() - self._begun
        self._ascents.close()

    def run(self, films: Sequence[QueuedFilm]) -> None:
        """Render films in order.

        Raises:
            NetworkError: The network cannot be built, for any of them.
            SinkError: The folder cannot be written, or the disk is full.
            Interrupted: On Ctrl-C; finished work is kept, and the message says where.
        """
        left = self._without_done(films)
        try:
            for number, film in enumerate(left, 1):
                if number == 1 or self._without_done([film]):  # others may work in the same folder
                    self._dream(film, number, len(left))
        except KeyboardInterrupt:
            done = f"{len(self.summary.written)} done"
            raise Interrupted(f"interrupted between two films; {done}") from None

    def watch(
        self,
        folder: Path,
        target_of: Callable[[Path], Path],
        arrivals: FolderWatch | None = None,
        pause: Callable[[], None] = lambda: time.sleep(POLL_SECONDS),
    ) -> None:
        """Render what a folder holds and what arrives in it, until Ctrl-C.

        A film that failed is rendered again when it has changed. One that is gone again before it
        was read is no failure.

        Args:
            folder: The folder.
            target_of: Returns where the dream of a film is written.
            arrivals: Finds the films.
            pause: Waits between two looks at the folder.

        Raises:
            NetworkError, SinkError: As ``run``.
            Interrupted: On Ctrl-C while a film was in work; without one it returns.
        """
        with suppress(KeyboardInterrupt):  # which no film in work lets through
            self._watch(target_of, arrivals or FolderWatch(folder), pause)

    def _watch(
        self, target_of: Callable[[Path], Path], arrivals: FolderWatch, pause: Callable[[], None]
    ) -> NoReturn:
        owners: dict[Path, Path] = {}
        number = 0
        while True:
            films = []
            for film in (QueuedFilm(path, target_of(path)) for path in self._next(arrivals, pause)):
                owner = owners.setdefault(film.target, film.source)
                if owner == film.source or not os.path.lexists(owner):
                    owners[film.target] = film.source
                    films.append(film)
                    continue
                number += 1
                self._events.started(film, number, None)
                taken = f"{film.source}: {film.target} is the dream of {owner}"
                self._fail(film, SinkError(taken, exit_code=2))
            for film in self._without_done(films):
                number += 1
                if not self._dream(film, number, None, gone=arrivals.forget):
                    del owners[film.target]

    def _next(self, arrivals: FolderWatch, pause: Callable[[], None]) -> list[Path]:
        """Return the films that have arrived, as soon as there are some."""
        told = False
        while True:
            try:
                if found := arrivals.arrived():
                    return found
            except SourceError as error:
                if not told:
                    self._events.note(f"{error}: waiting for it")
                told = True
            pause()

    def _without_done(self, films: Sequence[QueuedFilm]) -> list[QueuedFilm]:
        """Return the films that are left to dream; tell of the others."""
        done = [film for film in films if self._is_done(film)]
        if done:
            self.summary.skipped += [film.target for film in done]
            self._events.skipped(done)
        return [film for film in films if film not in done]

    def _is_done(self, film: QueuedFilm) -> bool:
        return bool(existing(film.target)) and not (self._overwrite or self._resumes(film))

    def _resumes(self, film: QueuedFilm) -> bool:
        return self._resume and JobFolder(film.target).has_job

    def _dream(
        self,
        film: QueuedFilm,
        number: int,
        count: int | None,
        gone: Callable[[Path], None] | None = None,
    ) -> bool:
        """Render a film; return whether it is done.

        ``gone`` is called with a source that is not there any more, which is a failure without it.
        """
        left = None if count is None else count - number
        try:
            self._events.started(film, number, count)
            done = self._render(film, self._ascents, resume=self._resumes(film))
        except (KeyboardInterrupt, Exception) as error:
            self._stop_for(error, film, left)
            if gone is not None and not os.path.lexists(film.source):
                gone(film.source)
            else:
                self._fail(film, error)
            return False
        self.summary.written.append(done.target)
        self.summary.frames += done.frames
        self.summary.failed.pop(film.source, None)
        self._events.finished(film, done)
        return True

    def _fail(self, film: QueuedFilm, error: BaseException) -> None:
        self.summary.failed[film.source] = line = _line(error, film)
        self._events.failed(film, line, getattr(error, "exit_code", 1))

    def _stop_for(self, error: BaseException, film: QueuedFilm, left: int | None) -> None:
        """Raise what ends the queue: an interrupt, a full disk, or a network that is wrong."""
        causes, known = [*_causes(error)], isinstance(error, StreamDreamError)
        so_far = f"{len(self.summary.written)} done"
        if any(isinstance(cause, KeyboardInterrupt | Interrupted) for cause in causes):
            # Of a film not begun, or just done; or a library was stopped as it was imported.
            what = str(error) if known else f"interrupted at {film.source}"
            so_far += "" if left is None else f", {left} not begun"
            raise Interrupted(f"{what}; {so_far}") from error
        if any(map(_is_full, causes)):
            so_far += "" if left is None else f", {left + 1} left"
            again = "make room and give the same command again"
            raise DiskFull(f"{_line(error, film)}; {so_far}: {again}") from error
        if isinstance(error, NetworkError) or (debugging() and not known):
            raise error


def prepare_folder(folder: Path) -> None:
    """Create the folder of the dreams. Raises ``SinkError`` if nothing can be written there."""
    make_folder(folder)
    problem = folder_problem(folder / "dream.mp4")
    if problem is not None:
        raise SinkError(f"{folder / 'dream.mp4'} {problem}", exit_code=2)


def _line(error: BaseException, film: QueuedFilm) -> str:
    """Return one line on a failure; errors of libraries do not name the film."""
    if isinstance(error, StreamDreamError):
        return str(error)
    return f"{film.source}: {type(error).__name__}: {first_line(error)}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_full(error: BaseException) -> bool:
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _FULL)
