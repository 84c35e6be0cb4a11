"""Snapshots and recordings at the press of a button."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from stream_dream.errors import SinkError, StreamDreamError
from stream_dream.frame import Image8
from stream_dream.live.control.controls import Action
from stream_dream.live.output.disk import check_room
from stream_dream.live.output.recorder import Recorder
from stream_dream.live.status import LiveStatus
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.output_paths import dated_name, make_folder
from stream_dream.media.write.picture import write_picture
from stream_dream.runtime.background import BackgroundWorker
from stream_dream.runtime.limited_log import LimitedLog

log = logging.getLogger("stream_dream.live")

_CLOSE_SECONDS = 3.0
# Snapshots that wait for the disk; a picture of 1280x720 takes 0.1 s.
_MOST_WAITING = 4
# Pauses before a failed recording is tried again; one that lasted a while begins with the first.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LASTING_SECONDS = 60.0


class Saver:
    """A view that performs the actions ``snapshot`` and ``record``.

    A recording that fails is tried again, into another file, until it is ended. What cannot be done
    in time is left out, with a word about it: no button can slow down the show.

    Attributes:
        message: Last message for the operator; "" if there is none.
    """

    problem: str | None = None  # a recording that fails ends; the saver goes on

    def __init__(
        self,
        folder: Path,
        film: Path | None = None,
        *,
        minutes: float,
        fps: float,
        keep_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Save into a folder, which is created when needed.

        Args:
            folder: Folder of snapshots and recordings.
            film: Name of the recording that starts with the first frame; None for none.
            minutes: Length of a recording's files.
            fps: Frame rate of recordings.
            keep_bytes: Bytes that films of the same name may take; None for any number.
            clock: Returns the time in seconds.

        Raises:
            SinkError: The film cannot be recorded.
        """
        self.message = ""
        self._folder, self._clock = folder, clock
        self._record = partial(Recorder, minutes=minutes, fps=fps, keep_bytes=keep_bytes)
        # A recording by key or button, whose files are all dated, unless one was asked for.
        self._film, self._dated = film or folder / "show.mkv", film is None
        self._recorder = None if film is None else self._record(film)
        self._begun = clock()
        # When a failed recording is tried again; None while none is to be.
        self._again: float | None = None
        self._pause = _FIRST_PAUSE
        self._missing = 0.0
        self._limited = LimitedLog(log, "snapshots", seconds=10)
        self._snapshots = BackgroundWorker("snapshots", _MOST_WAITING)
        self._completing = BackgroundWorker("completing", 1)

    @property
    def recording(self) -> str | None:
        """Name of the file being recorded; None if there is none."""
        recorder = self._recorder
        path = None if recorder is None else recorder.current
        return None if path is None else path.name

    @property
    def left_out(self) -> int:
        """Number of frames that the present recording had to leave out."""
        recorder = self._recorder
        return 0 if recorder is None else recorder.left_out

    def press(self, action: Action, image: Image8) -> None:
        """Perform an action; slow work runs in another thread."""
        if action == "snapshot":
            if not self._snapshots.submit(partial(self._save, image)):
                self.message = "a snapshot is left out: others are still being written"
                self._limited.warn(self.message)
        elif action == "record":
            if self._again is not None:
                self._again = None
                self._tell("the recording is given up", logging.INFO)
            elif self._recorder is None:
                self._film, self._dated = self._folder / "show.mkv", True
                self._start()
            elif not self._stop():
                self.message = "the last film is still being completed: wait a moment"

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Record a frame, if a recording is in progress; begin a failed one again."""
        recorder = self._recorder
        if recorder is None:
            if self._again is not None and self._clock() >= self._again:
                self._start()
            return
        if recorder.problem is None:
            recorder.show(image, status)
            self._tell_stall(recorder.missing)
            return
        if self._stop():
            lasted = self._clock() - self._begun
            self._retry(recorder.problem, first=lasted > _LASTING_SECONDS)

    def close(self) -> None:
        """Complete snapshots and recordings in progress, within three seconds."""
        deadline = self._clock() + _CLOSE_SECONDS
        self._again = None
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()
        for worker in (self._completing, self._snapshots):
            worker.close(max(0.0, deadline - self._clock()))

    def _start(self) -> None:
        self._again, self._begun, self._missing = None, self._clock(), 0.0
        try:
            make_folder(self._film.parent)
            check_room(self._film.parent)
            self._recorder = self._record(self._film, dated=self._dated)
        except StreamDreamError as error:
            self._retry(f"nothing is recorded: {error}", first=False)

    def _retry(self, problem: str, *, first: bool) -> None:
        """Try a recording again after a pause, the longer the more often it fails."""
        self._pause = _FIRST_PAUSE if first else self._pause
        self._again = self._clock() + self._pause
        self._tell(f"{problem}; trying again in {self._pause:.0f} s", logging.WARNING)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _stop(self) -> bool:
        """Complete the recording in the background; return False if others take up all room."""
        recorder = self._recorder
        if recorder is not None and not self._completing.submit(recorder.close):
            return False
        self._recorder = None
        return True

    def _tell_stall(self, missing: float) -> None:
        """Report that seconds of the recording are missing, and when it goes on."""
        if missing and not self._missing:
            self._tell(f"recording stalls: {missing:.0f} s are missing", logging.WARNING)
        elif missing:
            self.message = f"recording stalls: {missing:.0f} s are missing"
        elif self._missing:
            self._tell(f"recording goes on: {self._missing:.0f} s are missing", logging.WARNING)
        self._missing = missing

    def _save(self, image: Image8) -> None:
        try:
            path = save_snapshot(image, self._folder)
            self._tell(f"saved {path.name}", logging.INFO)
        except SinkError as error:
            self.message = f"no snapshot: {error}"
            self._limited.warn(self.message)

    def _tell(self, message: str, level: int) -> None:
        self.message = message
        log.log(level, "%s", message)


def save_snapshot(image: Image8, folder: Path) -> Path:
    """Write an image, uint8 RGB (height, width, 3), as ``snapshot_DATE.png``.

    It takes 0.1 s at 1280x720. Raises ``SinkError``, also where the disk is nearly full.
    """
    make_folder(folder)
    check_room(folder)
    return write_picture(Picture(image), dated_name(folder / "snapshot.png", datetime.now()))
