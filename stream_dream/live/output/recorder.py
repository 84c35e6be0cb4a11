"""Record a live show to files that survive a power cut or a kill."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path

from stream_dream.errors import SinkError, first_line
from stream_dream.frame import Image8
from stream_dream.live.output.disk import LEAST_FREE_BYTES, check_room, free_bytes, prune
from stream_dream.live.output.recording_file import Film
from stream_dream.live.status import LiveStatus
from stream_dream.media.write.output_paths import check_output

# Frames that wait for the encoder; more of them would only be lost at a kill.
_DEPTH = 4
_FPS_RANGE = (10, 60)
# Seconds. An encoder further behind does not catch up: each frame left out is replaced by a
# repetition, which costs half as much. The start of ffmpeg on a busy machine must fit in.
_MOST_BEHIND = 2.0
# A film that kept up this long fell behind for a passing reason: the next one keeps its rate.
_STEADY_SECONDS = 300.0
_LOWEST_FPS = 5
_LOOK_SECONDS = 1.0
_NAMING_SECONDS = 0.25
_COMPLETE_SECONDS = 30.0
# The room of a removed film comes late on some file systems, and as soon as nobody reads it any
# more; until then no other film goes for it, and the recording goes on.
_ROOM_SECONDS = 30.0
# An encoder that takes nothing for this long hangs: it is killed, and the recording fails.
_HUNG_SECONDS = 10.0
_CLOSE_SECONDS = 1.5


def check_recording(path: Path) -> None:
    """Check that a recording can have this name; one that is taken gets a date.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    is_film = path.suffix.lower() == ".mkv"
    problem = None if is_film else "is no .mkv: no other film survives a power cut"
    check_output(path, overwrite=True, format_problem=problem)


class Recorder:
    """A view that records to a series of Matroska files.

    The first file has the given name if it is free; the others add date and time, which sort in
    recording order: ``show.mkv``, ``show_20260930-221530.mkv``. Existing files are kept. A new file
    starts after some minutes, and when the picture's size changes.

    One thread feeds the encoder, the other one looks after the disk, which may take long. Unlike in
    a render they do not yield to the dream, whose size the governor can lower: when they did, a
    kill beside two busy programs on two cores lost up to 4 s (measured). If the encoder cannot keep
    up, a new file starts at half the rate, and up to two seconds before it are missing.

    ffmpeg's segment muxer loses as little at a kill (0.3 s, 20 kills), but it overwrites a file of
    the next name, even with -n, and another size or rate needs another ffmpeg anyway.

    A kill of all processes lost up to 0.5 s, also beside two busy programs, and 0.6 s of a file
    just started, still called ``NAME.part`` (measured, 50 kills). A power cut should lose about a
    second more, as the file is synced once a second (not measured), and what a drive only claims to
    have stored.

    Attributes:
        problem: One line on why the recording has ended; None while all is well.
        files: All playable files of this recording, in their order.
        left_out: Number of frames left out because the encoder was busy.
    """

    def __init__(
        self,
        path: Path,
        *,
        minutes: float,
        fps: float,
        dated: bool = False,
        keep_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        least_free_bytes: int = LEAST_FREE_BYTES,
    ) -> None:
        """Start to record with the first frame shown.

        Args:
            path: Name of the first file, .mkv, in a folder that exists.
            minutes: Length of a file.
            fps: Frames per second of the films; rounded to a whole number, 10 to 60.
            dated: True to add the date to the first file's name, too.
            keep_bytes: Bytes that dated films of this name may take: the oldest are removed. None
                to remove none.
            clock: Returns the time in seconds.
            least_free_bytes: The recording ends when the disk has less left.

        Raises:
            SinkError: With ``exit_code`` 2, if the name or a number cannot be used.
        """
        check_recording(path)
        if not (minutes > 0 and fps > 0):
            problem = f"cannot have {fps} fps and {minutes} minutes: both must be above 0"
            raise SinkError(f"{path} {problem}", exit_code=2)
        self._path, self._clock, self._least_free_bytes = path.absolute(), clock, least_free_bytes
        self._keep_bytes = keep_bytes
        self._seconds = minutes * 60
        low, high = _FPS_RANGE
        self._asked_fps = self._fps = Fraction(min(max(round(fps), low), high))
        self._frames: queue.Queue[tuple[Image8, float]] = queue.Queue(_DEPTH)
        self._retired: queue.SimpleQueue[Film | None] = queue.SimpleQueue()
        self._film: Film | None = None
        self._image: Image8 | None = None
        self._open: tuple[Film, ...] = ()
        self.files: tuple[Path, ...] = ()
        self._begun = dated
        self.left_out = 0
        self.problem: str | None = None
        self._closing: float | None = None
        self._made_room = -math.inf
        self._fed = clock()
        self._threads = [
            threading.Thread(target=self._write, name="recorder", daemon=True),
            threading.Thread(target=self._look_after, name="recorder-disk", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def current(self) -> Path | None:
        """The file being written; it has this name after about a second."""
        film = self._film
        return None if film is None else film.path

    @property
    def missing(self) -> float:
        """Seconds of film that are missing because the encoder takes nothing; 0 below two."""
        missing = self._clock() - self._fed if self._film is not None else 0.0
        return missing if missing > _MOST_BEHIND else 0.0

    @property
    def waiting(self) -> int:
        """Number of frames that wait for the encoder."""
        return self._frames.qsize()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), to be recorded as shown from now on."""
        if self.problem is not None or self._closing is not None:
            return
        try:
            self._frames.put_nowait((image, self._clock()))
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Complete the file, within two seconds or without its end."""
        if self._closing is not None:
            return
        self._closing = self._clock()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for film in self._open:
            film.give_up()
        for thread in self._threads:
            thread.join(0.25)

    def _write(self) -> None:
        """Feed the encoder until the end: the first thread."""
        try:
            while self.problem is None:
                # Read before waiting: frames that arrive later have later times.
                now = self._fed = self._clock()
                try:
                    image, now = self._frames.get(timeout=float(1 / self._fps))
                except queue.Empty:
                    if self._closing is not None:
                        break
                    image = None
                self._advance(image, now)
            if self._film is not None and self._closing is not None:
                self._film.end(self._closing)
        except Exception as error:  # the show goes on
            self._fail(error)
        finally:
            self._retire()
            self._retired.put(None)

    def _advance(self, image: Image8 | None, now: float) -> None:
        """Extend the film up to a time, from which on an image is shown; None for no new one."""
        if image is None:
            image = self._image
            if image is None:
                return
        film = self._film
        if film is not None and film.behind(self._clock()) > _MOST_BEHIND:
            self._slow_down(film)
            now = self._clock()
        elif film is not None and (image.shape != film.shape or now - film.start >= self._seconds):
            film.end(now)
            self._fps = self._asked_fps
            self._retire()
        if self._film is None:
            self._film = Film(self._path, image, now, self._fps, dated=self._begun)
            self._begun = True
            self._open += (self._film,)
        elif image is self._image:
            self._film.hold(now)
        else:
            self._film.show(image, now)
        self._image = image

    def _slow_down(self, film: Film) -> None:
        """End a film that the encoder does not keep up with; a new one then starts."""
        if self._clock() - film.start < _STEADY_SECONDS:
            self._fps = max(self._fps / 2, Fraction(_LOWEST_FPS))
        self._retire()

    def _retire(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            self._retired.put(film)

    def _look_after(self) -> None:
        """Name, complete and sync files, and watch the disk: the second thread."""
        pause = 0.0
        while True:
            try:
                film = self._retired.get(timeout=pause)
            except queue.Empty:
                film = self._film
                self._check_disk()
                if film is not None and self.missing > _HUNG_SECONDS:
                    film.give_up()
                if film is not None:
                    self._attend(film, film.secure)
                pause = _LOOK_SECONDS if film is not None and film.named else _NAMING_SECONDS
                continue
            if film is None:
                return
            self._attend(film, partial(film.finish, _COMPLETE_SECONDS))
            self._open = tuple(other for other in self._open if other is not film)
            pause = _NAMING_SECONDS  # the next one has started

    def _attend(self, film: Film, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # the show goes on
            self._fail(error, film)
        if film.named and film.path not in self.files:
            self.files += (film.path,)

    def _check_disk(self) -> None:
        """Remove old films, and fail when the disk is nearly full all the same."""
        folder, now = self._path.parent, self._clock()
        try:
            waits = now - self._made_room < _ROOM_SECONDS
            if self._keep_bytes is not None:
                short = not waits and free_bytes(folder) < self._least_free_bytes
                open_films = [film.path for film in self._open]
                if prune(self._path, self._keep_bytes, open_films, at_least=int(short)):
                    self._made_room, waits = now, True
            if not waits:
                check_room(folder, self._least_free_bytes)
        except (SinkError, OSError) as error:
            self._fail(error)

    def _fail(self, error: Exception, film: Film | None = None) -> None:
        """Set ``problem``; the first reason counts."""
        if self.problem is None:
            path = film.path if film is not None else self.current or self._path
            reason = error.strerror if isinstance(error, OSError) else None
            self.problem = f"recording {path} ended: {reason or first_line(error)}"
